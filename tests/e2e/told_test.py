#!/usr/bin/env python3
"""kill -9 of the agent at random moments while services go up and down and two receivers answer 200, 503, nothing, or take a message
and cut the connection: what the log said is told, each end too, in order, and no id comes with two bodies. The second receiver also
refuses with 404: what it refused is replaced by what is true when something new happens, and nothing else is missing there."""
import json
import random
import sys
import time

import lib

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 25
SERVICES = [f"s{i}" for i in range(5)]

CONFIG = """
global: {interval: 100ms, timeout: 100ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
services:
""" + "".join(f"""  {s}: {{probes: [{{name: file, type: file, path: "WHERE/{s}", failure_threshold: 1}}]}}
""" for s in SERVICES) + """
receivers:
  - {name: one, tell: all, webhook_configs: [{timeout: 1s, url: "http://127.0.0.1:PORT1/"}]}
  - {name: two, tell: all, webhook_configs: [{timeout: 1s, url: "http://127.0.0.1:PORT2/"}]}
"""
RULES = "groups: [{name: g, rules: [{alert: Down, expr: 'fettle_service_up == 0'}]}]\n"

seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
print(f"seed {seed}")
rng = random.Random(seed)


class Receiver(lib.ToldStory):
    def __init__(self, answers):
        super().__init__()
        self.refused = set()  # services of the messages that were answered with 404
        self.kind = "take"
        self.hook = lib.Webhook(lambda headers, body: self.answer(headers, body, answers))

    def answer(self, headers, body, answers):
        with self.lock:
            kind = self.kind if self.kind != "any" else rng.choice(answers)
            if kind in ("take", "cut"):
                self.take(headers["webhook-id"], body)
            if kind == "404":
                self.refused.add(json.loads(body)["groupLabels"]["service"])
        if kind == "hang":
            time.sleep(1.5)
        return {"take": 200, "503": 503, "404": 404}.get(kind)


with lib.folder() as where:
    answers = ["take", "take", "503", "hang", "cut", "refuse"]
    receivers = [Receiver(answers), Receiver([*answers, "404"])]
    (where / "rules.yml").write_text(RULES)
    down = set()
    for service in SERVICES:
        (where / service).touch()
    config = CONFIG.replace("WHERE", str(where))
    for i, receiver in enumerate(receivers):
        config = config.replace(f"PORT{i + 1}", str(receiver.hook.port))
    with lib.Agent(where, config) as agent:
        for receiver in receivers:
            receiver.kind = "any"
        for _ in range(KILLS):
            for _ in range(rng.randrange(1, 4)):
                service = rng.choice(SERVICES)
                if service in down:
                    (where / service).touch()
                    down.discard(service)
                else:
                    (where / service).unlink()
                    down.add(service)
                time.sleep(rng.random() * 0.4)
            agent.kill()
            agent.start()
        for receiver in receivers:
            receiver.kind = "take"
        for service in sorted(down)[: len(down) // 2]:
            (where / service).touch()
            down.discard(service)
        logged = {s: agent.logged("alert is firing", f'service=\\"{s}\\"') for s in SERVICES}

        def missing(receiver):
            return {s: (logged[s], receiver.story[s]) for s in SERVICES if s not in receiver.refused and receiver.firings(s) < len(logged[s])}

        # What was told last may be true before everything was told: the end of a new fault looks like that of the one before.
        for name, receiver in zip(("one", "two"), receivers):
            lib.wait_for(f"receiver {name} to know what is true and all that was logged",
                         lambda: all((receiver.now(s) == "firing") == (s in down) for s in SERVICES) and not missing(receiver), 120,
                         lambda: f"logged and not told: {missing(receiver)}")
    for receiver in receivers:
        assert not receiver.mistakes, receiver.mistakes[:10]
        told = sum(receiver.firings(s) for s in SERVICES)
        print(f"{KILLS} kills: {sum(map(len, logged.values()))} firings logged, {told} told in {len(receiver.bodies)} messages, each with an id of its own")
    assert "damaged" not in agent.text()
