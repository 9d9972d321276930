#!/usr/bin/env python3
"""A service that is stopped (SIGSTOP) answers nothing: probes see it within interval × threshold, and recovery heals it."""
import signal
import time

import lib

INTERVAL, THRESHOLD, TIMEOUT = 0.5, 3, 0.3

CONFIG = """
global: {{interval: 500ms, timeout: 300ms, evaluation_interval: 1s}}
rule_files: [rules.yml]
services:
  order:
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{port}/healthz", failure_threshold: 3, fast_interval: 500ms}}
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      steps:
        - {{do: {{command: {{argv: [/bin/kill, "-CONT", "{pid}"]}}}}, timeout: 5s, verify: {{success_threshold: 2, within: 10s}}}}
"""
RULES = "groups: [{name: trading, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"

with lib.folder() as where, lib.Shop(where, "order") as order:
    (where / "rules.yml").write_text(RULES)
    with lib.Agent(where, CONFIG.format(port=order.port, pid=order.child.pid)) as agent:
        lib.wait_for("health", lambda: agent.service("order")["health"] == "up")
        began = time.time()
        order.kill(signal.SIGSTOP)
        # The kill -CONT comes within milliseconds of the verdict: only the log is sure to tell of it.
        seen = lib.wait_for("the verdict", lambda: agent.logged("service is down", "service=order"))[0] - began
        # The first run may start up to an interval after the stop; the last one takes its whole timeout.
        limit = INTERVAL * THRESHOLD + TIMEOUT
        print(f"hang seen after {seen:.2f} s; interval × threshold + timeout is {limit:.2f} s")
        assert seen <= limit + 0.3, seen
        lib.wait_for("recovery", lambda: agent.service("order")["health"] == "up")
        report = lib.wait_for("the report", lambda: [r for r in lib.get_json(agent.url + "/api/v1/recoveries")["data"]["recoveries"]
                                                     if r["state"] == "recovered"])
        assert report[0]["service"] == "order", report
