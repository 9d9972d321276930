#!/usr/bin/env python3
"""Every bit of our numbers is Prometheus': functions, operators and aggregations over random samples.

  bits_test.py --batch PROMQL_BATCH [--seed N] [--scale N]

Writes series of random numbers (all magnitudes, small integers, fractions, powers of two, NaN, infinities), loads them
into the installed Prometheus through promtool, and asks it and promql_batch the same expressions. The shortest decimal
of a double tells it from every other, so that equal texts are equal bits. The seed is printed; the same seed gives the
same run. Exit code 0: all agree; 1: some do not; 77: there is no Prometheus of 2.x here.
"""
import argparse
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lib  # noqa: E402

T0, STEP = 1_700_000_000, 15

# x{i} has many series of one interesting sample; y{i} is its partner.
OF_ONE = ["abs(x)", "ceil(x)", "floor(x)", "sgn(x)", "sqrt(x)", "exp(x)", "ln(x)", "log2(x)", "log10(x)", "sin(x)", "cos(x)", "tan(x)",
          "asin(x)", "acos(x)", "atan(x)", "sinh(x)", "cosh(x)", "tanh(x)", "asinh(x)", "acosh(x)", "atanh(x)", "deg(x)", "rad(x)",
          "round(x)", "round(x, 0.1)", "round(x, 7)", "round(x, 1e-9)", "clamp(x, -1, 2.5)", "clamp_min(x, 0)", "clamp_max(x, NaN)",
          "clamp_min(x, NaN)", "clamp_min(x, Inf)", "clamp_max(x, -Inf)", "-x", "x ^ 2", "x ^ 0.5", "x ^ -0.5", "x ^ 3", "x ^ -7", "x ^ 1.5",
          "x ^ -2.25", "x ^ 0.1", "x ^ 1e10", "x ^ 64", "2 ^ x", "10 ^ x", "0.3 ^ x", "1.0000001 ^ x", "x % 3", "x % 0.1", "x % -1e9", "7 % x",
          "1 / x", "x / 3", "x * 0.1", "x + 0.1", "x - 1e-3", "hour(x)", "minute(x)", "day_of_week(x)", "day_of_month(x)", "day_of_year(x)",
          "month(x)", "year(x)", "days_in_month(x)"]
OF_TWO = [f"x {op} on (i) y" for op in ("+", "-", "*", "/", "%", "^", "atan2", "> bool")]
AGGREGATIONS = [f"{op} by (group) (x)" for op in ("sum", "avg", "min", "max", "stddev", "stdvar", "count")]
AGGREGATIONS += [f"{op} (y)" for op in ("sum", "avg", "stddev", "stdvar")]
AGGREGATIONS += [f"quantile by (group) ({q}, x)" for q in (0, 0.1, 0.5, 0.99, 1)]
# m{i} has many samples a series, c{i} counts up with resets, b{le} is a histogram.
WINDOWS = ["50s", "1m", "2m", "5m", "10m"]
OVER_TIME = [f"{f}_over_time({s}[{w}])" for f in ("avg", "sum", "min", "max", "stddev", "stdvar", "count", "last") for s in "mc" for w in WINDOWS]
OVER_TIME += [f"quantile_over_time({q}, m[{w}])" for q in (0.01, 0.5, 0.9) for w in WINDOWS]
OVER_TIME += [f"{f}(c[{w}])" for f in ("rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets") for w in WINDOWS]
OVER_TIME += [f"{f}(m[{w}])" for f in ("deriv", "delta", "idelta") for w in WINDOWS]
OVER_TIME += [f"predict_linear({s}[{w}], {d})" for s in "mc" for w in WINDOWS for d in (3600, -100.5)]
OVER_TIME += [f"holt_winters({s}[{w}], {sf}, {tf})" for s in "mc" for w in WINDOWS for sf, tf in ((0.1, 0.9), (0.3, 0.01))]
OVER_TIME += [f"avg_over_time(rate(c[1m])[{w}:20s])" for w in WINDOWS]
OVER_TIME += [f"histogram_quantile({q}, rate(b[{w}]))" for q in (0, 0.01, 0.5, 0.9, 0.999) for w in WINDOWS]


def interesting(r):
    kind = r.randrange(12)
    if kind == 0:
        return r.choice([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, math.inf, -math.inf, math.nan, math.pi, math.pi / 2, math.pi / 4, 1e300, 5e-324, 0.66,
                         0.7, 0.625, 21.0, 709.7, -745.2, 2.0**29, 2.0**53, 1e22, 0.7071067811865476])
    if kind == 1:
        return struct.unpack("<d", struct.pack("<Q", r.getrandbits(64)))[0]  # any bits: all magnitudes, also subnormal
    if kind == 2:
        return float(r.randint(-1000, 1000))
    if kind == 3:
        return r.randint(-100_000, 100_000) / 1000
    if kind == 4:
        return r.choice([-1, 1]) * 2.0**r.randint(-60, 60) * r.choice([1, 1 + 2**-52, 1 - 2**-53])
    if kind == 5:
        return r.choice([-1, 1]) * r.randint(1, 10**6) * math.pi / 4
    if kind in (6, 7):
        return r.uniform(-1, 1)
    if kind in (8, 9):
        return r.choice([-1, 1]) * 10**r.uniform(-12, 12)
    return r.uniform(-50, 800) if kind == 10 else r.uniform(-10, 10)


def text(v):
    return "NaN" if math.isnan(v) else ("+Inf" if v > 0 else "-Inf") if math.isinf(v) else repr(v)


def make_series(r, scale):
    """[(labels, [(t, value)])]; values are floats."""
    series = []
    for i in range(1000 * scale):
        for name in "xy":
            series.append(({"__name__": name, "i": str(i), "group": str(i % 50)}, [(T0, interesting(r))]))
    times = [T0 - STEP * k for k in range(50, -1, -1)]
    for i in range(40 * scale):
        size = 10**r.uniform(-6, 12)
        kept = [t for t in times if r.random() > 0.1] or times
        values = [(t, r.choice([r.gauss(0, size), size + r.gauss(0, size / 1e6), round(r.uniform(0, 100), 2)])) for t in kept]
        if i % 10 == 0:
            values = [(t, interesting(r)) for t in kept]
        series.append(({"__name__": "m", "i": str(i)}, values))
        total, counted = 0.0, []
        for t in kept:
            total = 0.0 if r.random() < 0.05 else total + r.choice([1.0, r.random() * size, 0.0])
            counted.append((t, total))
        series.append(({"__name__": "c", "i": str(i)}, counted))
    for i in range(5 * scale):
        counts = [0.0] * 5
        rows = [[] for _ in counts]
        for t in times:
            for k in range(r.randint(0, 40)):
                at = r.randrange(5)
                for each in range(at, 5):
                    counts[each] += 1
            for row, count in zip(rows, counts):
                row.append((t, count))
        for le, row in zip(("0.1", "0.25", "1", "10", "+Inf"), rows):
            series.append(({"__name__": "b", "i": str(i), "le": le}, row))
    return series


def openmetrics(series):
    lines, name = [], None
    for labels, samples in sorted(series, key=lambda s: s[0]["__name__"]):
        if labels["__name__"] != name:
            name = labels["__name__"]
            lines.append(f"# TYPE {name} unknown")
        inside = ",".join(f'{k}="{v}"' for k, v in labels.items() if k != "__name__")
        lines += [f"{name}{{{inside}}} {text(v)} {t}" for t, v in samples]
    return "\n".join([*lines, "# EOF\n"])


def answers_of_prometheus(where, prometheus, promtool, series, expressions):
    (where / "series.om").write_text(openmetrics(series))
    made = subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", where / "series.om", where / "data"], capture_output=True, text=True)
    if made.returncode:
        raise AssertionError(f"promtool could not make blocks: {made.stdout}{made.stderr}")
    (where / "prometheus.yml").write_text("global: {evaluation_interval: 1m}\n")
    port = lib.free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with lib.Process(where, "prometheus", [prometheus, f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/data",
                                           "--storage.tsdb.retention.time=50y", f"--web.listen-address=127.0.0.1:{port}"]):
        lib.wait_for("Prometheus to be ready", lambda: lib.get(url + "/-/ready"), 60)
        return [lib.get_json(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": e, "time": T0 + 1}), 60)["data"] for e in expressions]


def our_answers(batch, series, expressions, where):
    data = where / "series.jsonl"
    with open(data, "w") as out:
        for labels, samples in series:
            print(json.dumps({"metric": labels, "samples": [[t * 1000, text(v)] for t, v in samples]}), file=out)
    asked = "".join(json.dumps({"id": i, "kind": "instant", "expr": e, "time": T0 + 1, "data": str(data)}) + "\n" for i, e in enumerate(expressions))
    done = subprocess.run([batch, "--promql.compat=2"], input=asked, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def numbers(data):
    return {json.dumps(e["metric"], sort_keys=True): e["value"][1] for e in data["result"]}


parser = argparse.ArgumentParser()
parser.add_argument("--batch", required=True)
parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
parser.add_argument("--scale", type=int, default=1)
options = parser.parse_args()
prometheus, promtool = lib.need("prometheus", "promtool")
if " 2." not in subprocess.run([prometheus, "--version"], capture_output=True, text=True).stdout.split("\n")[0]:
    print("skipped: the installed Prometheus is not of 2.x")
    sys.exit(lib.SKIPPED)
print(f"seed {options.seed}")
made = make_series(random.Random(options.seed), options.scale)
arguments = {f'{labels["__name__"]} {labels["i"]}': samples[0][1] for labels, samples in made if labels["__name__"] in "xy"}
asked = OF_ONE + OF_TWO + AGGREGATIONS + OVER_TIME
compared = wrong = 0
with lib.folder() as folder:
    theirs = answers_of_prometheus(folder, prometheus, promtool, made, asked)
    for expression, their, our in zip(asked, theirs, our_answers(options.batch, made, asked, folder)):
        if "error" in our:
            print(f"{expression}: {our['error']}")
            wrong += 1
            continue
        want, got = numbers(their), numbers(our["data"])
        if not want:
            print(f"{expression}: Prometheus has no answer, so that nothing was compared")
            wrong += 1
        different = [k for k in want.keys() | got.keys() if want.get(k) != got.get(k)]
        compared += len(want)
        wrong += len(different)
        for key in different[:3]:
            i = json.loads(key).get("i")
            of = f" of {arguments.get(f'x {i}')!r}, {arguments.get(f'y {i}')!r}" if expression in OF_ONE + OF_TWO else f" for {key}"
            print(f"{expression}{of}: {got.get(key)}, Prometheus: {want.get(key)}")
        if len(different) > 3:
            print(f"{expression}: {len(different)} of {len(want)} differ")
print(f"{compared} numbers of {len(asked)} expressions compared, {wrong} differ")
sys.exit(1 if wrong else 0)
