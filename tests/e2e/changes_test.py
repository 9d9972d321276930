#!/usr/bin/env python3
"""What was changed before a fault. Real services with a configuration file each are killed. Where one's file was changed before, among
changes of another service's file and a reload of the agent, its incident names that file first, in the story, the page and the evidence;
also when it was changed while the agent was away. Where nothing was changed nothing is named. A service that crashes again and again after
a change is restarted once; then people are told which file it was."""
import pathlib
import signal
import sqlite3
import sys

import lib

SERVER = pathlib.Path(__file__).with_name("faulty_server.py")
SERVICE = """  {name}:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/", interval: 200ms, failure_threshold: 2}}]
"""


class Service:
    def __init__(self, where, name):
        self.name, self.port, self.file = name, lib.free_ports(1)[0], where / f"{name}.conf"
        self.file.write_text("workers: 4\n")
        self.process = lib.Process(where, name, [sys.executable, SERVER, self.port, where / "no-fault", f"--config={self.file}"])
        self.process.start()
        lib.wait_for(f"{name} to listen", lambda: "listens" in self.process.text())


# Its plan starts it again; it crashes again as soon as it has answered well, as its new configuration has it.
LOOP = """  loop:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/", interval: 200ms, failure_threshold: 1, success_threshold: 1}}]
    recovery:
      mode: enforce
      when: {{state: down}}
      guards: {{agent_uptime: 0s, min_uptime: 0s, cooldown: 0s}}
      budget: {{attempts: 10, backoff: {{initial: 100ms, max: 100ms}}}}
      steps:
        - do: {{command: {{argv: ["{command}"]}}}}
          verify: {{success_threshold: 1, within: 10s}}
"""


def changed(agent, service):
    """What the service's newest incident says; nothing while there is none."""
    for incident in lib.get_json(f"{agent.url}/api/v1/incidents?service={service}")["data"]["incidents"]:
        return incident["id"], incident["changed"]
    return None


def files_known(where, service):
    rows = sqlite3.connect(f"file:{where}/fettle.db?mode=ro", uri=True).execute(
        "SELECT value FROM records WHERE kind = 'evidence' AND key = ?", (f"files/{service}",)).fetchall()
    return bool(rows) and f"{service}.conf" in rows[0][0]


with lib.folder() as where:
    services = {name: Service(where, name) for name in ("calm", "noise", "order", "away")}
    hook = lib.Webhook()
    loop = Service(where, "loop")
    restarts, command = where / "restarts", where / "restart-loop"
    command.write_text(f"#!/bin/sh\necho restarted >> {restarts}\n")
    command.chmod(0o755)
    config = "services:\n" + "".join(SERVICE.format(name=s.name, port=s.port) for s in services.values())
    config += LOOP.format(port=loop.port, command=command)
    config += f"receivers: [{{name: ops, webhook_configs: [{{url: 'http://127.0.0.1:{hook.port}/'}}]}}]\n"
    config += "rule_files: [rules.yml]\n"
    (where / "rules.yml").write_text("groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0'}]}]\n")
    try:
        with lib.Agent(where, config) as agent:
            lib.wait_for("all to be up", lambda: all(agent.service(name)["health"] == "up" for name in services))
            lib.wait_for("a first look at all files", lambda: all(files_known(where, name) for name in services))

            services["calm"].process.kill()
            lib.wait_for("an incident of calm", lambda: changed(agent, "calm"))
            lib.wait_for("its evidence", lambda: agent.logged("evidence of a fault", "service=calm"))
            assert changed(agent, "calm")[1] == "", changed(agent, "calm")

            services["order"].file.write_text("workers: 0\n")
            services["noise"].file.write_text("workers: 5\n")
            agent.kill(signal.SIGHUP)
            lib.wait_for("a reload", lambda: agent.logged("something was changed", "kind=reload"))
            services["order"].process.kill()
            lib.wait_for("the change in the incident", lambda: (changed(agent, "order") or ["", ""])[1], 20, lambda: changed(agent, "order"))
            ident, text = changed(agent, "order")
            print(text)
            assert text.startswith("changed ") and text.endswith(f" s before: {services['order'].file} (configuration)"), text
            story = lib.fettle("incident", ident, f"--url={agent.url}").stdout
            assert story.count(text) >= 2, story  # at its head, and in its timeline
            assert text in lib.get(f"{agent.url}/incidents/{ident}")
            lib.wait_for("a message", lambda: any(m["incident"]["id"] == ident for m in list(hook.messages)))
            said = [m["incident"]["changed"] for m in list(hook.messages) if m["incident"]["id"] == ident]
            print(f"its first message had it in time: {said[0] == text}")
            assert set(said) <= {"", text}, said
            lib.wait_for("the evidence", lambda: "order.conf" in lib.fettle("incident", ident, "--evidence", f"--url={agent.url}").stdout)
            evidence = lib.fettle("incident", ident, "--evidence", f"--url={agent.url}").stdout
            assert "noise.conf" not in evidence, evidence

            count = lambda: len(restarts.read_text().splitlines()) if restarts.exists() else 0
            def crash():
                lib.wait_for("loop to be up", lambda: agent.service("loop")["health"] == "up")
                loop.process.kill()
            crash()
            lib.wait_for("a restart before any change", lambda: count() == 1)
            loop.process.start()
            loop.file.write_text("workers: many\n")
            lib.wait_for("the change to be seen", lambda: agent.logged("something was changed", "loop.conf"), 90)
            crash()
            lib.wait_for("a restart after the change", lambda: count() == 2)
            loop.process.start()
            crash()
            reason = lambda: lib.fettle("explain", "loop", f"--url={agent.url}").stdout
            lib.wait_for("the guard", lambda: "changed_recently" in reason().split("next", 1)[0] and "fettle ack loop" in reason(), 20, reason)
            lib.wait_for("a message about it", lambda: next((m for m in list(hook.messages) if "loop.conf" in str(m) and "fettle ack loop" in str(m)), None))
            assert count() == 2, count()
            print(lib.fettle("ack", "loop", "--comment=alice: rolled back", f"--admin.socket={where}/admin.sock").stdout)
            lib.wait_for("a restart after the ack", lambda: count() == 3)
            loop.process.start()
            lib.wait_for("loop to be up", lambda: agent.service("loop")["health"] == "up")

            agent.kill()
            services["away"].file.write_text("workers: none\n")
            agent.start()
            lib.wait_for("the change that nobody saw", lambda: agent.logged("something was changed", "away.conf"))
            services["away"].process.kill()
            lib.wait_for("the change in the incident", lambda: (changed(agent, "away") or ["", ""])[1], 20, lambda: changed(agent, "away"))
            assert "away.conf (configuration)" in changed(agent, "away")[1], changed(agent, "away")
    finally:
        for service in [*services.values(), loop]:
            service.process.stop()
    print("ok")
