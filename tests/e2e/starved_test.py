#!/usr/bin/env python3
"""An agent that gets almost no CPU blames itself and not the services.

SIGSTOP takes the agent off the CPU for 350 ms at a time, with 10 ms between: what a cgroup without quota or a node in
trouble does to it. Each run is a dialogue of three lines, which the server answers after 50 ms each: 150 ms of the 400 ms
that a run has, but three turns of an agent that has one in 360 ms. Not one healthy service is called down, with a
threshold of one failure; and once the agent gets its turns again, services that are really gone are.
"""
import re
import signal
import socketserver
import threading
import time

import lib

PROBES, TIMEOUT_MS, ANSWER_AFTER, AWAY, AWAKE, STARVED_FOR = 10, 400, 0.05, 0.35, 0.01, 6


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while self.rfile.readline():
                time.sleep(ANSWER_AFTER)
                self.wfile.write(b"OK\n")
        except OSError:
            pass  # the agent resets what it is done with


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 64


def health(agent):
    return {s["name"]: s["health"] for s in lib.get_json(agent.url + "/api/v1/services")["data"]["services"]}


def failures(agent):
    found = {}
    for reason, count in re.findall(r'^fettle_probe_failures_total{[^}]*reason="(\w+)"[^}]*} (\d+)$', lib.get(agent.url + "/metrics"), re.M):
        found[reason] = found.get(reason, 0) + int(count)
    return found


with lib.folder() as where:
    server = Server(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    turns = ", ".join(['{send: "hello"}, {expect: "OK"}'] * 3)
    config = f"global: {{interval: 500ms, timeout: {TIMEOUT_MS}ms}}\nservices:\n"
    for n in range(PROBES):
        config += f"  s{n}: {{probes: [{{type: tcp, host: 127.0.0.1, port: {server.server_address[1]}, failure_threshold: 1, query_response: [{turns}]}}]}}\n"
    with lib.Agent(where, config) as agent:
        lib.wait_for("health", lambda: set(health(agent).values()) == {"up"})
        before = failures(agent)
        end = time.monotonic() + STARVED_FOR
        while time.monotonic() < end:
            agent.kill(signal.SIGSTOP)
            time.sleep(AWAY)
            agent.kill(signal.SIGCONT)
            time.sleep(AWAKE)
        found = {reason: count - before.get(reason, 0) for reason, count in failures(agent).items() if count > before.get(reason, 0)}
        print(f"failures while the agent starved, by reason: {found}")
        assert found.get("agent_overloaded", 0) > 0, "the agent did not starve: this run shows nothing"
        assert set(found) == {"agent_overloaded"}, found
        assert " is down" not in agent.text(), agent.text()
        assert set(health(agent).values()) == {"up"}
        server.shutdown()
        server.server_close()
        lib.wait_for("the verdict about services that are gone", lambda: set(health(agent).values()) == {"down"})
