#!/usr/bin/env python3
"""Customers who wait while /healthz is green: the probe type sockets sees requests without an answer in the kernel's table of
connections, names an accept queue that the service does not empty, and keeps quiet about kept connections, TLS, PostgreSQL and Redis."""
import contextlib
import http.client
import http.server
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import lib
import postgres_cluster

STALLED_AFTER, INTERVAL, LOAD = 2, 0.5, 6


class HalfHung:
    """A server whose /healthz answers at once, while /order waits for a lock."""

    def __init__(self):
        self.lock = threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/order":
                    owner.lock.wait()
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def probe(agent, service, name="sockets"):
    return next(p for p in agent.service(service)["probes"] if p["name"] == name)


def half_hung():
    server = HalfHung()
    config = f"""
global: {{interval: 500ms, timeout: 400ms}}
services:
  order:
    healthy_when: any
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{server.port}/healthz"}}
      - {{name: sockets, type: sockets, ports: [{server.port}], stalled_after: {STALLED_AFTER}s, failure_threshold: 1}}
"""
    with lib.folder() as where, lib.Agent(where, config) as agent:
        lib.wait_for("health", lambda: probe(agent, "order")["health"] == "up")
        # One waits on a connection that was answered before, two on fresh ones.
        clients = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(3)]
        idle = http.client.HTTPConnection("127.0.0.1", server.port)
        for connection in (clients[0], idle):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        time.sleep(0.1)  # more than a tick of the kernel's clock between its answer and its next request
        asked = time.time()
        for connection in clients:
            connection.request("GET", "/order")
        found = lib.wait_for("the verdict", lambda: agent.logged("probe is down", "probe=sockets"))[0] - asked
        late = found - STALLED_AFTER
        print(f"stalled requests are told {late:.2f} s after stalled_after; the interval is {INTERVAL} s")
        text = probe(agent, "order")["text"]
        print(text)
        assert probe(agent, "order")["reason"] == "requests_stalled", agent.service("order")
        assert text.startswith("3 of ") and f" connections to :{server.port} wait for an answer, the oldest, from 127.0.0.1:" in text, text
        assert late >= 0, late
        assert late <= 1, late
        assert probe(agent, "order", "http")["health"] == "up", agent.service("order")
        server.lock.set()
        for connection in clients:
            assert connection.getresponse().read() == b"ok"
        lib.wait_for("health again", lambda: probe(agent, "order")["health"] == "up")
        for connection in [*clients, idle]:
            connection.close()


def full_queue():
    redis = lib.need("redis-server")
    port = lib.free_ports(1)[0]
    config = f"""
global: {{interval: 500ms, timeout: 400ms}}
services:
  redis:
    probes: [{{type: sockets, ports: [{port}], stalled_after: {STALLED_AFTER}s, failure_threshold: 1}}]
"""
    words = [redis, "--port", port, "--bind", "127.0.0.1", "--save", "", "--tcp-backlog", 8]
    with lib.folder() as where, lib.Process(where, "redis", words) as server:
        lib.wait_for("redis", lambda: not socket.create_connection(("127.0.0.1", port)).close())
        with lib.Agent(where, config) as agent, contextlib.ExitStack() as clients:
            lib.wait_for("health", lambda: agent.service("redis")["health"] == "up")
            server.kill(signal.SIGSTOP)
            for _ in range(8):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
                client.sendall(b"PING\r\n")
            lib.wait_for("the full queue", lambda: probe(agent, "redis")["reason"] == "queue_saturated")
            # And those in it wait for an answer, too.
            text = lib.wait_for("the stalled requests", lambda: (lambda t: "8 are not accepted" in t and t)(probe(agent, "redis")["text"]))
            print(text)
            assert f"127.0.0.1:{port} does not accept fast enough: 8 of 9 places of its queue are taken" in text, text
            assert "8 of 8 connections to" in text and "wait for an answer" in text, text
            server.kill(signal.SIGCONT)
            lib.wait_for("health again", lambda: agent.service("redis")["health"] == "up")


def nginx_config(where, plain, tls):
    return f"""
daemon off; worker_processes 1; pid {where}/nginx.pid; error_log {where}/nginx-error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 1000000; client_body_temp_path {where}/body;
  proxy_temp_path {where}/proxy; fastcgi_temp_path {where}/fastcgi; uwsgi_temp_path {where}/uwsgi; scgi_temp_path {where}/scgi;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; ssl_certificate {where}/shop.pem; ssl_certificate_key {where}/shop.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ return 200 "fine\\n"; }}
  }}
}}
"""


def tls_client(port, version):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    client = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
    return client


def no_false_alarms():
    """Load for some seconds, and connections of all kinds that are idle for longer than stalled_after."""
    nginx, wrk, redis, openssl = lib.need("nginx", "wrk", "redis-server", "openssl")
    if postgres_cluster.BIN is None:
        print("without PostgreSQL: it is not installed")
    plain, tls, redis_port = lib.free_ports(3)
    with lib.folder() as where, contextlib.ExitStack() as running:
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=shop",
                        "-keyout", where / "shop.key", "-out", where / "shop.pem"], check=True, capture_output=True)
        (where / "nginx.conf").write_text(nginx_config(where, plain, tls))
        running.enter_context(lib.Process(where, "nginx", [nginx, "-p", where, "-c", where / "nginx.conf"]))
        running.enter_context(lib.Process(where, "redis", [redis, "--port", redis_port, "--bind", "127.0.0.1", "--save", ""]))
        services = {"shop": plain, "tls": tls, "redis": redis_port}
        if postgres_cluster.BIN is not None:
            (where / "pg").mkdir()
            where.chmod(0o755)
            cluster = running.enter_context(postgres_cluster.PostgresCluster(where / "pg", "listen_addresses = '127.0.0.1'\n", "shop"))
            services["postgres"] = cluster.port
        for port in services.values():
            lib.wait_for("a server", lambda port=port: not socket.create_connection(("127.0.0.1", port)).close())
        config = "global: {interval: 250ms, timeout: 200ms}\nservices:\n" + "".join(
            f"  {name}: {{probes: [{{type: sockets, ports: [{port}], stalled_after: 1s, failure_threshold: 1}}]}}\n"
            for name, port in services.items())
        with lib.Agent(where, config) as agent:
            lib.wait_for("health", lambda: all(agent.service(name)["health"] == "up" for name in services))
            http_idle = http.client.HTTPConnection("127.0.0.1", plain)
            http_idle.request("GET", "/")
            http_idle.getresponse().read()
            kept = [http_idle]
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                silent, asked = tls_client(tls, version), tls_client(tls, version)
                asked.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
                assert asked.recv(4096).startswith(b"HTTP/1.1 200"), "nginx does not answer"
                kept += [silent, asked]
            redis_idle = socket.create_connection(("127.0.0.1", redis_port))
            redis_idle.sendall(b"PING\r\n")
            assert redis_idle.recv(64) == b"+PONG\r\n"
            kept += [redis_idle, socket.create_connection(("127.0.0.1", redis_port))]
            load = [[wrk, "-t1", "-c20", f"-d{LOAD}s", f"http://127.0.0.1:{plain}/"],
                    [wrk, "-t1", "-c20", f"-d{LOAD}s", f"https://127.0.0.1:{tls}/"]]
            if shutil.which("redis-benchmark"):
                load.append(["redis-benchmark", "-p", redis_port, "-c", 20, "-n", 30000, "-q", "-t", "get,set"])
            sessions = []
            if "postgres" in services:
                pgbench = postgres_cluster.BIN / "pgbench"
                at = ["-h", "127.0.0.1", "-p", cluster.port, "-U", "shop"]
                subprocess.run([*map(str, [pgbench, "-i", "-q", *at, "postgres"])], check=True, capture_output=True)
                load.append([pgbench, "-c", 8, "-T", LOAD, "-n", *at, "postgres"])
                session = subprocess.Popen(list(map(str, ["psql", *at, "-qAt", "postgres"])), stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
                session.stdin.write("select 1;\n")
                session.stdin.flush()
                assert session.stdout.readline() == "1\n"
                sessions.append(session)
            workers = [subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for words in load]
            for worker in workers:
                assert worker.wait(120) == 0, worker.args
            lib.wait_for("looks at connections that have long been idle",
                         lambda: all(float(series["value"][1]) >= 12 for series in agent.query("count_over_time(probe_sockets_stalled[1m])")))
            for name in services:
                (stalled,) = agent.query(f'max_over_time(probe_sockets_stalled{{service="{name}"}}[10m])')
                (looks,) = agent.query(f'count_over_time(probe_sockets_stalled{{service="{name}"}}[10m])')
                print(f"{name}: {looks['value'][1]} looks, at most {stalled['value'][1]} stalled; {probe(agent, name)['text']}")
                assert stalled["value"][1] == "0", (name, agent.text())
            assert not agent.logged("probe is down"), agent.text()
            for session in sessions:
                session.communicate("\\q\n", timeout=10)
            for connection in kept:
                connection.close()


def documented():
    """The example of packaging/doc/probes.md."""
    section = (lib.TOP / "packaging/doc/probes.md").read_text().split("## Real connections\n")[1].split("\n## ")[0]
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", section, re.M | re.S)
    with lib.folder() as where:
        (where / "fettle.yml").write_text(example)
        checked = lib.fettle("check", "config", where / "fettle.yml")
        assert checked.returncode == 0, checked


documented()
half_hung()
full_queue()
no_false_alarms()
print("ok")
