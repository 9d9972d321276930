#!/usr/bin/env python3
"""The wall clock is set under a running agent, as NTP does it to a node that came up with a wrong one: an hour back, two
hours forward, and half a second back. What was known stays known, no alert is resolved or fires for it, and a service
that dies just afterwards is seen and told as ever."""
import mmap
import os
import struct
import subprocess

import lib

STEPS_MS = (-3_600_000, 7_200_000, -500)  # each on top of those before
CONFIG = """
global: {{interval: 200ms, timeout: 150ms}}
rule_files: [rules.yml]
services:
  order: {{probes: [{{name: http, type: http, url: "http://127.0.0.1:{order}/healthz"}}]}}
  payment: {{probes: [{{name: http, type: http, url: "http://127.0.0.1:{payment}/healthz", failure_threshold: 1}}]}}
"""
# A grid of an hour: what fires was evaluated because a series changed.
RULES = "groups: [{name: trading, interval: 1h, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"


def state(agent):
    values = agent.query("fettle_service_up")
    return {s["metric"]["service"]: float(s["value"][1]) for s in values}, sorted(a["labels"]["service"] for a in agent.alerts())


with lib.folder() as where, lib.Shop(where, "order") as order, lib.Shop(where, "payment") as payment:
    (where / "rules.yml").write_text(RULES)
    library, offset = where / "set_clock.so", where / "offset"
    subprocess.run([lib.need("cc"), "-shared", "-fPIC", "-O1", "-o", library, lib.TOP / "tests/e2e/set_clock.c"], check=True)
    offset.write_bytes(struct.pack("q", 0))
    os.environ.update(LD_PRELOAD=str(library), SET_CLOCK_BY=str(offset))
    agent = lib.Agent(where, CONFIG.format(order=order.port, payment=payment.port))
    with agent, open(offset, "r+b") as file, mmap.mmap(file.fileno(), 8) as clock:
        del os.environ["LD_PRELOAD"]

        def told(alert_state):
            return len(agent.logged(f"alert is {alert_state}"))

        lib.wait_for("health", lambda: state(agent)[0] == {"order": 1, "payment": 1})
        payment.kill()
        lib.wait_for("the alert of a service that is down all the time", lambda: state(agent)[1] == ["payment"])
        for number, step in enumerate(STEPS_MS):
            fired, resolved = told("firing"), told("inactive")
            clock[:] = struct.pack("q", sum(STEPS_MS[: number + 1]))
            lib.wait_for("the step to be seen", lambda: agent.text().count("the wall clock was set") == number + 1)
            assert state(agent) == ({"order": 1, "payment": 0}, ["payment"]), state(agent)
            order.kill()
            lib.wait_for("the alert after the step", lambda: told("firing") == fired + 1)
            lib.wait_for("both alerts", lambda: state(agent) == ({"order": 0, "payment": 0}, ["order", "payment"]))
            order.start()
            lib.wait_for("its end", lambda: told("inactive") == resolved + 1)
            lib.wait_for("one alert", lambda: state(agent) == ({"order": 1, "payment": 0}, ["payment"]))
            assert float(agent.query('sum(fettle_store_refused_total{reason="out_of_order"}) or vector(0)')[0]["value"][1]) == 0
        ages = [float(s["value"][1]) for s in agent.query("time() - ALERTS_FOR_STATE{service='payment'}")]
        assert len(ages) == 1 and 0 < ages[0] < 120, ages
print("the clock was set three times; every alert came and went as ever")
