#!/usr/bin/env python3
"""/probe on a running agent asks nobody who is not in blackbox.targets: not by a text that only looks like a pattern, not
by a redirect, and by no other name of the host."""
import http.server
import threading
import urllib.error
import urllib.parse
import urllib.request

import lib


class Server(http.server.ThreadingHTTPServer):
    """Answers 200, or 302 to `to` if there is one; counts what it was asked."""

    def __init__(self, to=None):
        self.asked, self.to = [], to
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        self.send_response(302 if self.server.to else 200)
        if self.server.to:
            self.send_header("Location", self.server.to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(agent, target, module="http_2xx", **more):
    """The status and the body of /probe."""
    query = urllib.parse.urlencode({"module": module, "target": target, "debug": "true", **more})
    try:
        with urllib.request.urlopen(f"{agent.url}/probe?{query}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


inner = Server()
front, open_front = Server(f"http://127.0.0.1:{inner.port}/secret"), Server()
with lib.folder() as where, lib.Agent(where, f"""
blackbox:
  targets: ["http://*.shop.example*", "10.0.0.*:*", "http://127.0.0.1:{front.port}*", "http://127.0.0.1:{open_front.port}*"]
services:
  order: {{probes: [{{type: tcp, host: 127.0.0.1, port: {open_front.port}, interval: 1h}}]}}
""") as agent:
    port = inner.port
    for target in (f"http://127.0.0.1:{port}/?.shop.example", f"http://127.0.0.1:{port}/#.shop.example",
                   f"http://127.0.0.1:{port}/a/.shop.example/x", f"http://a.shop.example@127.0.0.1:{port}/",
                   f"http://2130706433:{port}/.shop.example", f"http://0177.0.0.1:{port}/.shop.example",
                   f"http://0x7f.1:{port}/.shop.example", f"http://[::ffff:127.0.0.1]:{port}/.shop.example",
                   f"http://127.0.0.1:{port}\\.shop.example/", f"http://%31%32%37.0.0.1:{port}/.shop.example",
                   f"10.0.0.1.any.name:{port}", f"10.0.0.1:x@127.0.0.1:{port}", f"127.0.0.1:{port}", "/run/docker.sock"):
        status, body = ask(agent, target)
        assert status == 403 and "is not allowed" in body, (target, status, body)

    status, body = ask(agent, f"http://127.0.0.1:{open_front.port}/")
    assert status == 200 and "probe_success 1" in body, (status, body)
    status, body = ask(agent, f"127.0.0.1:{open_front.port}", module="tcp_connect")
    assert status == 200 and "probe_success 1" in body, (status, body)

    # The redirect is seen and not followed.
    status, body = ask(agent, f"http://127.0.0.1:{front.port}/")
    assert status == 200 and "probe_success 0" in body, (status, body)
    assert f"http://127.0.0.1:{port} is not allowed" in body, body

    # Another name is one of the list's, or none.
    asked = len(open_front.asked)
    status, body = ask(agent, f"http://127.0.0.1:{open_front.port}/", hostname="admin.example")
    assert status == 403 and 'hostname "admin.example" is not allowed' in body, (status, body)
    assert len(open_front.asked) == asked
    status, body = ask(agent, f"http://127.0.0.1:{open_front.port}/", hostname="www.shop.example")
    assert status == 200 and "probe_success 1" in body, (status, body)
    assert open_front.asked[-1][1] == "www.shop.example", open_front.asked

    assert inner.asked == [], inner.asked
print("/probe: no target, redirect or name leads beyond the list")
