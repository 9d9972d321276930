#!/usr/bin/env python3
"""SIGTERM ends the agent whoever waits for it: runs of /probe against a target that never answers, with and without a limit
of their own, live updates and connections that say nothing. Who had asked is told 503."""
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import lib

CONFIG = """
global: {interval: 1s, timeout: 500ms}
blackbox: {targets: ["http://127.0.0.1:*"]}
services:
  order:
    probes: [{name: self, type: exec, command: [/bin/true]}]
"""
CALLERS = 12
HTTP_PATIENCE = 100  # of the callers; far beyond what the agent may take, and below what it takes if it waits for the probes


class Silent:
    """Takes connections and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.held = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            self.held.append(self.listener.accept()[0])


def ask(agent, target, headers, answers):
    url = f"{agent.url}/probe?" + urllib.parse.urlencode({"module": "http_2xx", "target": target})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=HTTP_PATIENCE) as answer:
            answers.append((answer.status, answer.read().decode()))
    except urllib.error.HTTPError as error:
        answers.append((error.code, error.read().decode()))
    except OSError as error:
        answers.append((0, str(error)))


with lib.folder() as where, lib.Agent(where, CONFIG) as agent:
    silent = Silent()
    lib.wait_for("the first verdict", lambda: agent.service("order")["health"] == "up")
    stream = socket.create_connection(("127.0.0.1", agent.port))
    stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stream.recv(100).startswith(b"HTTP/1.1 200")
    idle = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(4)]
    idle[0].sendall(b"GET /metr")

    answers = []
    callers = [threading.Thread(target=ask, daemon=True,
                                args=(agent, f"http://127.0.0.1:{silent.port}/{i}",
                                      {"X-Prometheus-Scrape-Timeout-Seconds": "60"} if i % 2 else {}, answers))
               for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    lib.wait_for("all runs to wait for their target", lambda: len(silent.held) >= CALLERS)
    assert not answers, answers

    began = time.monotonic()
    agent.kill(signal.SIGTERM)
    code = agent.child.wait(40)
    took = time.monotonic() - began
    assert code == 0, f"{code}\n{agent.text()}"
    for caller in callers:
        caller.join()
    assert len(answers) == CALLERS
    for status, text in answers:
        assert status == 503 and "the agent is stopping" in text, (status, text)
    assert not agent.admin.exists()
print(f"{CALLERS} runs of /probe under way, live updates and silent connections: ended {took:.2f} s after SIGTERM, all told 503")
