#!/usr/bin/env python3
"""One service is stuck in its start action: how much later does another service's recovery begin? Measured as the time from
SIGKILL to the first instruction of the recovery command, alternately with and without the stuck one; the medians must not
be 50 ms apart."""
import os
import pathlib
import signal
import statistics
import sys
import time

import lib

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
WITHIN_MS = 50

CONFIG = """
global: {{interval: 200ms, timeout: 100ms, evaluation_interval: 1s, recovery: {{actions_per_hour: 100000}}}}
rule_files: [rules.yml]
services:
  order:
    probes: [{{name: process, type: process, pidfile: "{where}/order.pid", failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1000000, within: 24h, backoff: {{initial: 0s, max: 0s, jitter: 0}}}}
      steps: [{{do: {{command: {{argv: ["{where}/start"]}}}}, timeout: 10s, verify: {{success_threshold: 1, within: 10s}}}}]
  stuck:
    probes: [{{name: exec, type: exec, command: [/usr/bin/test, -e, "{where}/well"], failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1000000, within: 24h, backoff: {{initial: 0s, max: 0s, jitter: 0}}}}
      steps: [{{do: {{command: {{argv: ["{where}/hang"], limit: 10m, grace: 0s}}}}, timeout: 10m}}]
"""
RULES = "groups: [{name: trading, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"
# The first instruction tells the time; then the service, detached, with its pidfile whole from the first moment.
START = """#!/bin/sh
date +%s%N >> {where}/began
setsid sh -c 'echo $$ > {where}/order.pid.new; mv {where}/order.pid.new {where}/order.pid; exec sleep 1000000' \\
  </dev/null >/dev/null 2>&1 &
"""
# Until somebody says that all is well.
HANG = "#!/bin/sh\necho $$ > {where}/hanging\nwhile ! test -e {where}/well; do sleep 0.05; done\nrm {where}/hanging\n"


def began(where):
    path = where / "began"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def pid(where):
    return int((where / "order.pid").read_text())


with lib.folder() as where:
    for name, text in (("start", START), ("hang", HANG)):
        (where / name).write_text(text.format(where=where))
        (where / name).chmod(0o755)
    (where / "rules.yml").write_text(RULES)
    well = where / "well"
    well.touch()
    os.system(f"{where}/start")
    lib.wait_for("the service", lambda: pid(where))
    took = {False: [], True: []}
    try:
        with lib.Agent(where, CONFIG.format(where=where)) as agent:
            for round_number in range(2 * ROUNDS):
                stuck = round_number % 2 == 1
                if stuck:
                    well.unlink()
                    lib.wait_for("the other service to be stuck in its action", lambda: (where / "hanging").exists(), 60)
                lib.wait_for("the service to be healthy", lambda: agent.service("order")["health"] == "up", 60)
                lib.wait_for("its last recovery to be over", lambda: not [
                    r for r in lib.get_json(agent.url + "/api/v1/recoveries")["data"]["recoveries"]
                    if r["service"] == "order" and r["state"] not in ("recovered", "aborted")], 60)
                time.sleep(0.3)
                before = len(began(where))
                killed = time.time_ns()
                os.kill(pid(where), signal.SIGKILL)
                lib.wait_for("the recovery", lambda: len(began(where)) > before, 60)
                took[stuck].append((began(where)[before] - killed) / 1e6)
                lib.wait_for("the service to live", lambda: pathlib.Path(f"/proc/{pid(where)}").exists(), 60)
                if stuck:
                    well.touch()
                    lib.wait_for("the other service's action to end", lambda: not (where / "hanging").exists(), 60)
                    lib.wait_for("the other service", lambda: agent.service("stuck")["health"] == "up", 60)
    finally:
        well.touch()
        os.kill(pid(where), signal.SIGKILL)
    alone, beside = (statistics.median(took[stuck]) for stuck in (False, True))
    print(f"SIGKILL to first instruction of the recovery, medians of {ROUNDS}: {alone:.1f} ms alone, {beside:.1f} ms while "
          f"another service is stuck in its action; {beside - alone:+.1f} ms")
    assert beside - alone < WITHIN_MS, took
