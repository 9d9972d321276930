#!/usr/bin/env python3
"""The agent's HTTP API answers as the Prometheus does that scrapes it: what promtool and Grafana ask, at times of which
both have samples, body for body apart from how long things took. FETTLE names the agent.

One agent is of 2.42's kind (promql_compat: 2), as the installed Prometheus is, the other of 3.x: newer_prometheus.py has
that Prometheus, or the reason why it is left out. Series that only one of the two can have (up, scrape_…) are left out by
name."""
import contextlib
import dataclasses
import difflib
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lib  # noqa: E402
import newer_prometheus  # noqa: E402

prometheus, promtool = lib.need("prometheus", "promtool")

CONFIG = """
global: {{interval: 500ms, timeout: 300ms, evaluation_interval: 1s, node: node1, instance: "127.0.0.1:{agent}"}}
promql_compat: {compat}
rule_files: ["{rules}"]
services:
  order:
    labels: {{tier: trading}}
    depends_on: [redis]
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {open}, failure_threshold: 2}}]
  redis:
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {closed}, failure_threshold: 2}}]
"""
SCRAPE = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - {{job_name: fettle, honor_labels: true, static_configs: [{{targets: ["127.0.0.1:{agent}"]}}]}}
"""
RULES = """
groups:
  - name: services
    rules:
      - record: tier:up:sum
        expr: sum by (job) (fettle_service_up)
        labels: {tier: trading}
      - alert: Down
        expr: fettle_service_up == 0
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.service }} is at {{ $value }}"}
      - alert: DownForLong
        expr: fettle_service_up == 0
        for: 1h
        annotations: {summary: "{{ $labels.service }} for an hour"}
      - alert: Quiet
        expr: fettle_service_up > 1
  - name: wrong
    interval: 2s
    limit: 10
    rules:
      - record: many:many
        expr: fettle_service_up + on () fettle_service_up
"""
BOTH_HAVE = '{__name__=~"fettle_service.*|probe_success|tier:up:sum|ALERTS"}'
# Fields that say when or how long, or nothing; they must be there all the same.
TIMING = {"groupNextToken", "evaluationTime", "lastEvaluation", "activeAt", "evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime",
          "execQueueTime", "execTotalTime", "peakSamples"}

QUERIES = [
    "fettle_service_up", "fettle_service_info", "sum by (service) (fettle_service_up)", "probe_success == 0", "nothing",
    "absent(nothing{a=\"b\"})", "1 + 1", "-1 / 0", "0 / 0", "\"text\"", "time()", "vector(1e21)", "vector(1e-7)",
    "count({__name__=~\"fettle_service_.*\"}) by (__name__)", "topk(1, fettle_service_up)", "fettle_service_up offset 1s",
    "min_over_time(fettle_service_up[3s:1s])", "ALERTS", "tier:up:sum", "fettle_service_up @ {t}",
    "label_replace(fettle_service_up, \"a\", \"x\\\"y\\n$1\", \"service\", \"(.).*\")",
]
# How many samples each looks at is compared, too.
COUNTED = ["1", "fettle_service_up", "max_over_time(fettle_service_up[2s:1s])", "fettle_service_up @ {t}", "fettle_service_up and nothing",
           "nothing or fettle_service_up", "timestamp(fettle_service_up) * 0", "absent(fettle_service_up)", "topk(1, fettle_service_up) > 0",
           "scalar(sum(fettle_service_up))", "sum_over_time(tier:up:sum[2s:1s] @ {t})"]
WRONG = ["", "sum(", "up{", "rate(fettle_service_up)", "nofunction(1)", "fettle_service_up{a=~\"(\"}", "1 + \"a\"", "{}",
         "fettle_service_up + on () fettle_service_up", "sum(fettle_service_up) by (1a)", "foo[5m"]


def requests(t, start):
    """(method, path, parameters) of all requests; times are in seconds."""
    span = {"start": start, "end": t, "step": 1}
    for method in ("GET", "POST"):
        for query in QUERIES + WRONG:
            query = query.replace("{t}", str(t))
            yield method, "query", {"query": query, "time": t}
            yield method, "query_range", {"query": query, **span}
    for query in COUNTED:
        query = query.replace("{t}", str(t))
        yield "GET", "query", {"query": query, "time": t, "stats": "all"}
        yield "GET", "query_range", {"query": query, "stats": "true", **span}
    yield "GET", "query", {"query": "fettle_service_up[2s:1s]", "time": t, "stats": "all"}
    one = {"query": "fettle_service_up"}
    for more in ({"time": "abc"}, {"time": t, "timeout": "abc"}, {"time": "2020-01-01T00:00:00Z"}, {"time": t, "timeout": "10s"}):
        yield "GET", "query", {**one, **more}
    for more in ({}, {"start": start}, {"start": start, "end": t}, {**span, "step": 0}, {**span, "step": "-1s"}, {**span, "step": "abc"},
                 {**span, "step": "2s"}, {**span, "end": start - 1}, {**span, "start": 0}, {**span, "start": "abc"}, {**span, "end": "abc"},
                 {**span, "timeout": "abc"}):
        yield "GET", "query_range", {**one, **more}
    window = {"start": start, "end": t}
    for method in ("GET", "POST"):
        for match in (["fettle_service_up"], ["fettle_service_up", "probe_success"], ['{service="order",__name__=~"fettle_service_.*"}'],
                      ["nothing"], [BOTH_HAVE], ["{}"], ['{service=""}'], ["sum("], ["up{"], ["rate(x[1m])"]):
            yield method, "series", {"match[]": match, **window}
            yield method, "labels", {"match[]": match, **window}
    yield "GET", "series", {}
    yield "GET", "series", {"match[]": "nothing", "start": "abc"}
    yield "GET", "labels", {"end": "abc"}
    for label in ("__name__", "service", "job", "instance", "nothing"):
        yield "GET", f"label/{label}/values", {"match[]": BOTH_HAVE, **window}
    yield "GET", "label/service/values", {}
    yield "GET", "label/service/values", {"match[]": "sum("}
    yield "GET", "label/1a/values", {}
    yield "GET", "label/a-b/values", {}
    for metric in ("fettle_service_up", "fettle_probe_runs_total", "fettle_build_info", "fettle_loop_turn_seconds", "nothing"):
        yield "GET", "metadata", {"metric": metric}
    yield "GET", "metadata", {"limit": "abc"}
    yield "GET", "metadata", {"limit": 0}
    for kind in ("", "alert", "record", "none"):
        yield "GET", "rules", {"type": kind}
    for method in ("GET", "POST"):
        yield method, "query_exemplars", {"query": "fettle_service_up", **window}
    yield "GET", "query_exemplars", {"query": "sum(", **window}
    yield "GET", "alerts", {}
    for query in ("sum(a)by(b)>1", "a[5m]", "sum("):
        yield "GET", "format_query", {"query": query}


def newer_requests(t, start):
    """What 2.42 does not have."""
    for query in QUERIES + WRONG:
        yield "GET", "parse_query", {"query": query.replace("{t}", str(t))}
    for match in ('{severity="critical"}', '{tier="trading"}', '{severity=~"x"}', "sum("):
        yield "GET", "rules", {"match[]": match}
    yield "GET", "rules", {"group_limit": 1, "type": "alert"}
    yield "GET", "rules", {"group_limit": 0}
    yield "GET", "rules", {"group_limit": 1, "group_next_token": "abc"}
    yield "GET", "rules", {"group_limit": "abc"}
    yield "GET", "rules", {"group_limit": 5}
    yield "GET", "rules", {"group_next_token": "abc"}
    yield "GET", "rules", {"rule_name[]": "Down", "exclude_alerts": "true"}
    for label in ("svc.name", "U__service", "1a"):
        yield "GET", f"label/{label}/values", {}


def ask(url, method, path, parameters):
    text = urllib.parse.urlencode(parameters, doseq=True)
    request = urllib.request.Request(f"{url}/api/v1/{path}" + (f"?{text}" if method == "GET" and text else ""), method=method,
                                     data=text.encode() if method == "POST" else None)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def without_timing(value):
    if isinstance(value, dict):
        return {key: "…" if key in TIMING else without_timing(each) for key, each in value.items()}
    return [without_timing(each) for each in value] if isinstance(value, list) else value


def sort_alerts(value):
    """Prometheus walks a Go map."""
    if isinstance(value, dict):
        if isinstance(value.get("alerts"), list):
            value["alerts"].sort(key=lambda alert: json.dumps(alert, sort_keys=True))
        for each in value.values():
            sort_alerts(each)
    elif isinstance(value, list):
        for each in value:
            sort_alerts(each)


def comparable(answer, ordered=True):
    """`ordered`: 3.x gives series in the order in which it first saw them."""
    status, content_type, body = answer
    try:
        tree = without_timing(json.loads(body))
    except ValueError:
        return [f"{status} {content_type}", body]
    sort_alerts(tree)
    if not ordered:
        for owner, key in ((tree, "data"), (tree.get("data"), "result")):
            if isinstance(owner, dict) and isinstance(owner.get(key), list):
                owner[key].sort(key=lambda each: json.dumps(each, sort_keys=True))
    return [f"{status} {content_type}", *json.dumps(tree, indent=1, ensure_ascii=False, sort_keys=True).splitlines()]


def difference(theirs, ours):
    return "\n".join(difflib.unified_diff(theirs, ours, "prometheus", "fettle", lineterm="", n=1))


def compare_requests(compat, agent, prom, t, start):
    count, bad = 0, []
    for method, path, parameters in [*requests(t, start), *(newer_requests(t, start) if compat == 3 else [])]:
        count += 1
        ours, theirs = (comparable(ask(url, method, path, parameters), compat == 2) for url in (agent, prom))
        if ours != theirs:
            bad.append(f"{method} {path} {parameters}\n{difference(theirs, ours)}")
    return count, bad


def compare_promtool(promtool, agent, prom, t, start):
    span = [f"--start={start}", f"--end={t}"]
    lines = [["instant", f"--time={t}", None, query.replace("{t}", str(t))] for query in QUERIES + WRONG]
    lines += [["range", *span, "--step=1s", None, query] for query in ("fettle_service_up", "sum(fettle_service_up)", "1", "sum(", "nothing")]
    lines += [["series", f"--match={match}", *span, None] for match in ("fettle_service_up", BOTH_HAVE, "nothing", "{}")]
    lines += [["labels", f"--match={BOTH_HAVE}", *span, None, label] for label in ("service", "__name__", "nothing")]
    bad = []
    for line in lines:
        answers = []
        for url in (prom, agent):
            done = subprocess.run([promtool, "query", *(url if word is None else word for word in line)], capture_output=True, text=True)
            answers.append([str(done.returncode), *sorted(done.stdout.splitlines()), *done.stderr.replace(url, "URL").splitlines()])
        if answers[0] != answers[1]:
            bad.append(f"promtool query {line}\n{difference(*answers)}")
    return len(lines), bad


def compare_buildinfo(agent, prom):
    """Ours says more; what Grafana reads must look like Prometheus'."""
    ours, theirs = (lib.get_json(url + "/api/v1/status/buildinfo")["data"] for url in (agent, prom))
    missing = sorted(theirs.keys() - ours.keys())
    same = ours["version"].split(".")[:1] == theirs["version"].split(".")[:1]
    return 1, ([] if same and not missing else [f"status/buildinfo: {ours}, Prometheus: {theirs}"])


def metadata_of_all(agent, prom):
    """Every metric of the page that Prometheus scraped has the same type and help in both."""
    ours, theirs = (lib.get_json(url + "/api/v1/metadata")["data"] for url in (agent, prom))
    bad = [f"metadata of {name}: {ours.get(name)}, Prometheus: {theirs[name]}" for name in theirs if ours.get(name) != theirs[name]]
    return len(theirs), bad


def both_agree_on_rules(agent, prom):
    """Alerts fire, one is pending, the wrong rule has failed, in both; and a moment has passed since."""
    for url in (agent, prom):
        states = sorted(alert["state"] for alert in lib.get_json(url + "/api/v1/alerts")["data"]["alerts"])
        groups = lib.get_json(url + "/api/v1/rules")["data"]["groups"]
        healths = {rule["health"] for group in groups for rule in group["rules"]}
        if states != ["firing", "pending"] or healths != {"ok", "err"}:
            return False
    return True


FAMILY = re.compile(r"prometheus_rule_\w+")


def rule_family(url):
    """What /metrics says about rules: a line for every type, and every series without its value."""
    lines = []
    for line in lib.get(url + "/metrics").splitlines():
        if line.startswith("# TYPE ") and FAMILY.match(line.split()[2]):
            lines.append(line)
        elif FAMILY.match(line):
            lines.append(line.rsplit(" ", 1)[0])
    return sorted(lines)


# How long parts of an evaluation took; ours says how long the whole took.
PARTS = re.compile(r"prometheus_rule_group_last_(restore_duration|rule_duration_sum)_seconds")


def compare_rule_family(agent, prom):
    theirs, ours = [line for line in rule_family(prom) if not PARTS.search(line)], rule_family(agent)
    assert any("prometheus_rule_group_rules{rule_group=" in line for line in theirs), theirs
    return len(theirs), ([difference(theirs, ours)] if ours != theirs else [])


def compare_rule_counts(agent, prom):
    """What does not depend on when the two were started."""
    bad = []
    for name in ("prometheus_rule_group_rules", "prometheus_rule_group_interval_seconds", "prometheus_rule_group_last_evaluation_samples"):
        ours, theirs = (sorted(line for line in lib.get(url + "/metrics").splitlines() if line.startswith(name)) for url in (agent, prom))
        if ours != theirs:
            bad.append(difference(theirs, ours))
    return 3, bad


@dataclasses.dataclass
class Pair:
    """An agent, and the Prometheus that scrapes it."""
    compat: int
    prometheus: str
    promtool: str


def pairs():
    yield Pair(2, prometheus, promtool)
    try:
        newer = newer_prometheus.newer_prometheus(pathlib.Path(__file__).resolve().parents[2] / "build/deps/prometheus-3")
        yield Pair(3, str(newer.prometheus), str(newer.promtool))
    except newer_prometheus.NotHere as why:
        print(f"3.x is left out: {why}")


def started(stack, pair, where, listener):
    where.mkdir()
    closed, prom_port = lib.free_ports(2)
    rules = where / "rules.yml"
    rules.write_text(RULES)
    agent = lib.Agent(where, "")
    agent.config.write_text(CONFIG.format(compat=pair.compat, agent=agent.port, rules=rules, open=listener.getsockname()[1], closed=closed))
    (where / "prometheus.yml").write_text(SCRAPE.format(agent=agent.port, rules=rules))
    stack.enter_context(agent)
    stack.enter_context(lib.Process(where, "prometheus", [
        pair.prometheus, f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/tsdb", f"--web.listen-address=127.0.0.1:{prom_port}"]))
    return agent, f"http://127.0.0.1:{prom_port}"


def compare(pair, agent, prom, t, start):
    checks = [compare_requests(pair.compat, agent.url, prom, t, start), compare_promtool(pair.promtool, agent.url, prom, t, start),
              compare_buildinfo(agent.url, prom), metadata_of_all(agent.url, prom), compare_rule_family(agent.url, prom),
              compare_rule_counts(agent.url, prom)]
    return sum(count for count, _ in checks), [f"compat {pair.compat}: {each}" for _, some in checks for each in some]


with lib.folder() as where, socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
    running = [(pair, *started(stack, pair, where / str(pair.compat), listener)) for pair in pairs()]
    for _, agent, prom in running:
        lib.wait_for("alerts in both", lambda: both_agree_on_rules(agent.url, prom), 60)
        lib.wait_for("the agent's own page in its store", lambda: agent.query("fettle_service_info"))
    start = int(time.time()) + 3  # both have all series by then, and ALERTS too
    t = start + 11  # the own page comes every ten seconds
    time.sleep(t + 2 - time.time())
    results = [compare(pair, agent, prom, t, start) for pair, agent, prom in running]
    total, bad = sum(count for count, _ in results), [each for _, some in results for each in some]
    print("\n\n".join(bad))
    assert not bad, f"{len(bad)} of {total} answers differ"
print(f"{total} answers are those of Prometheus")
