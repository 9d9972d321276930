#!/usr/bin/env python3
"""One fault, one story. Real services are killed. Those that recovery heals page nobody and are one note each; those that it does not
heal are one page each, with the probe's reason, and one end. The same with kill -9 of the agent in the middle: faults_test.py."""
import collections
import json
import threading

import lib

HEALED, BROKEN = 5, 3

RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: page}}]}]\n"
SERVICE = """  {name}:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/healthz", interval: 200ms, failure_threshold: 2}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1, within: 10m}}
      steps:
        - {{do: {{command: {{argv: ["{where}/restart-{name}"]}}}}, timeout: 5s, verify: {{success_threshold: 1, within: {within}}}}}
"""


class Service:
    """A process of the demo shop whose restart is a file that recovery writes and this supervisor sees, as systemd would."""

    def __init__(self, where, name, heals):
        self.name, self.heals, self.wish = name, heals, where / f"{name}.wish"
        run = where / name
        run.mkdir()
        self.process = lib.Shop(run, "inventory")
        self.process.start()
        script = where / f"restart-{name}"
        script.write_text(f"#!/bin/sh\ntouch {self.wish}\n")
        script.chmod(0o755)

    def supervise(self):
        if self.wish.exists():
            self.wish.unlink()
            if self.heals and self.process.child.poll() is not None:
                self.process.start()


class Receiver:
    def __init__(self):
        self.bodies, self.mistakes, self.lock = {}, [], threading.Lock()
        self.hook = lib.Webhook(self.answer)

    def answer(self, headers, body):
        with self.lock:
            if self.bodies.setdefault(headers["webhook-id"], body) != body:
                self.mistakes.append(f"two bodies of {headers['webhook-id']}")
        return 200

    def told(self):
        """By service: what was said of its incidents, in order, without repetitions."""
        out = collections.defaultdict(list)
        with self.lock:
            for body in self.bodies.values():
                incident = json.loads(body)["incident"]
                out[incident["service"]].append(incident)
        return out


def news(receiver, service):
    return [i["news"] for i in receiver.told()[service]]


def kill_all(agent, services, oncall, chat):
    """Kills all services; waits until each story has its end; returns what was said of each."""
    for service in services:
        service.process.kill()

    def pages():
        return all(news(oncall, s.name)[:1] == ["page"] for s in services if not s.heals)

    lib.wait_for("a page of each service that is not healed", pages, 60, lambda: f"told: {dict(oncall.told())}")
    for service in services:
        if service.process.child.poll() is not None and not service.heals:
            service.process.start()  # a person mends it

    def ends():
        return all((news(oncall, s.name)[-1:] == ["resolved"]) != (news(chat, s.name) == ["note"]) for s in services)

    lib.wait_for("the end of each story", ends, 90, lambda: f"oncall {[(s.name, news(oncall, s.name)) for s in services]}, "
                                                             f"chat {[(s.name, news(chat, s.name)) for s in services]}")
    ended = agent.incidents()
    assert all(i["end"] for i in ended), ended
    said = {s: (news(oncall, s.name), news(chat, s.name)) for s in services}
    for service, (paged, noted) in said.items():
        assert paged.count("page") + noted.count("note") == 1, f"{service.name}: {paged} {noted}"
        assert paged.count("resolved") == paged.count("page"), f"{service.name}: {paged}"
        assert service.heals or "page" in paged, f"{service.name}: {paged} {noted}"
    assert len(ended) == len(services), f"not one incident for each fault: {ended}"
    paged = sum(p.count("page") for p, _ in said.values())
    print(f"{len(services)} faults, {len(ended)} incidents, {paged} pages, {sum(len(n) for _, n in said.values())} notes, "
          f"{sum(p.count('update') for p, _ in said.values())} updates, {sum(p.count('resolved') for p, _ in said.values())} ends")
    return said


class Agent(lib.Agent):
    def incidents(self):
        return lib.get_json(f"{self.url}/api/v1/incidents")["data"]["incidents"]


with lib.folder() as where:
    (where / "rules.yml").write_text(RULES)
    oncall, chat = Receiver(), Receiver()
    services = [Service(where, f"good{i}", True) for i in range(HEALED)] + [Service(where, f"bad{i}", False) for i in range(BROKEN)]
    config = ("global: {interval: 200ms, timeout: 200ms, evaluation_interval: 200ms, recovery: {actions_per_hour: 1000, plans_at_once: 100}}\n"
              "rule_files: [rules.yml]\nservices:\n")
    config += "".join(SERVICE.format(name=s.name, port=s.process.port, where=where, within="20s" if s.heals else "1s") for s in services)
    config += f"""receivers:
  - {{name: oncall, webhook_configs: [{{url: "http://127.0.0.1:{oncall.hook.port}/"}}]}}
  - {{name: chat, tell: healed, webhook_configs: [{{url: "http://127.0.0.1:{chat.hook.port}/"}}]}}
"""
    stop = threading.Event()

    def supervise():
        while not stop.wait(0.05):
            for service in services:
                service.supervise()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        with Agent(where, config) as agent:
            lib.wait_for("all services to be up", lambda: all(agent.service(s.name)["health"] == "up" for s in services))
            said = kill_all(agent, services, oncall, chat)
            for service, (paged, noted) in said.items():
                # That the budget is used up is said with the page, unless the disk takes half a second for the end of the run.
                late = [kind for kind in paged if kind == "update"]
                want = ([], ["note"]) if service.heals else (["page", *late[:1], "resolved"], [])
                assert (paged, noted) == want, f"{service.name}: {paged} {noted}"
            for service in services:
                for incident in (chat if service.heals else oncall).told()[service.name]:
                    assert incident["cause"]["reason"] in ("refused", "reset"), incident
                    assert f"127.0.0.1:{service.process.port}" in incident["text"], incident
                    assert "restart-" + service.name in incident["text"], incident
                    assert incident["end"] in ((None, "itself") if not service.heals else ("healed",)), incident
            paged = oncall.told()["bad0"][0]["id"]

            def story():
                return lib.fettle("incident", paged, f"--url={agent.url}")

            lib.wait_for("both messages in the story", lambda: all(f"{kind} for oncall: sent" in story().stdout for kind in ("page", "resolved")),
                         10, lambda: story().stdout)
            assert story().returncode == 0
            page = lib.get(f"{agent.url}/metrics")
            assert 'fettle_incidents_total{service="good0",end="healed"} 1' in page.replace('end="healed",service="good0"', 'service="good0",end="healed"'), page
            assert not oncall.mistakes and not chat.mistakes, (oncall.mistakes, chat.mistakes)
            assert "damaged" not in agent.text()
    finally:
        stop.set()
        supervisor.join()
        for service in services:
            service.process.stop()
