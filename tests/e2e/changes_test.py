#!/usr/bin/env python3
"""What was changed before a fault. Real services with a configuration file each are killed. Where one's file was changed before, among
changes of another service's file and a reload of the agent, its incident names that file first, in the story, the page and the evidence;
also when it was changed while the agent was away. Where nothing was changed nothing is named."""
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
    config = "services:\n" + "".join(SERVICE.format(name=s.name, port=s.port) for s in services.values())
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

            agent.kill()
            services["away"].file.write_text("workers: none\n")
            agent.start()
            lib.wait_for("the change that nobody saw", lambda: agent.logged("something was changed", "away.conf"))
            services["away"].process.kill()
            lib.wait_for("the change in the incident", lambda: (changed(agent, "away") or ["", ""])[1], 20, lambda: changed(agent, "away"))
            assert "away.conf (configuration)" in changed(agent, "away")[1], changed(agent, "away")
    finally:
        for service in services.values():
            service.process.stop()
    print("ok")
