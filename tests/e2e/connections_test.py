#!/usr/bin/env python3
"""An agent among clients that hold connections and ask nothing: idle, dripping, half way through a TLS handshake, guessing
passwords, silent on the admin socket; and among targets of /probe that never answer. Scrapes and health checks are answered
all the same. Prints how long they took. With --full: the numbers that are promised; else smaller ones."""
import base64
import collections
import concurrent.futures
import http.client
import re
import resource
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import lib

FULL = "--full" in sys.argv
CONFIG = """
global: {interval: 1s, timeout: 500ms}
services:
  order:
    probes: [{name: self, type: exec, command: [/bin/true]}]
"""
HASH = "$2b$10$abcdefghijklmnopqrstuuwmjOOgyx/jknFqeF8sHrF2cGgSECl/q"  # bcrypt of "wonderland", cost 10
PATHS = ("/metrics", "/-/healthy", "/-/ready")

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def count(full, small):
    return full if FULL else min(small, full)


class Crowd:
    """Connections that are opened again whenever the agent ends them, until the with-block ends."""

    def __init__(self, number, connect, drip=None):
        self.number, self.connect, self.drip, self.ended, self.over = number, connect, drip, 0, False
        self.sockets = []

    def one(self):
        try:
            return self.connect()
        except OSError:
            return None

    def keep(self):
        poll = select.epoll()
        by_fd = {}

        def add(sock):
            if sock:
                by_fd[sock.fileno()] = sock
                poll.register(sock.fileno(), select.EPOLLIN)

        for sock in self.sockets:
            add(sock)
        spoke = time.monotonic()
        while not self.over:
            for fd, _ in poll.poll(0.1):
                self.ended += 1
                poll.unregister(fd)
                by_fd.pop(fd).close()
            for _ in range(self.number - len(by_fd)):
                add(self.one())
            if self.drip and time.monotonic() - spoke > 1:
                spoke = time.monotonic()
                for sock in list(by_fd.values()):
                    try:
                        sock.send(self.drip)
                    except OSError:
                        pass
        for sock in by_fd.values():
            sock.close()

    def __enter__(self):
        self.sockets = [self.one() for _ in range(self.number)]
        self.thread = threading.Thread(target=self.keep)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


def tcp(port, first=b""):
    def connect():
        sock = socket.create_connection(("127.0.0.1", port), 5)
        if first:
            sock.sendall(first)
        return sock
    return connect


def ask(port, path, context=None, headers=None):
    """Status of one GET on a connection of its own."""
    make = http.client.HTTPSConnection if context else http.client.HTTPConnection
    client = make("127.0.0.1", port, timeout=30, **({"context": context} if context else {}))
    try:
        client.request("GET", path, headers=headers or {})
        answer = client.getresponse()
        answer.read()
        return answer.status
    finally:
        client.close()


def scrape(name, rounds, one):
    took, failed = [], []
    for i in range(rounds):
        began = time.monotonic()
        try:
            status = one(PATHS[i % len(PATHS)])
        except (OSError, http.client.HTTPException) as error:
            status = repr(error)
        took.append(time.monotonic() - began)
        if status != 200:
            failed.append(status)
        time.sleep(0.01)
    p = lib.percentiles(took)
    print(f"{name:46} {len(took) - len(failed)} of {len(took)} answered   median {p[0.5] * 1000:6.1f} ms   "
          f"99 % {p[0.99] * 1000:6.1f} ms   worst {max(took) * 1000:6.1f} ms", flush=True)
    assert not failed, failed


def many_at_once(name, number, one):
    """Each on a thread's own connection; the statuses."""
    with concurrent.futures.ThreadPoolExecutor(min(number, 200)) as pool:
        statuses = collections.Counter(pool.map(lambda _: one(), range(number)))
    print(f"{name:46} {dict(statuses)}", flush=True)
    return statuses


def plain(where):
    rounds = count(200, 30)
    with lib.Agent(where, CONFIG) as agent:
        def one(path):
            return ask(agent.port, path)
        scrape("nobody else", rounds, one)
        half = b"GET /metrics HTTP/1.1\r\nHost: t"
        body = b"POST /api/v1/query HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n"
        for number in (60, 100, 1000) if FULL else (100,):
            with Crowd(number, tcp(agent.port, half), b"x"):
                scrape(f"header drip, {number}", rounds, one)
        for number in (100, 300, 1000) if FULL else (200,):
            with Crowd(number, tcp(agent.port)):
                scrape(f"idle, {number}", rounds, one)
        for number in (70, 300, 1000) if FULL else (100,):
            with Crowd(number, tcp(agent.port, body), b"x"):
                scrape(f"body drip, {number}", rounds, one)
        kept = http.client.HTTPConnection("127.0.0.1", agent.port)
        kept.request("GET", "/-/healthy")
        kept.getresponse().read()
        mine = kept.sock.getsockname()
        kept.request("GET", "/metrics")
        kept.getresponse().read()
        assert kept.sock.getsockname() == mine, "the connection did not stay"
        with Crowd(200, lambda: connect_unix(str(agent.admin))):
            for _ in range(count(20, 5)):
                out = lib.fettle("reload", f"--admin.socket={agent.admin}")
                assert out.returncode == 0, out
            print(f"{'admin socket, 200 silent':46} all commands answered", flush=True)
        number = count(2000, 300)
        assert many_at_once(f"complete requests, {number} at once", number, lambda: one("/-/healthy")) == {200: number}
        burst = [tcp(agent.port, b"GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")() for _ in range(number)]
        answers = collections.Counter(read_all(sock)[:15] for sock in burst)
        print(f"{f'connections with a request each, {number}':46} {dict(answers)}", flush=True)
        assert answers == {b"HTTP/1.1 200 OK": number}
        metrics = lib.get(f"{agent.url}/metrics")
        assert "\nfettle_http_connections " in metrics and 'fettle_http_refused_total{reason="deadline"}' in metrics
        began = time.monotonic()
        with Crowd(100, tcp(agent.port, half), b"x"):
            agent.stop()
        print(f"stopped among 100 clients in {time.monotonic() - began:.1f} s", flush=True)


def connect_unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(path)
    return sock


def read_all(sock):
    with sock:
        got = b""
        while part := sock.recv(65536):
            got += part
        return got


def certificates(where, openssl):
    def run(*words):
        subprocess.run([openssl, *words], check=True, capture_output=True, cwd=where)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=shop CA")
    (where / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt",
            "-days", "2", "-extfile", "names")


def with_tls(where):
    certificates(where, lib.need("openssl"))
    (where / "web.yml").write_text("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ca.crt\n"
                                   "  client_auth_type: RequireAndVerifyClientCert\n")
    context = ssl.create_default_context(cafile=str(where / "ca.crt"))
    context.load_cert_chain(where / "client.crt", where / "client.key")
    agent = lib.Agent(where, CONFIG, f"--web.config.file={where / 'web.yml'}")
    agent.ready = lambda: agent.child.poll() is None and ask(agent.port, "/-/ready", context) == 200
    hello = ssl.MemoryBIO()
    talk = context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
    try:
        talk.do_handshake()
    except ssl.SSLWantReadError:
        pass
    half = hello.read()[:100]
    rounds = count(200, 20)
    with agent:
        def one(path):
            return ask(agent.port, path, context)
        # Links in messages lead here, and the log says what a stranger may do.
        assert re.search(r'msg="fettle is ready".* url=https://\S+ listen=\S+ login="asked for"', agent.text()), agent.text()
        scrape("TLS, nobody else", rounds, one)
        for number in (150, 1000) if FULL else (150,):
            with Crowd(number, tcp(agent.port, half)):
                scrape(f"TLS, half a hello, {number}", rounds, one)
            with Crowd(number, tcp(agent.port)):
                scrape(f"TLS, silent, {number}", rounds, one)


def with_passwords(where):
    (where / "web.yml").write_text(f"basic_auth_users:\n  alice: {HASH}\n")

    def login(password):
        return {"Authorization": "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()}
    agent = lib.Agent(where, CONFIG, f"--web.config.file={where / 'web.yml'}")
    good = login("wonderland")
    agent.ready = lambda: agent.child.poll() is None and ask(agent.port, "/-/ready", headers=good) == 200
    with agent:
        over = threading.Event()
        seen = collections.Counter()

        def guess(who):
            tries = 0
            while not over.is_set():
                tries += 1
                seen[ask(agent.port, "/metrics", headers=login(f"{who} {tries}"))] += 1
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            guessers = [pool.submit(guess, i) for i in range(40)]
            scrape("passwords guessed by 40", count(300, 30), lambda path: ask(agent.port, path, headers=good))
            over.set()
            for each in guessers:
                each.result()
        print(f"{'their guesses':46} {dict(seen)}", flush=True)
        assert set(seen) <= {401, 429} and seen[401] > 0, seen
        refused = ask_text(agent.port, "/metrics", good)
        assert 'fettle_http_refused_total{reason="unauthorized"} ' in refused
        assert agent.logged("requests were refused: wrong name or password"), agent.text()


def ask_text(port, path, headers):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", path, headers=headers)
    return client.getresponse().read().decode()


def black_holes(where):
    """500 targets side by side, and beside them 100 that take connections and say nothing."""
    good, bad = count(500, 60), count(100, 40)
    hole = socket.socket()
    hole.bind(("127.0.0.1", 0))
    hole.listen(1024)
    with lib.Agent(where, "{}") as target:
        (where / "prober").mkdir()
        (where / "prober" / "blackbox.yml").write_text("modules:\n  http_2xx: {prober: http, timeout: 30s}\n")
        config = CONFIG + f"blackbox: {{config_file: {where}/prober/blackbox.yml, targets: ['http://127.0.0.1:*']}}\n"
        with lib.Agent(where / "prober", config) as agent:
            def probe(url):
                path = "/probe?" + urllib.parse.urlencode({"target": url, "module": "http_2xx"})
                client = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=60)
                client.request("GET", path)
                answer = client.getresponse()
                return answer.status, "\nprobe_success 1\n" in answer.read().decode()
            waiting = [tcp(agent.port, f"GET /probe?target=http://127.0.0.1:{hole.getsockname()[1]}/{i} HTTP/1.1\r\nHost: t\r\n\r\n".encode())()
                       for i in range(bad)]
            began = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(good) as pool:
                answers = collections.Counter(pool.map(lambda i: probe(f"http://127.0.0.1:{target.port}/-/healthy?{i}"), range(good)))
            print(f"{f'/probe of {good} beside {bad} black holes':46} {dict(answers)} in {time.monotonic() - began:.1f} s", flush=True)
            assert answers == {(200, True): good}, answers
            for sock in waiting:
                sock.close()
    hole.close()


for name, what in (("plain", plain), ("tls", with_tls), ("passwords", with_passwords), ("black_holes", black_holes)):
    with lib.folder() as folder:
        what(folder)
