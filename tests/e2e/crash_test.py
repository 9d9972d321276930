#!/usr/bin/env python3
"""kill -9 of the agent at 100 random moments while it recovers a service that keeps dying: the budget is never exceeded,
no alert is forgotten, the state opens cleanly. The recovery command writes a line per run; the budget counts those."""
import random
import sys
import time

import lib

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
ATTEMPTS, WITHIN = 5, 20.0
SLACK = 0.25  # the budget counts intents; a line is written when the action has started

CONFIG = """
global: {{interval: 100ms, timeout: 50ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
services:
  order:
    probes: [{{name: exec, type: exec, command: [/usr/bin/test, -e, "{where}/well"], failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: {attempts}, within: {within}s, backoff: {{initial: 100ms, factor: 1, max: 100ms, jitter: 0, reset_after: 1h}}}}
      steps:
        - {{do: {{command: {{argv: ["{where}/act"]}}}}, timeout: 2s, verify: {{success_threshold: 1, within: 300ms}}}}
"""
RULES = """
groups:
- name: trading
  rules:
  - {alert: ServiceDown, expr: fettle_service_up == 0}
  - {alert: ServiceDownForLong, expr: fettle_service_up == 0, for: 1h}
"""
ACT = "#!/bin/sh\ndate +%s.%N >> {where}/actions\n"


def actions(where):
    path = where / "actions"
    return [float(line) for line in path.read_text().splitlines()] if path.exists() else []


def most_in_window(times):
    return max((sum(1 for t in times if start <= t < start + WITHIN - SLACK) for start in times), default=0)


seed = random.randrange(1 << 30)
print(f"seed {seed}")
rng = random.Random(seed)
with lib.folder() as where:
    (where / "rules.yml").write_text(RULES)
    (where / "act").write_text(ACT.format(where=where))
    (where / "act").chmod(0o755)
    agent = lib.Agent(where, CONFIG.format(where=where, attempts=ATTEMPTS, within=int(WITHIN)))
    first_active = None
    with agent:
        for round_number in range(ROUNDS):
            # Within the first half second of a life: during start, probes, evaluation, commit, action, verification.
            time.sleep(rng.random() * 0.5)
            agent.kill()
            agent.start()
            if round_number % 10 == 9:
                alert = lib.wait_for("the pending alert", lambda: [a for a in agent.alerts()
                                                                   if a["labels"]["alertname"] == "ServiceDownForLong"])[0]
                first_active = first_active or alert["activeAt"]
                assert alert["activeAt"] == first_active, f"the alert was forgotten: active at {alert['activeAt']}, first at {first_active}"
        assert "damaged" not in agent.text(), "the state did not open cleanly"
        done = actions(where)
        print(f"{ROUNDS} kills, {len(done)} actions, at most {most_in_window(done)} within {WITHIN:.0f} s of {ATTEMPTS} allowed")
        assert done, "nothing was ever done: the test shows nothing"
        assert most_in_window(done) <= ATTEMPTS
