#!/usr/bin/env python3
"""Alerts that begin and end, through our routes on a fake clock and through a real Alertmanager with the same route and inhibit_rules: the
same messages to the same receivers, in the same order, with the same words, at the same times as far as the machine keeps them. Random
trees and histories, of which the seed is printed, all at the same time in one Alertmanager. A history in which a third of a second would
change what is told is drawn again, and a tree that differs is tried again: a busy machine is late, a difference stays. Arguments: the program, how many trees, a seed, and `mute` for time intervals that begin and end
meanwhile (it waits for the end of a minute)."""
import collections
import http.server
import json
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

PROGRAM = sys.argv[1]
TREES = int(sys.argv[2]) if len(sys.argv) > 2 else 40
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
MUTE = "mute" in sys.argv[4:]
END, CUT = 14_000, 13_000  # ms; what is told before CUT is compared, and nothing is told near it
JITTER, LATE, TRIALS, ROUNDS = 350, 700, 6, 5
ALERTMANAGER = shutil.which("prometheus-alertmanager")
if ALERTMANAGER is None:
    print("skipped: prometheus-alertmanager is not installed")
    sys.exit(77)
print(f"seed {seed}{' mute' if MUTE else ''}")
rng = random.Random(seed)
# No multiples of a group_interval: there Alertmanager repeats or not, as its own milliseconds fall.
REPEATS = ["1h", "3400ms", "4300ms"]
VALUES = {"team": ["a", "b"], "severity": ["page", "warn"], "zone": ["x", "y"]}


class Hook:
    """Keeps what it is sent, with the time."""

    def __init__(self):
        self.messages = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                self.messages.append((time.time(), body))
                handler.send_response(200)
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def log_message(handler, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def matchers():
    label = rng.choice(list(VALUES))
    return [f'{label}{rng.choice(["=", "!=", "=~"])}"{rng.choice(VALUES[label])}"']


def routes(depth):
    out = []
    for _ in range(rng.randrange(1, 3)):
        route = {"matchers": matchers(), "receiver": f"r{rng.randrange(3)}", "continue": rng.random() < 0.3}
        if rng.random() < 0.6:
            route["group_by"] = rng.choice([["..."], ["team"], ["alertname", "zone"], ["severity"]])
        if rng.random() < 0.5:
            route.update(group_wait=rng.choice(["0s", "700ms", "1500ms"]), group_interval=rng.choice(["1500ms", "2500ms"]),
                         repeat_interval=rng.choice(REPEATS))
        if MUTE and rng.random() < 0.5:
            route[rng.choice(["mute_time_intervals", "active_time_intervals"])] = [rng.choice(["before", "after"])]
        if depth > 1 and rng.random() < 0.5:
            route["routes"] = routes(depth - 1)
        # Two of one parent with the same matchers and the same receiver are one route to fettle (packaging/doc/notifications.md).
        if all((each["matchers"], each["receiver"]) != (route["matchers"], route["receiver"]) for each in out):
            out.append(route)
    return out


def draw(number):
    """A tree below the common root, its inhibit_rules and a history. What an inhibit rule may keep back does not end: we tell of that end
    afterwards, Alertmanager does not. No alert fires twice, and none begins when others have ended: there the two differ as documented."""
    mine = f'tree="{number}"'
    tree = {"matchers": [mine], "receiver": "r0", "group_by": rng.choice([["tree"], ["tree", "alertname"], ["tree", "team"]]),
            "group_wait": rng.choice(["500ms", "1s"]), "group_interval": rng.choice(["1500ms", "2s"]), "repeat_interval": rng.choice(REPEATS), "routes": routes(2)}
    inhibit = []
    if rng.random() < 0.5:
        inhibit = [{"source_matchers": [mine, 'role="source"'], "target_matchers": [mine, 'role="target"'], "equal": rng.choice([[], ["zone"]])}]
    events = []
    for i in range(rng.randrange(3, 9)):
        role = rng.choice(["source", "target", "none"]) if inhibit else "none"
        labels = {"alertname": f"A{i}", "tree": str(number), "role": role, **{name: rng.choice(values) for name, values in VALUES.items()}}
        annotations = {"summary": f"a <{i}> & \"b\""}
        begin = rng.randrange(0, 5_000)
        events.append({"at_ms": begin, "labels": labels, "annotations": annotations, "firing": True})
        if role != "target" and rng.random() < 0.6:
            events.append({"at_ms": rng.randrange(8_000, 11_000), "labels": labels, "annotations": annotations, "firing": False})
    events.sort(key=lambda event: event["at_ms"])
    return {"number": str(number), "tree": tree, "inhibit": inhibit, "events": events}


def ours(case, base, intervals, late=lambda number: 0):
    """What our routes tell of it: a list of at_ms and body. The event of each number is so many ms late."""
    events = sorted(({**event, "at_ms": event["at_ms"] + late(number)} for number, event in enumerate(case["events"])), key=lambda event: event["at_ms"])
    receivers = [{"name": f"r{i}", "tell": "all", "webhook_configs": [{"url": "http://hook/"}]} for i in range(3)]
    config = {"route": {"receiver": "r0", "routes": [case["tree"]]}, "inhibit_rules": case["inhibit"], "time_intervals": intervals, "receivers": receivers}
    given = {"config": json.dumps(config), "base_ms": base, "end_ms": END, "events": events, "external_url": URL}
    done = subprocess.run([PROGRAM], input=json.dumps(given), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def instants(alert, base):
    """Times relative to the beginning; a firing alert has no end."""
    alert = dict(alert)
    for key in ("startsAt", "endsAt"):
        if not alert[key].startswith("0001"):
            seconds, _, rest = alert[key].rstrip("Z").partition(".")
            alert[key] = round(time.mktime(time.strptime(seconds + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone) * 1000 + int((rest + "000")[:3]) - base
    return alert


def stories(messages, base):
    """By receiver and group: what was told, in order. Our own keys are left out, and nothing else is."""
    out = collections.defaultdict(list)
    for at, body in messages:
        body = {key: value for key, value in body.items() if key not in ("node", "recoveries", "incident")}
        body["alerts"] = [instants(alert, base) for alert in body["alerts"]]
        out[body["receiver"], body["groupKey"]].append((at, body))
    return out


def shape(messages):
    """What must not depend on a tenth of a second."""
    return {key: [[(a["labels"]["alertname"], a["status"]) for a in body["alerts"]] for _, body in told]
            for key, told in stories([(m["at_ms"], m["body"]) for m in messages], 0).items()}


def robust(case, base, intervals):
    """Any of them may be late: one alone, all but one, each as it comes."""
    told = ours(case, base, intervals)
    plain = shape(told)
    lates = [lambda number, one=one, alone=alone: JITTER if (number == one) == alone else 0 for one in range(len(case["events"])) for alone in (True, False)]
    lates += [lambda number: rng.randrange(JITTER)] * TRIALS
    return not any(abs(message["at_ms"] - CUT) < 500 for message in told) and all(shape(ours(case, base, intervals, late)) == plain for late in lates)


def post(url, alerts):
    request = urllib.request.Request(url + "/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def stamp(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"


def one_round(where, cases, intervals_of):
    hook = Hook()
    receivers = [{"name": f"r{i}", "webhook_configs": [{"url": f"http://127.0.0.1:{hook.server.server_port}/"}]} for i in range(3)]
    base = int(time.time() * 1000) + 3000
    if MUTE:
        base = base // 60_000 * 60_000 + 60_000 - 6_500  # the minute ends in the middle
        if base < time.time() * 1000 + 2000:
            base += 60_000
    intervals = intervals_of(base)
    config = {"route": {"receiver": "r0", "routes": [case["tree"] for case in cases]}, "inhibit_rules": [rule for case in cases for rule in case["inhibit"]],
              "time_intervals": intervals, "receivers": receivers}
    (where / "am.yml").write_text(json.dumps(config))
    shutil.rmtree(where / "am", ignore_errors=True)
    with open(where / "am.log", "ab") as log:
        child = subprocess.Popen([ALERTMANAGER, f"--config.file={where}/am.yml", f"--storage.path={where}/am", f"--web.listen-address={URL[7:]}",
                                  f"--web.external-url={URL}", "--cluster.listen-address="], stdout=log, stderr=log)
    try:
        while True:
            try:
                urllib.request.urlopen(URL + "/-/ready", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert child.poll() is None, (where / "am.log").read_text()
                time.sleep(0.05)
        due = sorted(((event["at_ms"], i, event) for i, case in enumerate(cases) for event in case["events"]), key=lambda entry: entry[:2])
        begins, late = {}, 0
        while due:
            now = time.time() * 1000 - base
            batch = []
            while due and due[0][0] <= now:
                at, _, event = due.pop(0)
                late = max(late, now - at)
                key = json.dumps(event["labels"], sort_keys=True)
                alert = {"labels": event["labels"], "annotations": event["annotations"], "startsAt": stamp(base + begins.setdefault(key, at)), "generatorURL": ""}
                alert["endsAt"] = stamp(base + 3_600_000 if event["firing"] else base + at)
                batch.append(alert)
            if batch:
                post(URL, batch)
            time.sleep(0.01)
        time.sleep(max(0, (base + END) / 1000 - time.time()))
    finally:
        child.terminate()
        child.wait()
    hook.server.shutdown()
    theirs = stories([(at * 1000 - base, body) for at, body in hook.messages if at * 1000 - base <= CUT], base)
    expected, order = {}, {}
    for case in cases:
        told = [(m["at_ms"], m["body"]) for m in ours(case, base, intervals) if m["at_ms"] <= CUT]
        expected.update(stories(told, base))
    return expected, theirs, late


def differences(expected, theirs):
    """Groups whose messages are not the same in every field, or not at the same time; and by how much the times are apart."""
    apart, wrong = 0.0, []
    for key in sorted({*expected, *theirs}):
        mine, other = expected.get(key, []), theirs.get(key, [])
        if [body for _, body in mine] != [body for _, body in other] or any(abs(a - b) > LATE for (a, _), (b, _) in zip(mine, other)):
            wrong.append((key, mine, other))
        else:
            apart = max([apart, *(abs(a - b) for (a, _), (b, _) in zip(mine, other))])
    return wrong, apart


def intervals_of(base):
    """One that ends with the minute in the middle of the history, one that begins with it."""
    edge = (base // 60_000 + 1) * 60
    clock = lambda seconds: time.strftime("%H:%M", time.gmtime(seconds))
    span = lambda first, last: [{"times": [{"start_time": clock(first), "end_time": clock(last)}]}]
    return [{"name": "before", "time_intervals": span(edge - 120, edge)}, {"name": "after", "time_intervals": span(edge, edge + 120)}] if MUTE else []


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    URL = f"http://127.0.0.1:{free.getsockname()[1]}"
where = pathlib.Path(tempfile.mkdtemp(prefix="fettle-"))
probe_base = (int(time.time() * 1000) // 60_000 + 1) * 60_000 - 6_500
cases = []
while len(cases) < TREES:
    case = draw(len(cases))
    if robust(case, probe_base, intervals_of(probe_base)):
        cases.append(case)
# What is late on a busy machine is another message each time; what is told otherwise by the two is so each time.
left, groups, messages, furthest = cases, 0, 0, 0.0
for attempt in range(ROUNDS):
    expected, theirs, late = one_round(where, left, intervals_of)
    wrong, apart = differences(expected, theirs)
    numbers = {body["alerts"][0]["labels"]["tree"] for _, mine, other in wrong for _, body in mine + other}
    agreed = [key for key, told in expected.items() if told[0][1]["alerts"][0]["labels"]["tree"] not in numbers]
    groups, messages, furthest = groups + len(agreed), messages + sum(len(expected[key]) for key in agreed), max(furthest, apart)
    left = [case for case in left if case["number"] in numbers]
    if not left:
        break
    print(f"{len(left)} trees once more; the machine was {late:.0f} ms late")
assert not wrong, f"{len(wrong)} groups differ in each of {ROUNDS} rounds; the first: {wrong[0][0]}\nours:   {json.dumps(wrong[0][1])}\ntheirs: {json.dumps(wrong[0][2])}\nfiles: {where}"
shutil.rmtree(where)
print(f"{TREES} trees: {groups} groups with {messages} messages, the same in every field; at most {furthest:.0f} ms apart")
