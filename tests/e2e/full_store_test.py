#!/usr/bin/env python3
"""An application whose label values change with every scrape, and one with more series than the store may hold: a service
that is added afterwards and is down still has its series, its alert fires and stands in ALERTS, a recording goes on; log,
page, metrics and the check of the configuration say what is refused. Rules that make more series than fit are refused what is
too much: the alert of another service is not resolved."""
import itertools
import re

import lib

CONFIG = """
global: {{interval: 200ms, timeout: 150ms, evaluation_interval: 200ms}}
storage: {{max_series: 1500}}
rule_files: [{where}/rules.yml]
services:
  exploding:
    probes: [{{name: app, type: prometheus, url: "http://127.0.0.1:{port}/churn", metrics: [request_seconds]}}]
"""
WIDE = """
  wide:
    probes: [{{name: app, type: prometheus, url: "http://127.0.0.1:{port}/wide", metrics: [queue_length], sample_limit: 5000}}]
"""
ADDED = """
  added:
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {free}}}]
"""
RULES = """
groups:
  - name: shop
    rules:
      - {record: "services:up", expr: "sum(fettle_service_up)"}
      - {alert: ServiceDown, expr: "fettle_service_up == 0"}
"""
TWO = """
global: {{interval: 200ms, timeout: 150ms, evaluation_interval: 200ms}}
storage: {{max_series: 2000}}
rule_files: [{where}/two.yml]
receivers: [{{name: ops, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{hook}/"}}]}}]
services:
  file:
    probes: [{{name: size, type: file, path: "{where}/big"}}]
"""
HALF = """
  half:
    probes: [{{name: app, type: prometheus, url: "http://127.0.0.1:{port}/half", metrics: [queue_length], sample_limit: 5000}}]
"""
TWO_RULES = """
groups:
  - name: wide
    rules:
      - {record: "queue:first", expr: "queue_length + 1"}
      - {record: "queue:second", expr: "queue_length + 2"}
      - {record: "queue:third", expr: "queue_length + 3"}
      - {record: "queue:fourth", expr: "queue_length + 4"}
      - {alert: QueueLong, expr: "queue_length > 0"}
  - name: files
    rules:
      - {alert: BigFile, expr: "probe_file_size_bytes > 100"}
      - {record: "files:size", expr: "sum(probe_file_size_bytes)"}
"""


numbers = itertools.count()


def application_page(path):
    if path == "/churn":
        return "".join(f'request_seconds{{id="{next(numbers)}"}} 1\n' for _ in range(499))
    return "".join(f'queue_length{{id="{i}"}} 1\n' for i in range(600 if path == "/half" else 3000))


application = lib.application(application_page)
with lib.folder() as where:
    (where / "rules.yml").write_text(RULES)
    config = CONFIG.format(where=where, port=application)
    with lib.Agent(where, config) as agent:
        # One that changes alone keeps to its share, and nothing is refused for it.
        lib.wait_for("series that ended to go for others", lambda: lib.metric(agent, "fettle_store_evicted_total") > 500)
        assert lib.metric(agent, 'fettle_store_refused_total{reason="limit"}') == 0
        config += WIDE.format(port=application)
        agent.config.write_text(config)
        agent.child.send_signal(lib.signal.SIGHUP)
        lib.wait_for("the store to be full", lambda: lib.metric(agent, 'fettle_store_refused_total{reason="limit"}') > 0)
        assert lib.metric(agent, "fettle_store_series") <= lib.metric(agent, "fettle_store_max_series") == 1500

        agent.config.write_text(config + ADDED.format(free=lib.free_ports(1)[0]))
        agent.child.send_signal(lib.signal.SIGHUP)
        down = lib.wait_for("the new service's health", lambda: agent.query('fettle_service_up{service="added"}'))
        assert down[0]["value"][1] == "0", down
        lib.wait_for("its alert", lambda: any(a["state"] == "firing" and a["labels"]["service"] == "added" for a in agent.alerts()))
        lib.wait_for("its alert in ALERTS", lambda: agent.query('ALERTS{alertname="ServiceDown",alertstate="firing",service="added"}'))
        lib.wait_for("the recording to count it", lambda: agent.query("services:up"))
        assert agent.query('probe_success{service="added"}'), "no series of the run"
        assert agent.query('count(probe_success)')[0]["value"][1] == "3"

        said = lib.wait_for("the log to say so", lambda: agent.logged("the store is full: new series of probes are refused"))
        assert len(said) == 1, said
        line = next(l for l in agent.text().splitlines() if "the store is full" in l)
        assert "wide/app" in line and "1500" in line, line
        lib.wait_for("the page to say so", lambda: "The store is full" in lib.get(f"{agent.url}/"))
        rules = lib.get_json(f"{agent.url}/api/v1/rules")["data"]["groups"][0]["rules"]
        assert all(rule["health"] == "ok" for rule in rules), rules
        agent.stop()
    (where / "two.yml").write_text(TWO_RULES)
    (where / "big").write_text("x" * 500)
    hook = lib.Webhook()
    two = TWO.format(where=where, hook=hook.port)
    with lib.Agent(where, two) as agent:
        lib.wait_for("people to be told", lambda: any(a["labels"]["alertname"] == "BigFile" for a in hook.alerts("firing")))
        agent.config.write_text(two + HALF.format(port=application))
        agent.child.send_signal(lib.signal.SIGHUP)

        def rules():
            groups = lib.get_json(f"{agent.url}/api/v1/rules")["data"]["groups"]
            return {rule["name"]: rule for group in groups for rule in group["rules"]}

        def refused(rule):
            found = re.match(r"the store refused (\d+) of \d+ samples of this rule", rules()[rule].get("lastError", ""))
            return int(found[1]) if found else 0

        # A fifth of the store is 400 series, for four recordings, one of which gave one to files:size; they may have more while there is room.
        recordings = ("queue:first", "queue:second", "queue:third", "queue:fourth")
        lib.wait_for("the rules to be refused what is too much", lambda: all(refused(name) > 0 for name in recordings))
        lib.wait_for("the alert too", lambda: refused("QueueLong") > 0)
        lib.wait_for("the log to say so", lambda: agent.logged("the store has no room for all series of rules: those with the most are refused more"))
        assert agent.logged("what a rule writes does not fit into the store; its alerts are what they are")
        assert not agent.logged("a rule cannot be evaluated; its alerts stay as they are")
        # What may be wrong would be so since the first of those evaluations.
        assert agent.query("probe_file_size_bytes"), "a measured series went for a rule"
        assert agent.query("count(queue_length)")[0]["value"][1] == "600"
        assert agent.query("files:size")[0]["value"][1] == "500"
        assert 399 <= int(agent.query('count({__name__=~"queue:.*"})')[0]["value"][1]) <= 2000 - 600 - 200
        assert agent.query('ALERTS{alertname="BigFile",alertstate="firing"}')
        assert rules()["BigFile"]["health"] == "ok" and len(rules()["QueueLong"]["alerts"]) == 600
        assert not [a for a in hook.alerts("resolved")], hook.alerts("resolved")
        # One recording gave way to others, and that is counted.
        lib.wait_for("what had to go", lambda: lib.metric(agent, "fettle_store_lost_total") > 0)
        assert agent.logged("living series had to go from the store, for what comes before them")
        lib.wait_for("the page to say so", lambda: "living series had to go" in lib.get(f"{agent.url}/"))
        agent.stop()
    targets = ", ".join(f'"10.{i // 250}.{i % 250}.1:80"' for i in range(10_000))
    (where / "targets.json").write_text(f'[{{"targets": [{targets}]}}]')
    (where / "many.yml").write_text("services:\n  edge:\n    file_sd_configs:\n"
                                    f"      - {{files: [{where}/targets.json], probe: {{type: http}}}}\n")
    checked = lib.fettle("check", "config", where / "many.yml")
    assert checked.returncode == 0, checked.stderr
    assert "warning: storage.max_series is 20000, and 10000 probes measure " in checked.stdout, checked.stdout
print("a full store refuses measurements, and neither health nor alerts")
