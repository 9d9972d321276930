#!/usr/bin/env python3
"""A receiver that takes nothing: what it should have heard goes to its fallback, once, also when the agent is killed
meanwhile. The watchdog's alert comes again and again as a heartbeat, and to no one else. A silence and a maintenance end with the service's health."""
import lib

CONFIG = """
global: {{interval: 500ms, timeout: 300ms, evaluation_interval: 1s, node: shop}}
rule_files: [rules.yml, "{top}/rules/optional/watchdog.yml"]
services:
  order:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{order}/healthz", interval: 200ms, failure_threshold: 2}}]
route:
  receiver: ops
  routes: [{{matchers: ['alertname="Watchdog"'], receiver: heartbeat, group_wait: 0s, group_interval: 1s, repeat_interval: 500ms}}]
receivers:
  - {{name: ops, fallback: {{receiver: second, after: 3s}}, webhook_configs: [{{url: "http://127.0.0.1:{dead}/"}}]}}
  - {{name: second, webhook_configs: [{{url: "http://127.0.0.1:{second}/"}}]}}
  - {{name: heartbeat, webhook_configs: [{{url: "http://127.0.0.1:{beat}/", send_resolved: false}}]}}
"""
RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: page}}]}]\n"

with lib.folder() as where:
    (where / "rules.yml").write_text(RULES)
    dead, second, beat = lib.Webhook(lambda *_: 503), lib.Webhook(), lib.Webhook()
    with lib.Shop(where, "order") as order, lib.Agent(where, CONFIG.format(top=lib.TOP, order=order.port, dead=dead.port, second=second.port, beat=beat.port)) as agent:
        lib.wait_for("three heartbeats", lambda: len(beat.messages) >= 3, 40)
        assert all(a["labels"] == {"alertname": "Watchdog", "job": "fettle", "instance": f"shop:{agent.port}", "severity": "none"} for a in beat.alerts()), beat.alerts()

        order.kill()
        lib.wait_for("the page on the second way", lambda: second.messages, 30)
        page = second.messages[0]
        assert page["receiver"] == "second" and page["incident"]["news"] == "page" and "refused" in page["incident"]["cause"]["reason"], page
        assert agent.logged("a receiver takes no notification; its fallback is told in its place", "receiver=ops", "fallback=second"), agent.text()
        assert lib.metric(agent, 'fettle_notifications_total{receiver="ops",result="fallback"}') == 1
        incident = lib.get_json(agent.url + "/api/v1/incidents/" + page["incident"]["id"])["data"]
        assert {(n["receiver"], n["kind"]) for n in incident["notifications"]} == {("ops", "page"), ("second", "page")}, incident
        agent.kill()
        agent.start()
        beats = len(beat.messages)
        lib.wait_for("more heartbeats after the start", lambda: len(beat.messages) >= beats + 3, 40)
        assert len(second.messages) == 1, second.messages
        order.start()
        lib.wait_for("order to be up", lambda: agent.service("order")["health"] == "up")
        assert not [a for a in second.alerts() if a["labels"]["alertname"] == "Watchdog"]

        # Who changes something and then looks finds it.
        admin = f"--admin.socket={agent.admin}"
        for _ in range(5):
            assert lib.fettle("maintenance", "on", "order", "--for", "1m", "--comment", "bob", admin).returncode == 0
            assert "bob" in lib.fettle("maintenance", "list", admin).stdout
            assert lib.fettle("maintenance", "off", "order", admin).returncode == 0
            assert lib.fettle("maintenance", "list", admin).stdout == "no service is in maintenance\n"
        on = lib.fettle("maintenance", "on", "order", "--until-healthy", "5s", "--comment", "alice", f"--admin.socket={agent.admin}")
        assert on.returncode == 0 and "until it has been healthy for 5s" in on.stdout, on
        added = lib.fettle("silence", "add", "service=order", "--until-healthy", "1s", "-c", "alice", f"--admin.socket={agent.admin}")
        assert added.returncode == 0, added
        listed = lib.fettle("maintenance", "list", f"--admin.socket={agent.admin}")
        assert listed.returncode == 0 and "order" in listed.stdout and "alice, until it has been healthy for 5s" in listed.stdout, listed
        lib.wait_for("the maintenance to end", lambda: lib.fettle("maintenance", "list", f"--admin.socket={agent.admin}").stdout == "no service is in maintenance\n")
        lib.wait_for("the silence to end", lambda: lib.fettle("silence", "list", "-q", f"--admin.socket={agent.admin}").stdout == "")
print(f"told on the second way, {len(beat.messages)} heartbeats, silence and maintenance ended with the service's health")
