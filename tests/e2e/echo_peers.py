"""What tests of secrets share: peers that say again all that they are told, where an agent shows anything, and the search for marks."""
import http.server
import json
import socket
import threading
import time

import lib

MARK = "SEKRET"
PATHS = ["/", "/metrics", "/incidents", "/graph?g0.expr=up", "/api/v1/services", "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/runtimeinfo",
         "/api/v1/alerts", "/api/v1/rules", "/api/v1/silences", "/api/v1/targets", "/api/v1/series?match[]=%7B__name__=~%22.%2B%22%7D",
         "/api/v1/query?query=%7B__name__=~%22.%2B%22%7D", "/api/v1/recoveries", "/api/v1/incidents", "/api/v1/fleet", "/api/v1/fleet/entries",
         "/api/v1/notifications", "/api/v1/drills", "/api/v1/dr", "/api/v1/audit", "/api/v1/availability", "/api/v1/status/tsdb", "/api/v1/metadata"]


def paths_of(service):
    return [f"/explain/{service}", f"/services/{service}", f"/api/v1/services/{service}", f"/api/v1/explain/{service}", f"/badge/{service}.svg"]


class Leaks(list):
    """Outputs with a marked secret in them."""

    def look(self, where, text):
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        at = text.find(MARK)
        if at >= 0:
            self.append((where, text[max(0, at - 120):at + 20]))

    def look_at(self, agent, path):
        try:
            page = lib.get(agent.url + path, 20)
        except lib.urllib.error.HTTPError as error:
            page = error.read().decode()
        self.look(path, page)
        return page

    def judge(self):
        for what, text in self:
            print(f"{what}: …{text}…")
        assert not self, f"{len(self)} outputs have a secret in them"
        print("no output has a secret in it")


def events_of(agent):
    """What comes in five seconds, or the first 20,000 bytes, of the live updates."""
    with socket.create_connection(("127.0.0.1", agent.port)) as events:
        events.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        events.settimeout(0.5)
        said, end = b"", time.monotonic() + 5
        while time.monotonic() < end and len(said) < 20_000:
            try:
                said += events.recv(65536)
            except TimeoutError:
                pass
    return said


class Echo(http.server.BaseHTTPRequestHandler):
    """Says in status line, header and body all that it was told."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        told = {"authorization": self.headers.get("Authorization"), "path": self.path, "body": body, "all": " ".join(self.headers.values())}
        line = (self.path + " " + " ".join(self.headers.values()) + " " + body).replace("\r", " ").replace("\n", " ")[:3000]
        if self.path == "/metrics":
            content = "told{said=%s} 1\n" % json.dumps(line)
        else:
            content = json.dumps(told)
        self.send_response(403 if any(word in self.path for word in ("refuse", "services", "/v1/")) else 200, line.encode("ascii", "replace").decode())
        self.send_header("Content-Type", "text/plain" if self.path == "/metrics" else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = do_POST = do_HEAD = do_PUT = answer

    def log_message(self, *_):
        pass


def serve(listener, talk):
    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    def guarded(connection):
        with connection:
            try:
                talk(connection)
            except OSError:
                pass

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()


def echo(connection):
    while got := connection.recv(65536):
        connection.sendall(got)


def redis(connection):
    while got := connection.recv(65536):
        words = " ".join(w for w in got.decode(errors="replace").split("\r\n") if w and w[0] not in "*$")
        connection.sendall(f"-ERR you said {words}\r\n".encode())


def answer_datagrams(udp):
    while True:
        got, peer = udp.recvfrom(65536)
        udp.sendto(got, peer)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # the agent resets what it has done with
