#!/usr/bin/env python3
"""Real services fail in seven ways: their process is killed, stopped, waits for a lock or for a pipe, has opened all the files it may,
accepts no more connections, or what it depends on is gone. Before the first action the agent gathers what there is to see, and names each
from that alone. The waiting is measured against an agent that gathers nothing; a crash loop keeps two pieces of evidence and no more."""
import json
import pathlib
import signal
import socket
import sqlite3
import statistics
import sys

import lib

SERVER = pathlib.Path(__file__).with_name("faulty_server.py")
KINDS = {
    "crash": "crash",
    "stop": "hang in I/O",
    "fifo": "hang in I/O",
    "lock": "hang in a lock",
    "leak": "leak",
    "queue": "full queue",
    "dependent": "dead dependency",
}
SERVICE = """  {name}:
    depends_on: [{depends}]
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/healthz?token=hunter2secret", interval: 200ms, timeout: 150ms, failure_threshold: {threshold}}}]
    recovery:
      when: {{state: down}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: {attempts}, within: 10m}}
      steps: [{{do: {{command: {{argv: ["{where}/cure-{name}"]}}}}, timeout: 5s, verify: {{success_threshold: 2, within: 5s}}}}]
"""


class Faulty:
    def __init__(self, where, name, dependency=None):
        self.where, self.name, self.port = where, name, lib.free_ports(1)[0]
        self.fault, self.wish = where / f"{name}.fault", where / f"{name}.wish"
        self.depends = dependency
        self.process = lib.Process(where, name, [sys.executable, SERVER, self.port, self.fault, *([dependency.port] if dependency else [])])
        cure = where / f"cure-{name}"
        cure.write_text(f"#!/bin/sh\ntouch {self.wish}\n")
        cure.chmod(0o755)
        self.start()

    def start(self):
        self.process.start()
        lib.wait_for(f"{self.name} to listen", lambda: "listens" in self.process.text())

    def config(self, attempts=1, threshold=2):
        return SERVICE.format(name=self.name, port=self.port, where=self.where, attempts=attempts, threshold=threshold,
                              depends=self.depends.name if self.depends else "")

    def fail(self, kind):
        if kind == "crash":
            return self.process.kill()
        if kind == "stop":
            return self.process.kill(signal.SIGSTOP)
        self.fault.write_text(kind, encoding="ascii")

    def cure(self):
        """What systemd would do: a new process."""
        self.wish.unlink()
        self.fault.unlink(missing_ok=True)
        self.process.stop()
        self.process.log.unlink()
        self.start()


def evidence_of(agent, service):
    """All that was gathered for the service, whichever incident it stands in."""
    found = []
    for incident in lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"]:
        data = lib.get_json(f"{agent.url}/api/v1/incidents/{incident['id']}/evidence")["data"]
        found += [dict(each, incident=incident["id"]) for each in data["evidence"] if each["service"] == service]
    return found


def config(services, evidence, **options):
    return f"global: {{recovery: {{actions_per_hour: 1000}}}}\nevidence: {evidence}\nservices:\n" + "".join(s.config(**options) for s in services)


def seven_kinds(where):
    services = {kind: Faulty(where, kind) for kind in KINDS if kind != "dependent"}
    database = Faulty(where, "database")
    services["dependent"] = Faulty(where, "dependent", database)
    crowd = []
    try:
        with lib.Agent(where, config([database, *services.values()], "{budget: 5s}")) as agent:
            lib.wait_for("all to be up", lambda: all(agent.service(s.name)["health"] == "up" for s in services.values()))
            for kind, service in services.items():
                (database if kind == "dependent" else service).fail("crash" if kind == "dependent" else kind)
            for _ in range(4):  # more than its backlog
                crowd.append(socket.socket())
                crowd[-1].setblocking(False)
                crowd[-1].connect_ex(("127.0.0.1", services["queue"].port))
            # The probe that set the fault off may have been answered by none; the queue is full from the next one on.
            lib.wait_for("evidence of each", lambda: all(evidence_of(agent, s.name) for s in services.values()), 60,
                         lambda: [(s.name, agent.service(s.name)["health"]) for s in services.values()])
            for kind, service in services.items():
                first = evidence_of(agent, service.name)[0]
                print(f"{kind}: {first['headline']}; gathered in {first['took'] * 1000:.0f} ms")
                assert first["kind"] == KINDS[kind], json.dumps(first, indent=1)
                assert "hunter2secret" not in json.dumps(first), first
            one = evidence_of(agent, "lock")[0]
            shown = lib.fettle("incident", one["incident"], "--evidence", f"--url={agent.url}")
            assert shown.returncode == 0 and shown.stdout.startswith("hang in a lock: "), shown
            assert "Max open files" in shown.stdout and "waits for another thread" in shown.stdout, shown.stdout
            as_json = lib.fettle("incident", one["incident"], "--evidence", "-o", "json", f"--url={agent.url}")
            assert json.loads(as_json.stdout)["data"]["evidence"][0]["kind"] == "hang in a lock", as_json.stdout
            assert "hang in a lock" in lib.get(f"{agent.url}/incidents/{one['incident']}")
            told = lib.fettle("incident", one["incident"], f"--url={agent.url}").stdout
            assert "evidence: hang in a lock" in told, told
            before = evidence_of(agent, "lock")
            agent.kill()
            agent.start()
            assert evidence_of(agent, "lock")[0] == before[0], "what was gathered does not survive the agent"
    finally:
        for each in crowd:
            each.close()
        for service in [database, *services.values()]:
            service.process.stop()


def time_to_action(where, evidence, rounds=20):
    """From the verdict to the begin of the action, in milliseconds."""
    where.mkdir()
    service = Faulty(where, "hung")
    out, gathered = [], 0
    try:
        with lib.Agent(where, config([service], evidence, attempts=100)) as agent:
            for done in range(rounds):
                lib.wait_for("it to be up", lambda: agent.service("hung")["health"] == "up")
                service.fail("stop")
                lib.wait_for("its cure", service.wish.exists, 20)
                service.cure()
                lib.wait_for("the end of the run", lambda: agent.text().count("state=recovered") > done, 20)
                down, began = agent.logged("service is down")[-1], agent.logged("recovery action started")[-1]
                before, gathered = gathered, agent.text().count("evidence of a fault")
                if gathered > before or "0s" in evidence:  # that of the last five seconds stands for some
                    out.append((began - down) * 1000)
            kept = len(evidence_of(agent, "hung"))
            incidents = len(lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"])
            assert kept <= 2 * incidents, f"{kept} pieces of evidence in {incidents} incidents"
        rows = sqlite3.connect(f"file:{where}/fettle.db?mode=ro", uri=True).execute(
            "SELECT count(*), coalesce(sum(length(value)), 0) FROM records WHERE kind = 'evidence' AND key LIKE 'fault/%'").fetchone()
        print(f"evidence {evidence}: {rows[0]} records of {rows[1]} bytes after {rounds} faults in {incidents} incidents")
        assert rows[0] <= 2 * incidents and rows[1] <= rows[0] * 2 * 1024 * 1024, rows
    finally:
        service.process.stop()
    return out


with lib.folder() as where:
    seven_kinds(where)
    without = time_to_action(where / "without", "{budget: 0s}")
    with_it = time_to_action(where / "with", "{}")
    print(f"from the verdict to the action: {statistics.median(without):.0f} ms without ({len(without)} faults), "
          f"{statistics.median(with_it):.0f} ms where evidence was gathered ({len(with_it)} faults, p50); "
          f"at most {max(without):.0f} ms and {max(with_it):.0f} ms")
    print("ok")
