#!/usr/bin/env python3
"""Receivers beside each other: a real Alertmanager hears every alert and never that one ended while it fires, with an
Alertmanager beside it that takes connections and never answers; a webhook that is away during a storm of alerts is told all of
them when it is back; one that refuses is told when its secret is mended; a program that is busy at first is told all the same. The
log says each thing once."""
import contextlib
import json
import socket
import sys
import time

import lib

ALERTMANAGER = lib.need("prometheus-alertmanager")
STORM = int(sys.argv[1]) if len(sys.argv) > 1 else 1100
AWAY = float(sys.argv[2]) if len(sys.argv) > 2 else 3

CONFIG = """
global: {{interval: 1s, timeout: 500ms, evaluation_interval: 1s}}
rule_files: [rules.yml]
services:
  order: {{probes: [{{name: self, type: exec, command: [/bin/true]}}]}}
route:
  receiver: ops
  group_by: [alertname, service]
  group_wait: 0s
  group_interval: 10ms
  routes:
    - {{receiver: am, matchers: ['severity="page"'], continue: true}}
    - {{receiver: pager, matchers: ['severity="page"'], continue: true}}
    - {{receiver: ops}}
receivers:
  - {{name: am, alertmanager_configs: [{{timeout: 2s, urls: ["http://user:hidden@127.0.0.1:{good}", "http://127.0.0.1:{tarpit}"], resend: 1s}}]}}
  - {{name: ops, tell: all, webhook_configs: [{{timeout: 2s, url: "http://127.0.0.1:{hook}/hook", headers: {{Authorization: "{token}"}}}}]}}
  - {{name: pager, tell: all, exec_configs: [{{argv: [/bin/sh, -c, '{script}', {out}]}}]}}
"""
SCRIPT = 'test -e "$0" || { touch "$0"; echo busy >&2; exit 75; }; echo "$FETTLE_RECEIVER $FETTLE_STATUS" >>"$0"; cat >>"$0"'


def rules(count, firing):
    expr = "vector(1)" if firing else "vector(1) > 1"
    return "groups:\n- name: storm\n  rules:\n" + "".join(
        f"  - {{alert: A{i}, expr: '{expr}', labels: {{service: s{i}, severity: {'page' if i < 8 else 'info'}}}}}\n" for i in range(count))


status, bodies = {}, {}  # by alertname, as it was told last; by id


def take(headers, body):
    if headers["Authorization"] != "right":
        return 401
    ident = headers["webhook-id"]
    assert bodies.setdefault(ident, body) == body, f"two bodies of {ident}"
    message = json.loads(body)
    status[message["groupLabels"]["alertname"]] = message["status"]
    return 200


def told(wanted):
    return sum(1 for s in list(status.values()) if s == wanted)


def requests(agent, **labels):
    wanted = ",".join(f'{k}="{v}"' for k, v in labels.items())
    return sum(float(s["value"][1]) for s in agent.query(f"fettle_notification_requests_total{{{wanted}}}"))


with lib.folder() as where:
    tarpit = socket.socket()
    tarpit.bind(("127.0.0.1", 0))
    tarpit.listen(64)  # takes connections, says nothing
    good, hook = lib.free_ports(2)
    (where / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    (where / "rules.yml").write_text(rules(STORM, True))
    alertmanager = lib.Process(where, "alertmanager", [ALERTMANAGER, f"--config.file={where}/am.yml", f"--storage.path={where}/am",
                                                       f"--web.listen-address=127.0.0.1:{good}", "--cluster.listen-address="])
    names = dict(good=good, tarpit=tarpit.getsockname()[1], hook=hook, script=SCRIPT, out=where / "paged")
    with contextlib.ExitStack() as stack:
        stack.enter_context(alertmanager)
        lib.wait_for("Alertmanager to be ready", lambda: lib.get(f"http://127.0.0.1:{good}/-/ready"), 60)
        agent = stack.enter_context(lib.Agent(where, CONFIG.format(token="wrong", **names)))
        lib.wait_for("all alerts to fire", lambda: len([a for a in agent.alerts() if a["state"] == "firing"]) == STORM, 60)

        def active():
            return {a["labels"]["alertname"] for a in lib.get_json(f"http://127.0.0.1:{good}/api/v2/alerts?active=true")}

        paged = {f"A{i}" for i in range(8)}
        lib.wait_for("Alertmanager to have the alerts", lambda: active() == paged, 60)
        lib.wait_for("the program to have them", lambda: all(f'"alertname":"{name}"' in names["out"].read_text() for name in paged), 60)
        assert "pager firing\n" in names["out"].read_text()
        lib.wait_for("its first answer to be counted", lambda: requests(agent, receiver="pager", target="/bin/sh", result="retried") > 0)
        time.sleep(AWAY)  # the webhook is away
        assert active() == paged, "an alert ended at the good Alertmanager while it fired"

        lib.Webhook(take, hook)
        lib.wait_for("the webhook to refuse", lambda: requests(agent, receiver="ops", result="refused") > 0, 60)
        assert not status
        agent.config.write_text(CONFIG.format(token="right", **names))
        lib.fettle("reload", f"--admin.socket={agent.admin}")
        began = time.monotonic()
        lib.wait_for("every alert that fires to be told", lambda: told("firing") == STORM, 120)
        print(f"{STORM} alerts told {time.monotonic() - began:.1f} s after the reload")
        assert active() == paged, "an alert ended at the good Alertmanager while it fired"

        # Every second one ends.
        text = rules(STORM, True).splitlines(keepends=True)
        (where / "rules.yml").write_text("".join(l.replace("vector(1)'", "vector(1) > 1'") if i % 2 else l for i, l in enumerate(text)))
        lib.fettle("reload", f"--admin.socket={agent.admin}")
        left = {f"A{i}" for i in range(STORM) if not (i + 3) % 2}
        lib.wait_for("the ends to be told", lambda: {n for n, s in status.items() if s == "firing"} == left, 120)
        lib.wait_for("Alertmanager to have the ends", lambda: active() == paged & left, 60)

        assert requests(agent, receiver="am", target=f"http://127.0.0.1:{good}", result="retried") == 0
        assert requests(agent, receiver="am", target=f"http://127.0.0.1:{names['tarpit']}", result="sent") == 0
        lib.wait_for("nothing to wait for the webhook", lambda: agent.waiting("ops") == 0)
        # Once for each target, and once more where it still fails after a reload.
        for target, most in ((hook, 1), (names["tarpit"], 3)):
            lines = agent.logged("notifications do not get through; they are kept and tried again", f"target=http://127.0.0.1:{target} ")
            assert 1 <= len(lines) <= most, f"{len(lines)} lines for {target}"
        assert len(agent.logged("notifications get through again", "receiver=ops ")) == 1
        assert "hidden" not in agent.text()
