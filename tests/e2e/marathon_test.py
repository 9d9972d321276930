#!/usr/bin/env python3
"""A peer that speaks Marathon's REST API and Mesos' /metrics/snapshot in the shapes of their documentation: an app is restarted
and scaled, each deployment is followed to its end, another one that holds the app is waited for."""
import contextlib
import http.server
import json
import threading

import lib

CONFIG = """
global: {{interval: 200ms, timeout: 200ms, evaluation_interval: 1s}}
services:
  mesos:
    probes: [{{name: agent, type: json, preset: mesos_agent, url: "http://127.0.0.1:{port}"}}]
  restart:
    probes: [{{name: fine, type: exec, command: [/bin/true]}}]
    recovery: {{{plan} steps: [{{do: {{marathon: {{url: "http://127.0.0.1:{port}", restart: /shop/order}}}}, timeout: 30s}}]}}
  scale:
    probes: [{{name: fine, type: exec, command: [/bin/true]}}]
    recovery: {{{plan} steps: [{{do: {{marathon: {{url: "http://127.0.0.1:{port}", scale: /shop/order, instances: 5}}}}, timeout: 30s}}]}}
"""
PLAN = """when: {alert: Never}, mode: enforce, guards: {min_uptime: 0s, cooldown: 0s, agent_uptime: 0s},
      budget: {attempts: 9, within: 15m, backoff: {initial: 100ms, factor: 1, jitter: 0}},"""


class Peer:
    """One app. A deployment is over after it has been looked at twice; one that is there from the beginning, after two tries."""

    def __init__(self):
        self.instances, self.running, self.version, self.registered = 2, 2, "2026-11-29T00:00:00.000Z", 1
        self.deployments, self.asked = {"d0": 2}, []
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(handler, status, document):
                body = json.dumps(document).encode()
                handler.send_response(status)
                handler.send_header("Content-Type", "application/json")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def do_GET(handler):
                handler.answer(*peer.read(handler.path))

            def change(handler):
                length = int(handler.headers.get("Content-Length") or 0)
                handler.answer(*peer.change(handler.command, handler.path, json.loads(handler.rfile.read(length) or b"{}")))
            do_POST = do_PUT = change

            def handle(handler):
                with contextlib.suppress(ConnectionError):  # a connection that is not used again is reset
                    super().handle()

            def log_message(handler, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port = server.server_port

    def look(self):
        """What is going on goes on a little."""
        self.deployments = {name: left - 1 for name, left in self.deployments.items() if left > 1}
        if not self.deployments:
            self.running = self.instances

    def read(self, path):
        if path == "/metrics/snapshot":
            return 200, {"slave/registered": float(self.registered), "slave/tasks_running": float(self.running), "slave/recovery_errors": 0.0}
        if path == "/v2/deployments":
            self.look()
            return 200, [{"id": name, "version": self.version, "affectedApps": ["/shop/order"], "steps": [], "currentActions": [],
                          "currentStep": 1, "totalSteps": 2} for name in self.deployments]
        if path == "/v2/apps/shop/order?embed=app.counts&embed=app.deployments":
            return 200, {"app": {"id": "/shop/order", "instances": self.instances, "version": self.version, "tasksStaged": 0, "tasksHealthy": 0,
                                 "tasksRunning": self.running, "tasksUnhealthy": 0, "deployments": [{"id": d} for d in self.deployments]}}
        return 404, {"message": f"no such path {path}"}

    def change(self, method, path, body):
        self.asked.append(f"{method} {path}")
        if (method, path) not in (("POST", "/v2/apps/shop/order/restart"), ("PUT", "/v2/apps/shop/order")):
            return 404, {"message": "App '/shop/order' does not exist"}
        if self.deployments:
            held = [{"id": name} for name in self.deployments]
            self.look()
            return 409, {"message": "App is locked by one or more deployments. Override with the option '?force=true'.", "deployments": held}
        self.instances = body.get("instances", self.instances)
        self.running, self.version = 0, f"version {len(self.asked)}"
        name = f"d{len(self.asked)}"
        self.deployments = {name: 3}
        return 200, {"version": self.version, "deploymentId": name}


def recover(agent, service):
    done = lib.fettle("recover", service, f"--admin.socket={agent.admin}")
    assert done.returncode == 0, done

    def ended():
        runs = lib.get_json(f"{agent.url}/api/v1/recoveries?service={service}")["data"]["recoveries"]
        return next((a for r in runs for a in r["actions"]), None)
    return lib.wait_for(f"the recovery of {service}", ended, 60)


with lib.folder() as where:
    peer = Peer()
    with lib.Agent(where, CONFIG.format(plan=PLAN, port=peer.port)) as agent:
        lib.wait_for("the Mesos agent to be up", lambda: agent.service("mesos")["health"] == "up")
        assert agent.query('probe_json_value{name="slave/tasks_running"} == 2'), agent.query("probe_json_value")
        action = recover(agent, "restart")
        assert action["result"] == "ok" and "2 of 2 tasks run" in action["text"], action
        assert peer.asked == ["POST /v2/apps/shop/order/restart"] * 3, peer.asked  # twice the app was held
        assert "/shop/order" in action["text"], action
        print(action["text"])
        action = recover(agent, "scale")
        assert action["result"] == "ok" and "5 of 5 tasks run" in action["text"], action
        assert "/shop/order" in action["text"], action
        print(action["text"])
        peer.registered = 0
        lib.wait_for("the Mesos agent to be down", lambda: agent.service("mesos")["health"] == "down")
