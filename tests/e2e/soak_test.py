#!/usr/bin/env python3
"""A fault each second, each of another service in turn, healed by recovery or by itself; one of two receivers does not answer now and
then. Descriptors and memory of the agent stay flat, and nothing is lost at the end. Arguments: minutes (0.2), and a seed. Below 20
minutes the figures are printed and only descriptors are judged: what is kept and bounded (the audit trail, incidents, reports) still
fills."""
import random
import statistics
import sys
import time

import lib

MINUTES = float(sys.argv[1]) if len(sys.argv) > 1 else 0.2
seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
print(f"seed {seed}")
rng = random.Random(seed)
SERVICES = 30

CONFIG = """
global: {interval: 500ms, timeout: 400ms, evaluation_interval: 1s, recovery: {actions_per_hour: 100000, plans_at_once: 100}}
storage: {retention: 5m}
rule_files: [rules.yml]
services:
""" + "".join(f"""  s{i}:
    probes: [{{name: file, type: file, path: "WHERE/s{i}", failure_threshold: 1, success_threshold: 1}}]
""" + (f"""    recovery:
      when: {{alert: Down}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 100000, within: 1m, backoff: {{initial: 0s, max: 0s, jitter: 0}}}}
      steps: [{{do: {{command: {{argv: [/usr/bin/touch, "WHERE/s{i}"]}}}}, timeout: 10s, verify: {{success_threshold: 1, within: 10s}}}}]
""" if i % 2 else "") for i in range(SERVICES)) + """
receivers:
  - {name: all, tell: all, webhook_configs: [{timeout: 2s, url: "http://127.0.0.1:PORT1/"}]}
  - {name: some, tell: healed, webhook_configs: [{timeout: 2s, url: "http://127.0.0.1:PORT2/"}]}
"""
RULES = "groups: [{name: g, rules: [{alert: Down, expr: 'fettle_service_up == 0'}]}]\n"


def sample(agent):
    status = dict(line.split(":", 1) for line in open(f"/proc/{agent.child.pid}/status") if ":" in line)
    return int(status["VmRSS"].split()[0]) / 1024, len(list((lib.pathlib.Path("/proc") / str(agent.child.pid) / "fd").iterdir()))


with lib.folder() as where:
    hooks = [lib.Webhook(lambda headers, body: 503 if rng.random() < 0.1 else 200), lib.Webhook()]
    (where / "rules.yml").write_text(RULES)
    for i in range(SERVICES):
        (where / f"s{i}").touch()
    config = CONFIG.replace("WHERE", str(where)).replace("PORT1", str(hooks[0].port)).replace("PORT2", str(hooks[1].port))
    with lib.Agent(where, config) as agent:
        lib.wait_for("all services to be up", lambda: all(agent.service(f"s{i}")["health"] == "up" for i in range(SERVICES)))
        samples, began, faults = [], time.monotonic(), 0
        while time.monotonic() - began < MINUTES * 60:
            service = faults % SERVICES
            (where / f"s{(faults - 10) % SERVICES}").touch()  # what has no plan comes back by itself
            (where / f"s{service}").unlink(missing_ok=True)
            faults += 1
            lib.get(f"{agent.url}/")  # a person looks
            time.sleep(max(0, began + faults - time.monotonic()))
            samples.append(sample(agent))
        for i in range(SERVICES):
            (where / f"s{i}").touch()
        lib.wait_for("all services to be up", lambda: all(agent.service(f"s{i}")["health"] == "up" for i in range(SERVICES)))
        lib.wait_for("the last messages", lambda: agent.waiting("all") == 0 and agent.waiting("some") == 0, 90)
        state_kib = (where / "fettle.db").stat().st_size / 1024
        quarter = max(1, len(samples) // 4)
        parts = [samples[i * quarter:(i + 1) * quarter] or samples for i in range(4)]
        memory = [statistics.median(m for m, _ in part) for part in parts]
        descriptors = [max(d for _, d in part) for part in parts]
        print(f"{faults} faults in {MINUTES:g} min: memory by quarters {', '.join(f'{m:.1f}' for m in memory)} MB, most descriptors {descriptors}, "
              f"{len(hooks[0].messages) + len(hooks[1].messages)} messages, state file {state_kib:.0f} KiB")
        assert max(descriptors) - min(d for _, d in samples) <= 20, descriptors
        assert MINUTES < 20 or memory[3] <= memory[2] * 1.03 + 0.5, memory
        assert "damaged" not in agent.text()
