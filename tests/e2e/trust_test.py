#!/usr/bin/env python3
"""May the recovery of a service act by itself? An agent in dry run sees a service killed and says what it would have done; then its plan is in
enforce, heals the service twice, and gives up at the third fault. In the first of these a service that depends on it is killed with it: its plan
waits for the dependency. `fettle trust` is asked before and after. The samples of the live run, exported through the API, are replayed by
`fettle recover replay`: it must decide what the agent decided."""
import collections
import json
import sys
import threading
import time
import urllib.parse

import lib

RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: page}}]}]\n"
CONFIG = """global: {{interval: 200ms, timeout: 200ms, evaluation_interval: 200ms, recovery: {{plans_at_once: 2}}}}
rule_files: [rules.yml]
services:
{services}receivers:
  - {{name: oncall, webhook_configs: [{{url: "http://127.0.0.1:{hook}/"}}]}}
"""
SERVICE = """  {name}:
    depends_on: [{depends}]
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/healthz", failure_threshold: 2}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: {mode}
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 2, within: 10m}}
      steps:
        - {{do: {{command: {{argv: ["{where}/restart-{name}"]}}}}, timeout: 5s, verify: {{success_threshold: 2, within: {within}}}}}
"""
EXPORTED = "probe_success|probe_duration_seconds|fettle_service_up|process_start_time_seconds|ALERTS"


def trust(agent, code):
    shown = lib.fettle("trust", "order", f"--url={agent.url}")
    assert shown.returncode == code, shown
    as_json = lib.fettle("trust", "order", "-o", "json", f"--url={agent.url}")
    assert as_json.returncode == code, as_json
    return shown.stdout, json.loads(as_json.stdout)["data"]


def of_weight(data, weight):
    return [f"{reason['topic']}: {reason['text']}" for reason in data["reasons"] if reason["weight"] == weight]


def runs(agent, mode, service="order"):
    """Of the plan, oldest first."""
    all_runs = lib.get_json(f"{agent.url}/api/v1/recoveries?service={service}")["data"]["recoveries"]
    return [run for run in reversed(all_runs) if run["mode"] == mode]


def dry_run(agent, shop):
    text, before = trust(agent, 1)
    print(f"before any fault:\n{text}")
    assert before["verdict"] == "wait" and before["ledger"]["since"] is None, before
    shop.kill()
    lib.wait_for("the dry run to be over", lambda: [r for r in runs(agent, "dry_run") if r["state"] == "would_run"], 30, lambda: runs(agent, "dry_run"))
    shop.start()
    data = lib.wait_for("the fault to be over", lambda: (d := trust(agent, 1)[1])["ledger"]["faults"] == 1 and d, 30)
    text = trust(agent, 1)[0]
    print(f"after a dry run:\n{text}")
    would = data["ledger"]["dryRun"]
    assert would["wouldAct"] == 1 and would["wouldActTimes"] == 1 and would["needless"] == 0, would
    assert data["ledger"]["attempts"] == 0 and data["verdict"] == "wait", data
    assert any(reason.startswith("dry_run: it would have acted 1 time in 1 fault") for reason in of_weight(data, "good")), data
    waits = of_weight(data, "wait")
    assert any("days are wanted" in each for each in waits) and any("1 fault was seen" in each for each in waits), waits
    incident = lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"][0]
    assert "restart would have been run once" in incident["dryRun"] or "would have been restarted" in incident["dryRun"], incident
    assert f"dry run: {incident['dryRun']}" in lib.fettle("incident", incident["id"], f"--url={agent.url}").stdout
    assert "May its recovery act by itself?" in lib.get(f"{agent.url}/services/order")
    assert lib.fettle("trust", "odrer", f"--url={agent.url}").returncode == 2


def enforce(agent, order, cart):
    shop = order.process
    for heals in (1, 2):
        if heals == 1:
            order.allowed.clear()  # its restart takes long
        shop.kill()
        if heals == 1:
            lib.wait_for("it to be down", lambda: agent.service("order")["health"] == "down")
            cart.process.kill()
            lib.wait_for("the plan of what depends on it to wait", lambda: agent.logged("recovery waits", "service=cart", "reason=dependencies"))
            order.allowed.set()
            lib.wait_for("what depends on it to be healed", lambda: [r for r in runs(agent, "enforce", "cart") if r["state"] == "recovered"], 40,
                         lambda: runs(agent, "enforce", "cart"))
        lib.wait_for(f"fault {heals} to be healed", lambda: sum(r["state"] == "recovered" for r in runs(agent, "enforce")) == heals, 40,
                     lambda: runs(agent, "enforce"))
        lib.wait_for("its alert to be over", lambda: not agent.alerts())
    shop.kill()
    lib.wait_for("it to give up", lambda: [r for r in runs(agent, "enforce") if r["state"] == "exhausted"], 40, lambda: runs(agent, "enforce"))
    text, data = lib.wait_for("a message to be taken", lambda: (t := trust(agent, 1)) and not any("no receiver has taken" in r for r in of_weight(t[1], "wait")) and t)
    print(f"after two cures and the end of the budget:\n{text}")
    ledger = data["ledger"]
    assert (ledger["attempts"], ledger["successes"], ledger["relapsesWithinHour"]) == (2, 2, 2), ledger
    assert ledger["healthySecondsMedian"] <= ledger["healthySecondsWorst"], ledger
    assert any(reason.startswith("guard: now closed: exhausted") for reason in of_weight(data, "wait")), data
    assert any(reason.startswith("relapse: of 2 successes") for reason in of_weight(data, "wait")), data
    assert any(reason.startswith("cure: 2 of 2 attempts made it healthy") for reason in of_weight(data, "good")), data


def exported(agent, since):
    """The samples since then as OpenMetrics."""
    span = int(time.time() - since) + 2
    query = urllib.parse.urlencode({"query": f'{{__name__=~"{EXPORTED}"}}[{span}s]'})
    families = collections.defaultdict(list)
    for series in lib.get_json(f"{agent.url}/api/v1/query?{query}")["data"]["result"]:
        name = series["metric"].pop("__name__")
        labels = ",".join(f'{key}="{value}"' for key, value in sorted(series["metric"].items()))
        families[name] += [f"{name}{{{labels}}} {value} {t:.3f}\n" for t, value in series["values"] if t >= since]
    return "".join(f"# TYPE {name} gauge\n" + "".join(lines) for name, lines in sorted(families.items())) + "# EOF\n"


class Starved(Exception):
    """The agent got no CPU for a second and did not trust what it saw: no sample says so, and a replay cannot know."""


def replayed(agent, where, since):
    for word in ("stall", "clock_jump", "agent_overloaded"):
        if agent.logged("recovery waits", f"reason={word}"):
            raise Starved(word)
    samples = where / "live.om"
    samples.write_text(exported(agent, since))
    words = ("recover", "replay", f"--openmetrics={samples}", f"--config.file={agent.config}")
    text, again = lib.fettle(*words), lib.fettle(*words)
    assert text.returncode == 0, text
    assert text.stdout == again.stdout, "two replays differ"
    print(f"the replay of the live run:\n{text.stdout}")
    decisions = json.loads(lib.fettle(*words, "-o", "json").stdout)["data"]["decisions"]
    late = []
    for service in ("order", "cart"):
        own = [each for each in decisions if each["service"] == service]
        late += compare(own, runs(agent, "enforce", service))
        held = [each["name"] for each in own if each["what"] == "held"]
        waited = [line.split("reason=")[1].split()[0] for line in agent.text().splitlines()
                  if 'msg="recovery waits"' in line and f"service={service} " in line and lib.wall(line[3:line.index(" ")]) >= since]
        assert held == waited, f"the replay of {service} was held by {held}, the agent by {waited}"
    print(f"all runs and {len(late)} actions as the agent had them; its actions began {', '.join(f'{s * 1000:.0f} ms' for s in late)} later")
    # A run of a probe is known when it ends; what the agent does then is not earlier than in the replay, but for rounding.
    assert all(s > -0.05 for s in late), late


def compare(decisions, live):
    """How much later the live actions began."""
    found, starts = collections.defaultdict(lambda: ["", 0, [], None]), []
    for each in decisions:
        if each["what"] == "begins":
            found[each["run"]][:2] = each["name"], each["attempt"]
        if each["what"] == "action":
            found[each["run"]][2].append(each["name"])
            starts.append(lib.wall(each["at"]))
        if each["what"] == "ends":
            found[each["run"]][3] = each["name"]
    found = [found[number] for number in sorted(found)]
    # One that gave up, or was dropped, has not begun.
    want = [[r["trigger"] if r["actions"] else "", r["attempt"], [a["action"] for a in r["actions"]], r["state"]] for r in live if r["state"] != "blocked"]
    assert found == want, f"the replay decided {found}, the agent {want}"
    return [lib.wall(a["started"]) - at for a, at in zip([a for r in live for a in r["actions"]], starts)]


class Supervised:
    """A process of the demo shop whose restart is a file that recovery writes, as systemd would do it."""

    def __init__(self, where, name, depends=""):
        self.name, self.depends, self.where, self.wish = name, depends, where, where / f"{name}.wish"
        self.allowed = threading.Event()
        self.allowed.set()
        (where / name).mkdir()
        self.process = lib.Shop(where / name, "inventory")
        self.process.start()
        script = where / f"restart-{name}"
        script.write_text(f"#!/bin/sh\ntouch {self.wish}\n")
        script.chmod(0o755)

    def look(self):
        if self.allowed.is_set() and self.wish.exists():
            self.wish.unlink()
            if self.process.child.poll() is not None:
                self.process.start()

    def config(self, mode, within):
        return SERVICE.format(name=self.name, depends=self.depends, port=self.process.port, where=self.where, mode=mode, within=within)


def live(where):
    (where / "rules.yml").write_text(RULES)
    hook, stop = lib.Webhook(lambda headers, body: 200), threading.Event()
    order, cart = Supervised(where, "order"), Supervised(where, "cart", "order")

    def config(mode, within):
        return CONFIG.format(services=order.config(mode, within) + cart.config(mode, within), hook=hook.port)

    def supervise():
        while not stop.wait(0.02):
            order.look()
            cart.look()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        with lib.Agent(where, config("dry_run", "500ms")) as agent:
            lib.wait_for("both to be up", lambda: all(agent.service(name)["health"] == "up" for name in ("order", "cart")))
            dry_run(agent, order.process)
            lib.wait_for("its alert to be over", lambda: not agent.alerts())
            agent.config.write_text(config("enforce", "20s"))
            reloaded = lib.fettle("reload", f"--admin.socket={agent.admin}")
            assert reloaded.returncode == 0, reloaded
            since = time.time()
            for name in ("order", "cart"):
                lib.wait_for("a run of its probe", lambda name=name: lib.wall(agent.service(name)["probes"][0]["lastRun"]) > since)
            enforce(agent, order, cart)
            replayed(agent, where, since)
    finally:
        stop.set()
        supervisor.join()
        order.process.stop()
        cart.process.stop()


for attempt in range(3):
    with lib.folder() as where:
        try:
            live(where)
            break
        except Starved as why:
            print(f"the agent was starved ({why}); once more")
else:
    print("skipped: this machine gives the agent too little CPU for a live run that a replay can follow")
    sys.exit(lib.SKIPPED)
