#!/usr/bin/env python3
"""The same route, inhibit_rules and time_intervals through fettle and through a real Alertmanager: random trees, of which the
seed is printed. The same alerts come to the same receivers in the same groups, and each alert is told in the same words. And
what amtool accepts or refuses, fettle accepts or refuses; but for the month 13, which amtool takes. Arguments: how many trees, and a seed."""
import collections
import copy
import json
import random
import subprocess
import sys
import urllib.request

import lib

ALERTMANAGER, AMTOOL = lib.need("prometheus-alertmanager", "amtool")
TREES = int(sys.argv[1]) if len(sys.argv) > 1 else 12
seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
print(f"seed {seed}")
rng = random.Random(seed)

VALUES = {"team": ["a", "b", "c"], "severity": ["page", "warn", "info"], "zone": ["x", "y", ""]}
ALWAYS = {"name": "always", "time_intervals": [{"years": ["2000:2999"]}]}
NEVER = {"name": "never", "time_intervals": [{"years": ["1999"]}, {"weekdays": []}]}
RECEIVERS = [f"r{i}" for i in range(5)]


def matcher():
    label = rng.choice(list(VALUES))
    value = rng.choice(VALUES[label])
    return rng.choice([f'{label}="{value}"', f'{label}!="{value}"', f'{label}=~"{value}|{rng.choice("abxyp")}.*"', f'{label}!~"{value}|"', f"{label} = {value or 'x'}"])


def conditions(prefix=""):
    """Matchers in one of the ways in which they can be written."""
    label = rng.choice(list(VALUES))
    return rng.choice([{prefix + "matchers": [matcher() for _ in range(rng.randrange(1, 3))]},
                       {prefix + "matchers": ["{" + ",".join([matcher(), matcher()]) + "}"]},
                       {prefix + "match": {label: rng.choice(VALUES[label])}},
                       {prefix + "match_re": {label: rng.choice(["a|b", "p.*|w.*", ".*", "x"])}}])


def routes(depth):
    out = []
    for _ in range(rng.randrange(1, 4)):
        route = conditions()
        if rng.random() < 0.7:
            route["receiver"] = rng.choice(RECEIVERS)
        if rng.random() < 0.5:
            route["group_by"] = rng.choice([["..."], [], ["team"], ["alertname", "zone"], ["severity", "absent"]])
        if rng.random() < 0.4:
            route["continue"] = True
        if rng.random() < 0.2:
            route[rng.choice(["mute_time_intervals", "active_time_intervals"])] = [rng.choice(["always", "never"])]
        if depth > 1 and rng.random() < 0.6:
            route["routes"] = routes(depth - 1)
        out.append(route)
    return out


def tree():
    """The last alert of each tree goes to a receiver of its own, later than all others: when it is there, all are."""
    last = {"matchers": ['last="yes"'], "receiver": "last", "group_wait": "2s"}
    root = {"receiver": "r0", "group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h", "group_by": rng.choice([[], ["alertname"], ["team", "severity"]]),
            "routes": [last] + routes(3)}
    inhibit = [{**conditions("source_"), **conditions("target_"), "equal": ["tree", "last", *rng.sample(["team", "zone"], rng.randrange(0, 2))]}
               for _ in range(rng.randrange(0, 3))]
    return {"route": root, "inhibit_rules": inhibit, "time_intervals": [ALWAYS, NEVER]}


def rules(number):
    out = []
    for i in range(14):
        labels = {"tree": str(number), **{name: value for name in VALUES if (value := rng.choice(VALUES[name]))}}
        out.append({"alert": f"A{i}", "expr": "vector(1)", "labels": labels, "annotations": {"summary": f"a <{i}> & \"b\""}})
    out.append({"alert": "Last", "expr": "vector(1)", "labels": {"tree": str(number), "last": "yes"}})
    return {"groups": [{"name": "g", "rules": out}]}


def for_alertmanager(config, port):
    receivers = [{"name": name, "webhook_configs": [{"url": f"http://127.0.0.1:{port}/"}]} for name in [*RECEIVERS, "last"]]
    return json.dumps({**config, "receivers": receivers})


def for_fettle(config, port, alertmanager):
    receivers = [{"name": name, "tell": "all", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/"}]} for name in [*RECEIVERS, "last"]]
    receivers.append({"name": "am", "alertmanager_configs": [{"urls": [f"http://127.0.0.1:{alertmanager}"], "resend": "5s"}]})
    return json.dumps({"global": {"interval": "1s", "timeout": "500ms", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
                       "services": {"order": {"probes": [{"name": "self", "type": "exec", "command": ["/bin/true"]}]}}, **config, "receivers": receivers})


def told(hook, number):
    """By receiver and group, the alerts of this tree that were told as firing, by fingerprint."""
    out = collections.defaultdict(dict)
    for message in list(hook.messages):
        for alert in message["alerts"]:
            if alert["labels"].get("tree") == str(number) and alert["status"] == "firing":
                out[message["receiver"], message["groupKey"], json.dumps(message["groupLabels"], sort_keys=True)][alert["fingerprint"]] = alert
    return dict(out)


def accepted(where, config):
    """Whether amtool takes it, whether fettle takes it, and what they say."""
    (where / "check_am.yml").write_text(for_alertmanager(config, 1))
    (where / "check.yml").write_text(for_fettle(config, 1, 2))
    theirs = subprocess.run([AMTOOL, "check-config", where / "check_am.yml"], capture_output=True, text=True, check=False)
    ours = lib.fettle("check", "config", where / "check.yml")
    return theirs.returncode == 0, ours.returncode == 0, theirs.stdout + theirs.stderr + ours.stderr


def with_route(**keys):
    return {"route": {"receiver": "r0", "routes": [keys]}, "inhibit_rules": [], "time_intervals": [ALWAYS]}


def with_interval(**keys):
    return {"route": {"receiver": "r0"}, "time_intervals": [{"name": "t", "time_intervals": [keys]}]}


GOOD = [with_route(matchers=["a=b", 'c=~"d|e"', "{f!=g}"]), with_route(match={"a": "b"}, match_re={"c": "d.*"}), with_route(group_by=["..."]),
        with_route(active_time_intervals=["always"]), with_route(group_wait="0s"), with_route(repeat_interval="1d"),
        with_interval(times=[{"start_time": "00:00", "end_time": "24:00"}]), with_interval(weekdays=["monday:friday", "Sunday"]),
        with_interval(days_of_month=["1:7", "-3:-1", "20:-1"]), with_interval(months=["may", "1:3", "june:august"]), with_interval(years=["2027"]),
        with_interval(location="Europe/Berlin"), with_interval(location="Local"), with_interval(),
        {"route": {"receiver": "r0"}, "inhibit_rules": [{"source_match": {"a": "b"}, "target_match_re": {"c": "d"}, "equal": ["e"]}]},
        {"route": {"receiver": "r0"}, "mute_time_intervals": [ALWAYS]}]
BAD = [{"route": {}}, {"route": {"receiver": "nothing"}}, {"route": {"receiver": "r0", "matchers": ["a=b"]}}, {"route": {"receiver": "r0", "mute_time_intervals": ["x"]}},
       with_route(receiver="nothing"), with_route(matchers=["a"]), with_route(matchers=["a~b"]), with_route(matchers="a=b"), with_route(matchers=['a=~"("']),
       with_route(match={"a-b": "c"}), with_route(match_re={"a": "("}), with_route(group_by=["a", "a"]), with_route(group_by=["...", "a"]), with_route(group_by=["a-b"]),
       with_route(group_interval="0s"), with_route(repeat_interval="0s"), with_route(group_wait="5"), with_route(mute_time_intervals=["nothing"]), with_route(unknown=1),
       with_interval(times=[{"start_time": "22:00", "end_time": "06:00"}]), with_interval(times=[{"start_time": "9:00", "end_time": "10:00"}]),
       with_interval(times=[{"start_time": "09:00"}]), with_interval(weekdays=["mon"]), with_interval(weekdays=["friday:monday"]), with_interval(days_of_month=["0"]),
       with_interval(days_of_month=["32"]), with_interval(days_of_month=["-1:5"]), with_interval(days_of_month=["7:1"]),
       with_interval(months=["may:april"]), with_interval(years=["2027:2026"]), with_interval(location="Mars/Olympus"),
       {"route": {"receiver": "r0"}, "inhibit_rules": [{"equal": ["a-b"]}]}, {"route": {"receiver": "r0"}, "time_intervals": [{"time_intervals": []}]},
       {"route": {"receiver": "r0"}, "time_intervals": [ALWAYS, copy.deepcopy(ALWAYS)]}]

with lib.folder() as where:
    (where / "rules.yml").write_text(json.dumps({"groups": []}))
    for wanted, cases in ((True, GOOD), (False, BAD)):
        for case in cases:
            theirs, ours, said = accepted(where, case)
            assert theirs == ours == wanted, f"amtool {theirs}, fettle {ours}, expected {wanted}: {json.dumps(case)}\n{said}"
    print(f"amtool and fettle accept {len(GOOD)} configurations and refuse {len(BAD)}")

    ours, theirs = lib.Webhook(), lib.Webhook()
    am_port = lib.free_ports(1)[0]
    current = tree()
    (where / "am.yml").write_text(for_alertmanager(current, theirs.port))
    am_url = f"http://127.0.0.1:{am_port}"
    with lib.Process(where, "alertmanager", [ALERTMANAGER, f"--config.file={where}/am.yml", f"--storage.path={where}/am",
                                             f"--web.listen-address=127.0.0.1:{am_port}", "--cluster.listen-address="]):
        lib.wait_for("Alertmanager to be ready", lambda: lib.get(f"{am_url}/-/ready"), 60)
        groups = alerts = 0
        with lib.Agent(where, for_fettle(current, ours.port, am_port)) as agent:
            for number in range(TREES):
                (where / "am.yml").write_text(for_alertmanager(current, theirs.port))
                urllib.request.urlopen(urllib.request.Request(f"{am_url}/-/reload", method="POST"), timeout=10).close()
                agent.config.write_text(for_fettle(current, ours.port, am_port))
                (where / "rules.yml").write_text(json.dumps(rules(number)))
                reload = lib.fettle("reload", f"--admin.socket={agent.admin}")
                assert reload.returncode == 0, reload.stderr

                def is_last(hook):
                    return any(receiver == "last" for receiver, _, _ in told(hook, number))

                lib.wait_for("the last alert of the tree on both sides", lambda: is_last(ours) and is_last(theirs), 60)
                lib.wait_for("the same alerts in the same groups", lambda: {k: set(v) for k, v in told(ours, number).items()} ==
                             {k: set(v) for k, v in told(theirs, number).items()}, 10,
                             lambda: f"tree {json.dumps(current)}\nours {[(k, sorted(v)) for k, v in told(ours, number).items()]}\n"
                                     f"Alertmanager's {[(k, sorted(v)) for k, v in told(theirs, number).items()]}")
                mine, other = told(ours, number), told(theirs, number)
                for key, by_fingerprint in mine.items():
                    for fingerprint, alert in by_fingerprint.items():
                        assert alert == other[key][fingerprint], f"{key}: {alert} and {other[key][fingerprint]}"
                groups += len(mine)
                alerts += sum(map(len, mine.values()))
                current = tree()
    print(f"{TREES} trees: {groups} groups with {alerts} alerts, the same on both sides")
