#!/usr/bin/env python3
"""Upstream's PromQL test scripts, those of the newest Prometheus that Debian has, through our engine (promql_compat: 3).

  promqltest_test.py --batch PROMQL_BATCH [--beside FOLDER] [--scripts FOLDER] [--show N]

The scripts are read by the converter of the shared folder (convert_promqltest.py); --scripts names other ones than those
of the source that newer_prometheus.py fetches. Each evaluation is compared as upstream's own runner does it: values
within 1e-6, warnings and infos where they are expected, an instant query also as the middle of a range query. Left out,
and counted by reason: what needs native histograms, and what a Prometheus does only with a feature flag.
Exit code 0: all agree; 1: some do not (they are printed); 77: no scripts or no converter here.
"""
import argparse
import collections
import importlib.util
import json
import os
import pathlib
import re
import sys
import tempfile

import newer_prometheus
import promql_conformance as conformance

SKIPPED = 77
NATIVE = "needs native histograms"
UNMATCHED_TYPES = re.compile(
    r'http_requests_total\{group="canary"\} / ignoring\(group\) http_requests_total\{group="production"\}')
FLAG = "needs a feature flag: "
# Upstream's runner has promql-delayed-name-removal on: functions still see a name that is taken away at the end only.
WITH_DELAYED_NAMES = re.compile(
    r'^(label_(replace|join)\(rate\(.*"__name__"|sum by \(__name__\)|sum\(rate\(\{env="1"\}\[10m\]\)\) by \(env\))')
MATCHER = re.compile(r"""(\w+)\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*"|'[^']*')""")
NAMELESS = re.compile(r"(?:^|[^\w:\s])\s*\{([^{}]*)\}")
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"""\s*,?\s*(?:([a-zA-Z_][a-zA-Z0-9_.:]*)|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))\s*(=)?\s*""")


def load_converter(shared):
    path = shared / "promql" / "convert_promqltest.py"
    if not path.exists():
        return None
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("convert_promqltest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def experimental(source):
    """Functions and aggregations that want a flag, by the source that the scripts belong to."""
    functions = (source / "promql/parser/functions.go").read_text()
    found = set()
    for name, body in re.findall(r'^\t"(\w+)": \{\n(.*?)^\t\},', functions, re.S | re.M):
        if re.search(r"Experimental:\s*true", body):
            found.add(name)
    return found | {"limitk", "limit_ratio"}


class Scripts:
    def __init__(self, converter):
        self.converter = converter

    def series(self, text):
        """The labels, and what stands behind them; names in quotes too."""
        text = text.strip()
        labels = {}
        name = WORD.match(text)
        rest = text[name.end():] if name else text
        if name:
            labels["__name__"] = name.group()
        if rest.startswith("{"):
            rest = rest[1:]
            while not re.match(r"\s*,?\s*\}", rest):
                found = LABEL.match(rest)
                if not found:
                    raise ValueError(f"no series: {text}")
                key = found.group(1) or self.converter.unquote(found.group(2))
                rest = rest[found.end():]
                if not found.group(3):
                    labels["__name__"] = key
                    continue
                quoted, end = self.converter.read_string(rest, 0)
                labels[key] = self.converter.unquote(quoted)
                rest = rest[end:]
            rest = rest[re.match(r"\s*,?\s*\}", rest).end():]
        return {k: v for k, v in labels.items() if v}, rest.strip()

    def values(self, text):
        return self.converter.expand(text)

    def milliseconds(self, text):
        if re.fullmatch(r"-?[0-9.]+", text.strip()):
            return round(float(text) * 1000)
        return self.converter.dur_ms(text)

    def evaluations(self, path):
        """Of a script, in order: what is loaded then, and the evaluation."""
        loads = []
        for command in self.converter.parse_script(str(path)):
            if command[0] == "clear":
                loads = []
            elif command[0] == "load":
                loads = loads + [command]
            else:
                yield loads, command[2]


class Storage:
    """The series of the loads, and the label sets of those that are native histograms."""

    def __init__(self, scripts, loads, path):
        self.path = path
        self.native = []
        merged = {}
        for _, _, gap, lines, custom_buckets in loads:
            for line in lines:
                labels, rest = scripts.series(line)
                name = labels.get("__name__", "")
                if custom_buckets:
                    without_bound = {k: v for k, v in labels.items() if k != "le"}
                    self.native.append(dict(without_bound, __name__=re.sub(r"_(bucket|sum|count)$", "", name)))
                if "{{" in rest:
                    self.native.append(labels)
                    continue
                samples = merged.setdefault(tuple(sorted(labels.items())), {})
                for i, value in enumerate(scripts.values(rest)):
                    if value is not None:
                        samples[i * scripts.milliseconds(gap)] = conformance.shown(value)
        with open(path, "w") as file:
            for key, samples in merged.items():
                file.write(json.dumps({"metric": dict(key), "samples": sorted(samples.items())}) + "\n")


def matches(labels, matchers):
    for name, op, value in matchers:
        value, has = value[1:-1].replace("\\\\", "\\"), labels.get(name, "")
        same = has == value if op in ("=", "!=") else bool(re.fullmatch(value, has))
        if same != (op in ("=", "=~")):
            return False
    return True


def selects_native(expression, native):
    """By a name, or by matchers alone."""
    if set(WORD.findall(expression)) & {labels.get("__name__") for labels in native}:
        return True
    return any(matches(labels, MATCHER.findall(inside)) for inside in NAMELESS.findall(expression) for labels in native)


def left_out(evaluation, storage, flagged):
    words = set(WORD.findall(evaluation["expr"]))
    if selects_native(evaluation["expr"], storage.native) or any("{{" in row for row in evaluation["rows"]):
        return NATIVE
    if UNMATCHED_TYPES.fullmatch(evaluation["expr"]) and not evaluation["rows"]:
        return "changed since: matching does not look at __type__ and __unit__ (prometheus#18680)"
    if words & flagged:
        return FLAG + "promql-experimental-functions"
    if WITH_DELAYED_NAMES.search(evaluation["expr"]):
        return FLAG + "promql-delayed-name-removal"
    return None


def wanted_vector(scripts, evaluation):
    rows = []
    for row in evaluation["rows"]:
        try:
            return [({}, [scripts.converter.num(row)])]
        except scripts.converter.Bad:
            labels, rest = scripts.series(row)
            rows.append((labels, scripts.values(rest)))
    return rows


def expected_text(evaluation):
    """Of an evaluation whose result is a string."""
    for line in evaluation["expect"]:
        found = re.fullmatch(r'expect string (.*)', line)
        if found:
            return found.group(1)
    return None


def expected_range(scripts, evaluation):
    """Start and step of an instant query whose result is a range vector; None for all others."""
    for line in evaluation["expect"]:
        found = re.fullmatch(r"expect range vector from (\S+) to (\S+) step (\S+)", line)
        if found:
            return scripts.milliseconds(found.group(1)), scripts.milliseconds(found.group(3))
    return None


def annotation_problem(evaluation, answer):
    said = {"warn": answer.get("warnings", []), "info": answer.get("infos", [])}
    for kind, texts in said.items():
        if kind in evaluation["mods"] and not texts:
            return f"no {kind} annotation"
    for line in evaluation["expect"]:
        found = re.fullmatch(r"expect (no_)?(warn|info)(?:\s+(regex|msg):(.+))?", line)
        if not found:
            continue
        absent, kind, how, text = found.groups()
        if absent and said[kind]:
            return f"unexpected: {said[kind]}"
        if how == "msg" and not any(each.startswith(text.strip()) for each in said[kind]):
            return f"want {text}\n    got  {said[kind]}"
        if how == "regex" and not any(re.search(text.strip(), each) for each in said[kind]):
            return f"want {text}\n    got  {said[kind]}"
    return None


def same_vectors(want, got, ordered):
    key = lambda element: sorted(element[0].items())  # noqa: E731
    if not ordered:
        want, got = sorted(want, key=key), sorted(got, key=key)
    if [w[0] for w in want] == [g[0] for g in got] and all(
            conformance.close(w[1], g[1]) for w, g in zip(want, got)):
        return None
    return f"want {want}\n    got  {got}"


def instant_problem(scripts, evaluation, answer):
    text = expected_text(evaluation)
    if text is not None:
        got = answer["data"]["result"][1] if answer["data"]["resultType"] == "string" else answer["data"]
        return None if got == scripts.converter.unquote(text) else f"want {text}\n    got  {got}"
    want = [(labels, values[0]) for labels, values in wanted_vector(scripts, evaluation)]
    return same_vectors(want, conformance.vector_of(answer), "ordered" in evaluation["mods"])


def points(answer):
    return [(series["metric"], {round(t * 1000): conformance.number(v) for t, v in series["values"]})
            for series in answer["data"]["result"]]


def middle_problem(scripts, evaluation, answer, at):
    want = [(labels, values[0]) for labels, values in wanted_vector(scripts, evaluation)]
    return same_vectors(want, [(labels, values[at]) for labels, values in points(answer) if at in values], False)


def range_problem(scripts, evaluation, answer, start, step):
    want = []
    for labels, values in wanted_vector(scripts, evaluation):
        want.append((labels, {start + i * step: v for i, v in enumerate(values) if v is not None}))
    got = points(answer)
    key = lambda element: sorted(element[0].items())  # noqa: E731
    want, got = sorted(want, key=key), sorted(got, key=key)
    same = len(want) == len(got) and all(
        w[0] == g[0] and w[1].keys() == g[1].keys() and all(conformance.close(v, g[1][t]) for t, v in w[1].items())
        for w, g in zip(want, got))
    return None if same else f"want {want}\n    got  {got}"


def questions(scripts, evaluation, storage):
    """The requests of one evaluation, each with the function that finds what is wrong with its answer."""
    base = {"expr": evaluation["expr"], "data": str(storage.path), "annotations": True}
    if evaluation["kind"] == "range":
        start, end, step = (scripts.milliseconds(evaluation[k]) for k in ("start", "end", "step"))
        request = dict(base, kind="range", start=start / 1000, end=end / 1000, step=step / 1000)
        return [(request, lambda answer: range_problem(scripts, evaluation, answer, start, step))]
    at = scripts.milliseconds(evaluation["at"])
    if (of_range := expected_range(scripts, evaluation)) is not None:
        request = dict(base, kind="instant", time=at / 1000)
        return [(request, lambda answer: range_problem(scripts, evaluation, answer, *of_range))]
    asked = [(dict(base, kind="instant", time=at / 1000), lambda answer: instant_problem(scripts, evaluation, answer))]
    relative = re.search(r"\b(start|end|range|step)\s*\(\s*\)", evaluation["expr"])
    if not relative and "ordered" not in evaluation["mods"] and expected_text(evaluation) is None:
        request = dict(base, kind="range", start=at / 1000 - 60, end=at / 1000 + 60, step=60)
        asked.append((request, lambda answer: middle_problem(scripts, evaluation, answer, at)))
    return asked


def judged(evaluation, answer, problem):
    if "fail" in evaluation["mods"]:
        return None if "error" in answer else "no error"
    if "error" in answer:
        return "error: " + answer["error"]
    return annotation_problem(evaluation, answer) or problem(answer)


def run(scripts, files, flagged, batch, show, work):
    reasons, tally, asked = collections.Counter(), conformance.Tally(show), []
    for path in files:
        storage, loaded = None, None
        for loads, evaluation in scripts.evaluations(path):
            if storage is None or loads is not loaded:
                storage, loaded = Storage(scripts, loads, work / f"{path.stem}-{evaluation['line']}"), loads
            reason = left_out(evaluation, storage, flagged)
            if reason:
                reasons[reason] += 1
                continue
            for request, problem in questions(scripts, evaluation, storage):
                where = f"{path.name}:{evaluation['line']} {request['kind']} {evaluation['expr']}"
                asked.append((where, evaluation, request, problem))
    answers = conformance.ask(batch, 3, [request for _, _, request, _ in asked])
    for (where, evaluation, _, problem), answer in zip(asked, answers):
        tally.judge(judged(evaluation, answer, problem), where)
    for reason, count in reasons.most_common():
        print(f"{count} evaluations left out: {reason}")
    return tally.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", required=True)
    parser.add_argument("--beside", default="../shared")
    parser.add_argument("--scripts")
    parser.add_argument("--kept", default="build/deps/prometheus-3", help="where the fetched source is kept")
    parser.add_argument("--show", type=int, default=20)
    options = parser.parse_args()
    converter = load_converter(pathlib.Path(os.environ.get("FETTLE_SHARED") or options.beside))
    if not converter:
        print("skipped: there is no convert_promqltest.py; FETTLE_SHARED names the folder that has promql/")
        return SKIPPED
    try:
        newer = newer_prometheus.newer_prometheus(options.kept)
    except newer_prometheus.NotHere as why:
        print(f"skipped: {why}")
        return SKIPPED
    folder = pathlib.Path(options.scripts or newer.source / "promql/promqltest/testdata")
    files = sorted(folder.glob("*.test"))
    print(f"{len(files)} scripts, Prometheus {newer.version}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        return run(Scripts(converter), files, experimental(newer.source), options.batch, options.show, pathlib.Path(work))


if __name__ == "__main__":
    sys.exit(main())
