#!/usr/bin/env python3
"""An agent whose descriptors are used up blames itself: no service goes down, no alert fires and no plan starts, though
all that is down would be restarted at the first failure. Once it has descriptors again it sees what is really gone.
"""
import http.server
import resource
import socket
import threading
import time

import lib

STARVED_RUNS = 6  # of each probe, at least
RULE = """\
groups:
  - name: services
    rules:
      - {alert: ServiceDown, expr: fettle_service_up == 0}
      - {alert: ProbeFailed, expr: 'min_over_time(probe_success[1m]) == 0'}
      - {alert: NothingMeasured, expr: 'probe_success{service="http"} unless on (service) probe_http_status_code'}
"""
PLAN = """recovery: {{when: {{alert: ServiceDown}}, mode: enforce, guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}},
      budget: {{attempts: 5, backoff: {{initial: 100ms, factor: 1, jitter: 0}}}},
      steps: [{{do: {{command: {{argv: [/usr/bin/touch, {where}/acted-{name}]}}}}, timeout: 5s}}]}}"""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # the agent resets what it is done with


def failures(agent, name, reason):
    found = agent.query(f'fettle_probe_failures_total{{service="{name}",reason="{reason}"}}')
    return sum(float(series["value"][1]) for series in found)


with lib.folder() as where, lib.Process(where, "sleeper", ["sleep", "600"]) as sleeper:
    server = Server(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    (where / "child.pid").write_text(f"{sleeper.child.pid}\n")
    (where / "rules.yml").write_text(RULE)
    (where / "dump").write_text("x")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(where / "s"))
    listening.listen(64)
    probes = {
        "http": f"type: http, url: 'http://127.0.0.1:{port}/'",
        "name": f"type: http, url: 'http://localhost:{port}/', body_limit: 10",
        "tcp": f"type: tcp, host: 127.0.0.1, port: {port}",
        "socket": f"type: unix, path: {where}/s",
        "process": f"type: process, pidfile: {where}/child.pid",
        "sleeper": "type: process, process_name: sleep",
        "exec": "type: exec, command: [/bin/true]",
        "node": "type: node, min_memory_percent: 0",
        "listener": f"type: listener, port: {port}",
        "sockets": f"type: sockets, ports: [{port}]",
        "pattern": f"type: file, path: '{where}/du*'",
    }
    config = f"global: {{interval: 300ms, timeout: 250ms, evaluation_interval: 300ms}}\nrule_files: [{where}/rules.yml]\nservices:\n"
    for name, keys in probes.items():
        # Every reason that a want could be taken for is one that acts at once.
        config += (f"  {name}:\n    probes: [{{name: look, {keys}, failure_threshold: 1, "
                   f"fatal_reasons: [process_gone, exit_code, unreachable, dns_error, refused, auth_failed]}}]\n"
                   f"    {PLAN.format(where=where, name=name)}\n")
    with lib.Agent(where, config) as agent:
        healthy = lambda: all(agent.service(name)["health"] == "up" for name in probes)
        lib.wait_for("health", healthy)
        before = {name: failures(agent, name, "agent_overloaded") for name in probes}
        limits = resource.prlimit(agent.child.pid, resource.RLIMIT_NOFILE)
        # Whatever is open stays so; nothing more can be opened.
        resource.prlimit(agent.child.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        for name in probes:
            lib.wait_for(f"{name} to be told as not looked at",
                         lambda: agent.logged("the agent cannot look, and says nothing about the service", f"service={name} "), 30)
        time.sleep(0.3 * STARVED_RUNS)
        resource.prlimit(agent.child.pid, resource.RLIMIT_NOFILE, limits)
        lib.wait_for("health again", healthy)
        after = {name: failures(agent, name, "agent_overloaded") for name in probes}
        print("runs that said nothing:", {name: int(after[name] - before[name]) for name in probes})
        assert all(after[name] > before[name] for name in probes), (before, after)
        assert not agent.logged("probe is down") and not agent.logged("alert is firing"), agent.text()
        assert not agent.logged("recovery"), agent.text()
        assert not list(where.glob("acted-*")), list(where.glob("acted-*"))

        sleeper.kill()
        server.shutdown()
        server.server_close()
        for name, reason in [("process", "process_gone"), ("tcp", "refused")]:
            lib.wait_for(f"{name} to be down", lambda: agent.service(name)["health"] == "down")
            assert agent.service(name)["probes"][0]["reason"] == reason, agent.service(name)
        lib.wait_for("the plan of the process", (where / "acted-process").exists, 30)
print("ok")
