#!/usr/bin/env python3
"""One rule file, two evaluators, one Alertmanager: Prometheus scrapes the agent and loads rules/ unchanged, both post the
same alert, Alertmanager has it once, and it is resolved when the service is back. promtool finds nothing to say."""
import glob
import json
import subprocess

import lib

prometheus, alertmanager, promtool, amtool = lib.need("prometheus", "prometheus-alertmanager", "promtool", "amtool")

CONFIG = """
global: {{interval: 500ms, timeout: 300ms, evaluation_interval: 1s, node: node1, instance: "127.0.0.1:{agent}"}}
rule_files: ["{top}/rules/*.yml"]
services:
  order:
    labels: {{tier: trading}}
    depends_on: [payment]
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{order}/healthz", failure_threshold: 2}}
      - {{name: tcp, type: tcp, host: 127.0.0.1, port: {order}, failure_threshold: 2}}
      - {{name: process, type: process, pidfile: "{where}/order.pid", failure_threshold: 2}}
      - {{name: exec, type: exec, command: [/bin/echo, "fine | load=0.5"]}}
    recovery: {{when: {{alert: ServiceDown}}, steps: [{{do: {{command: {{argv: [/bin/true]}}}}}}]}}
  payment:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{payment}/healthz", failure_threshold: 2}}]
receivers:
  - {{name: am, alertmanager_configs: [{{urls: ["http://127.0.0.1:{am}"]}}]}}
"""
SCRAPE = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{top}/rules/*.yml"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{am}"]}}]}}]}}
scrape_configs:
  - job_name: fettle
    honor_labels: true
    static_configs: [{{targets: ["127.0.0.1:{agent}"]}}]
"""
ROUTE = "route: {receiver: none, group_wait: 0s, group_interval: 1s}\nreceivers: [{name: none}]\n"


def firing(url):
    alerts = lib.get_json(url + "/api/v1/alerts")["data"]["alerts"]
    return sorted(json.dumps(a["labels"], sort_keys=True) for a in alerts if a["state"] == "firing")


with lib.folder() as where:
    am_port, prom_port, am_cluster = lib.free_ports(3)
    (where / "am.yml").write_text(ROUTE)
    with lib.Shop(where, "order") as order, lib.Shop(where, "payment") as payment, \
            lib.Process(where, "alertmanager", [alertmanager, f"--config.file={where}/am.yml", f"--storage.path={where}/am",
                                                f"--web.listen-address=127.0.0.1:{am_port}", "--cluster.listen-address="]):
        am = f"http://127.0.0.1:{am_port}"
        lib.wait_for("Alertmanager", lambda: lib.get(am + "/-/ready"))
        agent = lib.Agent(where, "")
        agent.config.write_text(CONFIG.format(top=lib.TOP, agent=agent.port, where=where, order=order.port, payment=payment.port, am=am_port))
        (where / "prometheus.yml").write_text(SCRAPE.format(top=lib.TOP, agent=agent.port, am=am_port))
        prom = f"http://127.0.0.1:{prom_port}"
        with agent, lib.Process(where, "prometheus", [prometheus, f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/tsdb",
                                                      f"--web.listen-address=127.0.0.1:{prom_port}"]):
            lib.wait_for("the first scrape", lambda: lib.get_json(prom + '/api/v1/query?query=up%7Bjob="fettle"%7D==1')["data"]["result"])

            page = lib.get(agent.url + "/metrics")
            lint = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True)
            assert lint.returncode == 0 and not lint.stdout + lint.stderr, lint
            own = lib.fettle("check", "metrics", input=page)
            assert own.returncode == 0, own
            rules = subprocess.run([promtool, "check", "rules", *glob.glob(f"{lib.TOP}/rules/*.yml")], capture_output=True, text=True)
            assert rules.returncode == 0 and "SUCCESS" in rules.stdout, rules

            # Series are the same in both stores: labels and value.
            mine = {json.dumps(r["metric"], sort_keys=True): r["value"][1] for r in agent.query("fettle_service_up")}
            theirs = lib.wait_for("the same series in Prometheus", lambda: {
                json.dumps(r["metric"], sort_keys=True): r["value"][1]
                for r in lib.get_json(prom + "/api/v1/query?query=fettle_service_up")["data"]["result"]})
            assert mine == theirs, (mine, theirs)

            order.kill()
            lib.wait_for("both evaluators to fire", lambda: firing(agent.url) and firing(agent.url) == firing(prom), 60)
            print("firing in both:", *firing(agent.url), sep="\n  ")

            def in_alertmanager():
                return [a for a in lib.get_json(am + "/api/v2/alerts") if a["labels"]["alertname"] == "ServiceDown"]

            alerts = lib.wait_for("the alert in Alertmanager", in_alertmanager)
            assert len(alerts) == 1, f"Alertmanager did not merge the two: {alerts}"
            assert alerts[0]["labels"]["service"] == "order", alerts

            order.start()
            lib.wait_for("resolved in Alertmanager", lambda: not in_alertmanager(), 60)
            lib.wait_for("resolved in both", lambda: not firing(agent.url) and not firing(prom), 60)
print("one rule file, two evaluators, one alert")
