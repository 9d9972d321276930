#!/usr/bin/env python3
"""Many faults, of which the seed is printed, against recording receivers and a real Alertmanager; kill -9 of the agent in the middle of
half of them. A fault that recovery heals is no page and one note. One that it does not heal (the restart does not help, it
fails, it takes too long) is one page, with the probe's reason, at most 1 s after its deadline or as late as the agent's restart makes
it, and one end. No id comes with two bodies. Arguments: how many faults, and a seed."""
import collections
import json
import random
import selectors
import socket
import subprocess
import sys
import threading
import time

import lib

ALERTMANAGER = lib.need("prometheus-alertmanager")
FAULTS = int(sys.argv[1]) if len(sys.argv) > 1 else 16
seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
print(f"seed {seed}")
rng = random.Random(seed)
HOLD_S = 6

SERVICE = """  {name}:
    probes: [{{name: port, type: tcp, host: 127.0.0.1, port: {port}, interval: {interval}, timeout: 240ms, failure_threshold: 2, success_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      hold_for: {hold}s
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1, within: 1h}}
      steps: [{{do: {{command: {{argv: {argv}}}}}, timeout: 60s, verify: {{success_threshold: 1, within: {within}}}}}]
"""
RULES = "groups: [{name: g, interval: 1s, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: page}}]}]\n"


class Listeners:
    """Ports that are open or closed; who connects is let in and closed."""

    def __init__(self):
        self.selector, self.lock, self.open = selectors.DefaultSelector(), threading.Lock(), {}
        threading.Thread(target=self.accept, daemon=True).start()

    def listen(self, name, port=0):
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(64)
        server.setblocking(False)
        with self.lock:
            self.open[name] = server
            self.selector.register(server, selectors.EVENT_READ)
        return server.getsockname()[1]

    def close(self, name):
        with self.lock:
            server = self.open.pop(name)
            self.selector.unregister(server)
            server.close()

    def accept(self):
        while True:
            for key, _ in self.selector.select(0.1):
                try:
                    key.fileobj.accept()[0].close()
                except OSError:
                    pass  # it was closed meanwhile


class Receiver:
    def __init__(self):
        self.bodies, self.came, self.mistakes, self.lock = {}, {}, [], threading.Lock()
        self.hook = lib.Webhook(self.answer)

    def answer(self, headers, body):
        with self.lock:
            ident = headers["webhook-id"]
            if self.bodies.setdefault(ident, body) != body:
                self.mistakes.append(f"two bodies of {ident}")
            self.came.setdefault(ident, time.time())
        return 200

    def told(self):
        """By service: when what was said of it, in order, without repetitions."""
        out = collections.defaultdict(list)
        with self.lock:
            for ident, body in self.bodies.items():
                message = json.loads(body)
                out[message["incident"]["service"]].append((self.came[ident], {**message["incident"], "recoveries": message["recoveries"]}))
        return out


def late_by(page_at, incident, restarts):
    """Seconds after the deadline, without the restarts of the agent around it."""
    due = lib.wall(incident["startedAt"]) + HOLD_S
    for run in incident["recoveries"]:
        if run["endedAt"] and run["state"] != "recovered":
            due = min(due, lib.wall(run["endedAt"]))
    away = sum(ready - killed for killed, ready in restarts if ready > due - 1 and killed < page_at)
    return page_at - due, page_at - due - away


with lib.folder() as where:
    (where / "rules.yml").write_text(RULES)
    (where / "heal").mkdir()
    listeners, oncall, chat = Listeners(), Receiver(), Receiver()
    names = [f"s{i:03}" for i in range(FAULTS)]
    kinds = {name: rng.choices(["healed", "useless", "failing", "slow"], [6, 2, 1, 1])[0] for name in names}
    kinds.update(zip(names, ["healed", "useless", "failing", "slow"]))
    ports = {name: listeners.listen(name) for name in names}
    argv = {"healed": '[/usr/bin/touch, "WHERE/heal/NAME"]', "useless": "[/usr/bin/true]", "failing": "[/usr/bin/false]",
            "slow": '[/usr/bin/sleep, "50"]'}
    interval = "250ms" if FAULTS <= 50 else "1s"
    config = (f"global: {{interval: {interval}, timeout: 240ms, evaluation_interval: 1s, recovery: {{actions_per_hour: 100000, plans_at_once: 1000}}}}\n"
              "rule_files: [rules.yml]\nservices:\n")
    for name in names:
        config += SERVICE.format(name=name, port=ports[name], interval=interval, hold=HOLD_S, within="20s" if kinds[name] == "healed" else "1s",
                                 argv=argv[kinds[name]].replace("WHERE", str(where)).replace("NAME", name))
    am_port, cluster = lib.free_ports(2)
    central = lib.Webhook()
    (where / "am.yml").write_text(f"route: {{receiver: all, group_by: [service], group_wait: 0s, group_interval: 1s}}\n"
                                  f"receivers: [{{name: all, webhook_configs: [{{url: 'http://127.0.0.1:{central.port}/'}}]}}]\n")
    config += f"""receivers:
  - {{name: oncall, webhook_configs: [{{url: "http://127.0.0.1:{oncall.hook.port}/"}}]}}
  - {{name: chat, tell: healed, webhook_configs: [{{url: "http://127.0.0.1:{chat.hook.port}/"}}]}}
  - {{name: am, alertmanager_configs: [{{urls: ["http://127.0.0.1:{am_port}"]}}]}}
"""
    stop, mended = threading.Event(), set()

    def supervise():
        """Recovery asks by a file; people mend what they were paged for."""
        while not stop.wait(0.05):
            for wish in (where / "heal").iterdir():
                wish.unlink()
                if wish.name not in listeners.open:
                    listeners.listen(wish.name, ports[wish.name])
            for name, said in oncall.told().items():
                if name not in mended and any(i["news"] == "page" for _, i in said) and said[0][0] + 2 < time.time():
                    mended.add(name)
                    if name not in listeners.open:
                        listeners.listen(name, ports[name])

    threading.Thread(target=supervise, daemon=True).start()
    alertmanager = lib.Process(where, "alertmanager", [ALERTMANAGER, f"--config.file={where}/am.yml", f"--storage.path={where}/am",
                                                       f"--web.listen-address=127.0.0.1:{am_port}", f"--cluster.listen-address=127.0.0.1:{cluster}"])
    with alertmanager, lib.Agent(where, config) as agent:
        lib.wait_for("Alertmanager", lambda: lib.get(f"http://127.0.0.1:{am_port}/-/ready"))
        lib.wait_for("all services to be up",
                     lambda: all(s["health"] == "up" for s in lib.get_json(f"{agent.url}/api/v1/services")["data"]["services"]), 60)
        restarts = []
        for number, name in enumerate(rng.sample(names, len(names))):
            listeners.close(name)
            if number % 2 == 0:
                time.sleep(rng.random() * 0.3)
                continue
            time.sleep(rng.random() * 1.2)
            killed = time.time()
            agent.kill()
            agent.start()
            restarts.append((killed, time.time()))

        def news(receiver, name):
            return [i["news"] for _, i in receiver.told()[name]]

        def over():
            paged, noted = oncall.told(), chat.told()
            return all([i["news"] for _, i in noted[n]] == ["note"] or [i["news"] for _, i in paged[n]][-1:] == ["resolved"] for n in names)

        lib.wait_for("the end of each story", over, 120, lambda: str({n: (kinds[n], news(oncall, n), news(chat, n)) for n in names
                                                                     if news(chat, n) != ["note"] and news(oncall, n)[-1:] != ["resolved"]}))
        incidents = lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"]
        paged, noted = oncall.told(), chat.told()
        late, with_restarts = [], []
        for name in names:
            said, notes = [i["news"] for _, i in paged[name]], [i["news"] for _, i in noted[name]]
            unhealed = "page" in said
            if kinds[name] == "healed" and not unhealed:
                assert said == [] and notes == ["note"], (name, said, notes)
                continue
            assert said.count("page") == 1 and said[0] == "page" and said.count("resolved") == 1 and not notes, (name, kinds[name], said, notes)
            at, page = paged[name][0]
            assert page["cause"]["reason"] == "refused" and f"127.0.0.1:{ports[name]}" in page["text"], page
            whole, net = late_by(at, paged[name][-1][1], restarts)  # its end tells of all runs
            late.append(net)
            with_restarts.append(whole)
        assert max(late) <= 1, sorted(late)[-5:]
        assert len({i["id"] for i in incidents}) == len(incidents)
        assert not oncall.mistakes and not chat.mistakes, (oncall.mistakes, chat.mistakes)
        told_centrally = {a["labels"]["service"] for a in central.alerts("firing")}
        missing = [n for n in names if kinds[n] != "healed" and n not in told_centrally]
        assert not missing, missing
        lib.wait_for("no alert in Alertmanager", lambda: lib.get_json(f"http://127.0.0.1:{am_port}/api/v2/alerts?filter=alertname=ServiceDown") == [], 60)
        assert "damaged" not in agent.text()
        # One whose action a kill has cut short may still be down at its deadline, and then it is told, as it must be.
        told = [n for n in names if kinds[n] == "healed" and "page" in [i["news"] for _, i in paged[n]]]
        unexpected = [n for n in told if paged[n][0][0] < lib.wall(paged[n][0][1]["startedAt"]) + HOLD_S - 0.1]
        assert len(told) <= len(restarts) // 2, told
        counts = collections.Counter(kinds.values())
        updates = sum(i["news"] == "update" for said in paged.values() for _, i in said)
        print(f"{FAULTS} faults ({dict(counts)}), {len(restarts)} kills: {len(incidents)} incidents kept, {sum(map(len, noted.values()))} notes, "
              f"{len(late)} pages, {updates} updates; pages at most {max(late):.2f} s late, {max(with_restarts):.2f} s with the restarts; "
              f"healed ones that were paged: {unexpected}")
        assert not unexpected, unexpected
    stop.set()
