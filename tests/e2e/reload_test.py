#!/usr/bin/env python3
"""A configuration with ten mistakes is answered with ten located messages; a reload with it leaves the old one running. Counters
come with what is configured, at 0, and go with it."""
import os
import signal

import lib

GOOD = """
global: {interval: 1s, timeout: 500ms}
services:
  order:
    probes: [{name: self, type: exec, command: [/bin/true]}]
"""

TEN = """
global: {interval: 5, tmeout: 2s}
promql_compat: 4
services:
  order:
    depends_on: [rediss]
    probes:
      - {name: http, type: htpp, url: "http://127.0.0.1:1/"}
      - {name: a, type: tcp, host: 127.0.0.1, port: 1, interval: 1s, timeout: 2s}
      - {name: a, type: tcp, host: 127.0.0.1, port: 1}
      - {name: b, type: http, url: "http://127.0.0.1:1/", failure_threshold: many}
    recovery:
      when: {alert: ServiceDown}
      mode: enforced
      steps: []
  redis: {}
receivers:
  - {name: ops, webhok_configs: [{url: "http://127.0.0.1:1/"}]}
"""


MORE = GOOD + """    fleet: {group: shops}
fleet: {peers: {urls: ["http://127.0.0.1:1", "http://127.0.0.1:2"]}}
receivers: [{name: ops, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]
"""
COMES = ['fettle_incidents_total{end="healed",service="order"}', 'fettle_notifications_total{receiver="ops",result="sent"}',
         'fettle_notification_requests_total{receiver="ops",result="retried",target="http://127.0.0.1:1"}',
         'fettle_notifications_dropped_total{reason="too_old",receiver="ops"}', 'fettle_rollout_events_total{event="stopped",group="shops"}']


def metric(agent, name):
    return next(float(line.split()[1]) for line in lib.get(f"{agent.url}/metrics").splitlines() if line.startswith(name + " "))


with lib.folder() as where, lib.Agent(where, GOOD) as agent:
    lib.wait_for("the first verdict", lambda: agent.service("order")["health"] == "up")
    agent.config.write_text(TEN)

    check = lib.fettle("check", "config", agent.config)
    print(check.stderr, end="")
    lines = [line for line in check.stderr.splitlines() if line]
    assert check.returncode == 1, check.returncode
    assert len(lines) >= 10, f"{len(lines)} messages"
    for line in lines:
        file, row, column, rest = line.split(":", 3)
        assert file == str(agent.config) and int(row) > 0 and int(column) > 0 and ":" in rest, line
    for hint in ("did you mean 'timeout'", "did you mean 'http'", "did you mean 'redis'", "did you mean 'webhook_configs'", "did you mean 'enforce'"):
        assert any(hint in line for line in lines), hint

    # By signal and by the admin socket: refused, said so, and the old one keeps running.
    os.kill(agent.child.pid, signal.SIGHUP)
    lib.wait_for("the metric of the failed reload", lambda: metric(agent, "fettle_config_last_reload_successful") == 0)
    reload = lib.fettle("reload", f"--admin.socket={agent.admin}")
    assert reload.returncode == 1 and "did you mean 'timeout'" in reload.stderr, reload
    assert agent.service("order")["health"] == "up"
    lib.wait_for("the mistakes on the status page", lambda: "did you mean" in lib.get(agent.url + "/"))

    agent.config.write_text(GOOD.replace("order", "payment"))
    lib.fettle("reload", f"--admin.socket={agent.admin}", check=True)
    lib.wait_for("the new service", lambda: agent.service("payment")["health"] == "up")
    assert metric(agent, "fettle_config_last_reload_successful") == 1

    agent.config.write_text(MORE)
    lib.fettle("reload", f"--admin.socket={agent.admin}", check=True)
    for counter in COMES:
        assert metric(agent, counter) == 0, counter
    agent.config.write_text(GOOD.replace("order", "payment"))
    lib.fettle("reload", f"--admin.socket={agent.admin}", check=True)
    page = lib.get(f"{agent.url}/metrics")
    assert not any(counter in page for counter in COMES), page
print("ten mistakes, ten places; the old configuration kept running")
