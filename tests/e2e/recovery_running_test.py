#!/usr/bin/env python3
"""The shipped alertmanager.yml in a real Alertmanager: while a recovery may still mend a fault, the agent's alert is inhibited by
RecoveryRunning; when people are to hear of it they hear of it there as well, once. The alert of a central Prometheus is the same one."""
import re
import sys

import lib

prometheus, alertmanager = lib.need("prometheus", "prometheus-alertmanager")
HOLD = sys.argv[1] if len(sys.argv) > 1 else "6s"

CONFIG = """
global: {{interval: 500ms, timeout: 300ms, evaluation_interval: 1s, node: shop}}
rule_files: [rules.yml]
services:
  order:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{order}/healthz", interval: 200ms, failure_threshold: 2}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      hold_for: {hold}
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      steps: [{{do: {{command: {{argv: [/bin/sleep, "60"]}}}}, timeout: 60s}}]
receivers: [{{name: am, alertmanager_configs: [{{urls: ["http://127.0.0.1:{am}"], resend: 5s}}]}}]
"""
RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: critical}}]}]\n"

with lib.folder() as where:
    am_port, prom_port = lib.free_ports(2)
    am, prom = f"http://127.0.0.1:{am_port}", f"http://127.0.0.1:{prom_port}"
    hook = lib.Webhook()
    shipped = (lib.TOP / "packaging/alertmanager/alertmanager.yml").read_text()
    (where / "am.yml").write_text(shipped.replace("127.0.0.1:8080", f"127.0.0.1:{hook.port}").replace("group_wait: 5s", "group_wait: 2s")
                                  .replace("group_interval: 1m", "group_interval: 1s"))
    (where / "rules.yml").write_text(RULES)
    with lib.Shop(where, "order") as order, lib.Process(where, "alertmanager", [
            alertmanager, f"--config.file={where}/am.yml", f"--storage.path={where}/am", f"--web.listen-address=127.0.0.1:{am_port}", "--cluster.listen-address="]):
        lib.wait_for("Alertmanager", lambda: lib.get(am + "/-/ready"))
        agent = lib.Agent(where, CONFIG.format(order=order.port, am=am_port, hold=HOLD))
        # The shipped configuration, with this agent's port, this Alertmanager, these rules, and shorter intervals.
        shipped = (lib.TOP / "packaging/prometheus/fettle.yml").read_text()
        shipped = shipped.replace(":10911", f":{agent.port}").replace("15s", "1s").replace("127.0.0.1:9093", f"127.0.0.1:{am_port}")
        assert "/usr/share/fettle/rules/*.yml" in shipped
        (where / "prometheus.yml").write_text(shipped.replace("/usr/share/fettle/rules/*.yml", f"{where}/rules.yml"))
        with agent, lib.Process(where, "prometheus", [prometheus, f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/tsdb",
                                                      f"--web.listen-address=127.0.0.1:{prom_port}"]):
            lib.wait_for("order to be up in Prometheus", lambda: lib.get_json(prom + "/api/v1/query?query=fettle_service_up==1")["data"]["result"])

            def alerts(name):
                return [a for a in lib.get_json(am + "/api/v2/alerts") if a["labels"]["alertname"] == name]

            order.kill()
            running = lib.wait_for("RecoveryRunning in Alertmanager", lambda: alerts("RecoveryRunning"))
            assert len(running) == 1 and running[0]["labels"]["service"] == "order", running
            held = lib.wait_for("ServiceDown to be inhibited", lambda: [a for a in alerts("ServiceDown") if a["status"]["state"] == "suppressed"])
            assert held[0]["status"]["inhibitedBy"] == [running[0]["fingerprint"]], held
            incident = lib.get_json(agent.url + "/api/v1/incidents")["data"]["incidents"][0]
            until = incident["heldUntil"]
            assert re.sub(r"\.\d+", "", running[0]["endsAt"]) == re.sub(r"\.\d+", "", until), (running, until)
            assert not [a for a in hook.alerts("firing") if a["labels"]["alertname"] == "ServiceDown"], hook.messages

            lib.wait_for("people to hear of it from Alertmanager", lambda: [a for a in hook.alerts("firing") if a["labels"]["alertname"] == "ServiceDown"], 30)
            told = next(a for a in hook.alerts("firing") if a["labels"]["alertname"] == "ServiceDown")
            assert not alerts("RecoveryRunning"), alerts("RecoveryRunning")
            assert not [a for a in hook.alerts() if a["labels"]["alertname"] == "RecoveryRunning"], hook.messages
            lib.wait_for("Prometheus to fire, too", lambda: [a for a in lib.get_json(prom + "/api/v1/alerts")["data"]["alerts"] if a["state"] == "firing"], 30)
            both = alerts("ServiceDown")
            assert len(both) == 1, f"Alertmanager did not merge the alerts of the agent and of Prometheus: {both}"
            assert told["labels"]["instance"] == f"shop:{agent.port}", told
print("inhibited while the recovery ran, told when it had not healed; the agent's alert and Prometheus' are one")
