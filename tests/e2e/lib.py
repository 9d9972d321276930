"""What the end-to-end tests share: real programs on free loopback ports, started here and stopped by pid."""
import collections
import contextlib
import datetime
import fcntl
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SKIPPED = 77  # what ctest counts as skipped
TOP = pathlib.Path(__file__).resolve().parents[2]
FETTLE = os.environ.get("FETTLE", str(TOP / "build/release/agent/fettle"))
SHOP = os.environ.get("FETTLE_SHOP", str(TOP / "build/release/packaging/demo/fettle-shop"))


def need(*programs):
    """Paths of programs, or the end of this test with the reason."""
    found = [shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin") for p in programs]
    for program, path in zip(programs, found):
        if path is None:
            print(f"skipped: {program} is not installed (packaging/debian-packages.txt names its package)")
            sys.exit(SKIPPED)
    return found[0] if len(found) == 1 else found


PORTS = range(20000, 32768)  # below those that the kernel gives to connections, above those that services have by default
held_ports = []              # locks, until this test ends


def free_ports(count):
    """Ports for servers that are started later. No connection of another program takes them meanwhile, and no other test does:
    each is locked by a file of its own until this test ends."""
    locks = pathlib.Path(tempfile.gettempdir()) / f"fettle-ports.{os.geteuid()}"
    locks.mkdir(exist_ok=True)
    ports = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(ports) == count:
            return ports
        lock = open(locks / str(port), "a")
        with socket.socket() as tried:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                tried.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
        held_ports.append(lock)
        ports.append(port)
    raise AssertionError(f"{count} ports are not free")


def get(url, timeout=5):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def get_json(url, timeout=5):
    return json.loads(get(url, timeout))


def fettle(*words, **options):
    """The program itself, on a command line."""
    return subprocess.run([FETTLE, *map(str, words)], capture_output=True, text=True, **options)


def wait_for(what, holds, seconds=20, state=None):
    """Asks until `holds` gives something true, and returns it. Connection errors mean: not yet. `state` says what there was
    instead."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            found = holds()
            if found:
                return found
        except (urllib.error.URLError, ConnectionError, OSError, KeyError, ValueError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for: {what}" + (f" (last: {last})" if last else "") + (f"; {state()}" if state else ""))


@contextlib.contextmanager
def folder():
    """A short folder (unix sockets lie in it) that goes when the test passes and stays, named, when it fails."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="fettle-"))
    try:
        yield path
    except BaseException:
        print(f"logs and files of this run: {path}")
        raise
    shutil.rmtree(path, ignore_errors=True)


class Process:
    """A program that runs until the with-block ends; its output lies in FOLDER/NAME.log."""

    def __init__(self, where, name, argv):
        self.name, self.argv, self.log = name, [str(a) for a in argv], where / f"{name}.log"
        self.child = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self, signal_number=signal.SIGKILL):
        self.child.send_signal(signal_number)
        if signal_number == signal.SIGKILL:
            self.child.wait()

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def text(self):
        return self.log.read_text(errors="replace")


class Agent(Process):
    def __init__(self, where, config, *flags):
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = where / "fettle.yml"
        self.config.write_text(config)
        self.admin = where / "admin.sock"
        super().__init__(where, "agent", [FETTLE, "agent", f"--config.file={self.config}", f"--web.listen-address=127.0.0.1:{self.port}",
                                          f"--storage.path={where}", f"--admin.socket={self.admin}", *flags])

    def start(self):
        super().start()
        wait_for("the agent to be ready", self.ready)

    def ready(self):
        if self.child.poll() is not None:
            sys.exit(f"the agent ended with {self.child.returncode}:\n{self.text()}")
        return get(f"{self.url}/-/ready")

    def query(self, expr):
        answer = get_json(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        return answer["data"]["result"]

    def waiting(self, receiver):
        """Messages that the receiver has not taken, as the page of metrics has it now: the store has it later."""
        page = get(f"{self.url}/metrics")
        return float(page.split(f'fettle_notifications_waiting{{receiver="{receiver}"}} ')[1].split("\n")[0])

    def service(self, name):
        services = get_json(f"{self.url}/api/v1/services")["data"]["services"]
        return next((s for s in services if s["name"] == name), {"health": "none"})

    def alerts(self):
        return get_json(f"{self.url}/api/v1/alerts")["data"]["alerts"]

    def logged(self, message, *words):
        """The times, as of time.time(), of the log's lines with this message and all of these words. What lasts some
        milliseconds only is seen here; a page that is asked every 20 ms may never show it."""
        lines = [line for line in self.text().splitlines() if f'msg="{message}"' in line and all(word in line for word in words)]
        return [datetime.datetime.fromisoformat(line[3:line.index(" ")].replace("Z", "+00:00")).timestamp() for line in lines]


class Shop(Process):
    """One process of the demo shop."""

    def __init__(self, where, role, *options):
        self.port, self.where = free_ports(1)[0], where
        super().__init__(where, role, [SHOP, role, f"--listen=127.0.0.1:{self.port}", f"--run={where}", *options])

    def start(self):
        super().start()
        wait_for(f"{self.name} to listen", lambda: get(f"http://127.0.0.1:{self.port}/healthz"))

    def tell(self, *words):
        subprocess.run([SHOP, "tell", str(self.where / f"{self.name}.ctl"), *words], check=True)


def wall(text):
    """Seconds since the epoch of a time as the agent writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def percentiles(values):
    ordered = sorted(values)
    return {q: ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.9, 0.99)}


def metric(agent, name):
    """The value of one series, written as on the page of metrics; 0 where there is none."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", get(f"{agent.url}/metrics"), re.M)
    return float(found[1]) if found else 0


def application(page):
    """The port of an application whose metrics are what page(path) says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(handler):
            body = page(handler.path).encode()
            handler.send_response(200)
            handler.send_header("Content-Type", "text/plain; version=0.0.4")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        def log_message(handler, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class ToldStory:
    """What a receiver was told of each service, and what is wrong with that: two bodies of one id, an end of what was never told,
    news that is not in order."""

    def __init__(self):
        self.bodies, self.story, self.mistakes = {}, collections.defaultdict(list), []
        self.last = {}  # of each alert, by its labels
        self.lock = threading.Lock()

    def in_order(self, last, told):
        """Of two news (status, startsAt) of one alert, in the order in which they came."""
        return told[1] >= last[1] and not (last[0] == "resolved" and told == ("firing", last[1]))

    def take(self, ident, body):
        known = self.bodies.setdefault(ident, body)
        if known != body:
            self.mistakes.append(f"two bodies of {ident}")
        if known is not body:
            return  # seen before, as Standard Webhooks has it
        for alert in json.loads(body)["alerts"]:
            labels = alert["labels"]
            told, last = (alert["status"], alert["startsAt"].rstrip("Z")), self.last.get(frozenset(labels.items()))
            if told[0] == "resolved" and not last:
                self.mistakes.append(f"resolved for what was never told: {told} of {labels}")
            if last and not self.in_order(last, told):
                self.mistakes.append(f"out of order: {told} after {last} of {labels}")
            self.last[frozenset(labels.items())] = told
            # A page of a plan that gave up is an alert beside that of the service, with a time of its own.
            if last != told and labels["alertname"] != "FettlePage":
                self.story[labels["service"]].append(told)

    def now(self, service):
        with self.lock:
            return self.story[service][-1][0] if self.story[service] else "resolved"

    def firings(self, service):
        return len({at for status, at in self.story[service] if status == "firing"})


class Webhook:
    """A receiver of notifications. `answer` is given headers and body, and gives the HTTP status, that and headers, or None
    to cut the connection; without it every message is taken. `messages` are those that were taken, each as it was read, and
    once: a message comes again, with its id, when the agent was killed before it noted that it was taken."""

    def __init__(self, answer=None, port=0):
        self.messages, self.taken = [], set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                status = answer(handler.headers, body) if answer else 200
                status, more = status if isinstance(status, tuple) else (status, {})
                ident = handler.headers["webhook-id"]
                if status == 200 and (ident is None or ident not in self.taken):
                    self.taken.add(ident)
                    self.messages.append(json.loads(body))
                if status is None:
                    handler.close_connection = True
                    return
                handler.send_response(status)
                for name, value in {"Content-Length": "0", **more}.items():
                    handler.send_header(name, value)
                handler.end_headers()

            def handle(handler):
                with contextlib.suppress(ConnectionError):  # the agent was killed
                    super().handle()

            def log_message(handler, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self, status=None):
        """The alerts of all messages, or those that fire or are resolved."""
        return [a for message in list(self.messages) for a in message["alerts"] if status in (None, a["status"])]
