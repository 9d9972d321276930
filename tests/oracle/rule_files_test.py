#!/usr/bin/env python3
"""Rule files are accepted and refused as promtool does it: 2.42's beside promql_compat 2, one of 3.x beside 3.

  rule_files_test.py [--beside FOLDER] [--kept FOLDER] [--files FOLDER]... [--seed N] [--cases N]

Of files: those of the shared folder, of the Prometheus source that newer_prometheus.py fetches, of this repository, and of
the folders given. Of random ones: small files in which names, durations, expressions, templates, types and YAML's own forms
are right or a little wrong; the seed is printed. FETTLE names the program. Exit code 0: all verdicts are the same; 1: some
are not, and their files stay; 77: no promtool of either kind.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lib  # noqa: E402
import newer_prometheus  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
# What is newer than the promtool of 3.x that we compare with, and stable in 3.16.
NEWER = re.compile(r"first_over_time|experimental duration expression|unknown function with name \"(min_of|max_of)|"
                   r"unexpected identifier \"(anchored|smoothed)\"|"
                   r"function \"(now|toDuration|urlQueryEscape)\" not defined")
# 2.42 takes a null for a name or an expression that is called so.
NULL_NAME = re.compile(r"(alert|record|expr): *(~|null)")

EXPRESSIONS = ["up == 0", "rate(http_requests_total[5m])", "sum by (job) (up)", "1", "vector(1)", "up offset 5m > 1", "up @ 100 > 0",
               "max_over_time(up[1h:5m])", "label_replace(up, 'a', '$1', 'b', '(.*)')", "absent(up{job=\"x\"})", "up{job=~\"a|b\"}",
               "count_values('v', up)", "topk(3, up)", "up == bool 1", "-up", "up and on (job) down", "a / ignoring (x) group_left (y) b",
               "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "predict_linear(x[1h], 3600)", "up[5m:1m] ", "0x1F", "1e3",
               "rate(x[1h30m])", "x offset -1d", "quantile_over_time(0.5, x[5m])", "sgn(x)", "x % 2 ^ 3", "x atan2 y", "time() - x",
               "{__name__=\"up\"}", "{job=\"x\"}", "histogram_count(x)", "group(x)", "holt_winters(x[5m], 0.5, 0.5)", "x{a='b',}", "'text'",
               "sum(x) without (a)", "x unless y", "round(x, 0.5)", "x @ start()", "x @ end() offset 1m", "stddev by (a, b) (x)", "Inf", "NaN"]
WRONG_EXPRESSIONS = ["", " ", "up ==", "rate(up)", "sum(", "up{", "foo bar", "rate(x[5])", "x[5m]", "nofunction(x)", "x{a=b}", "x offset",
                     "1 + 'a'", "x{a=~\"(\"}", "sum by (1a) (x)", "up == bool", "{}", "x and 1", "rate(x[0s])", "rate(x[1.5m])", "x[5m:]",
                     "x offset 1y2", "topk(x)", "count_values(1, x)", "x @ foo", "label_replace(x, 'a')", "quantile(x)", "{a=\"\"}", "x{a!~\"\"}",
                     "x @ 1m", "sum by (a:b) (x)", "sum by (\"\") (x)", "x{\"a.b\"=\"c\"}", "{\"a.b\"}", "sum by (\"a.b\") (x)", "x offset --5m",
                     "rate(x[5m] offset 1m)", "x{__name__=\"y\"}", "limitk(2, x)", "mad_over_time(x[5m])", "sort_by_label(x, 'a')",
                     "double_exponential_smoothing(x[5m], 0.5, 0.5)", "histogram_avg(x)", "info(x)", "x{a=\"\\xff\"}", "x # comment", "x\n+\ny",
                     "((((x))))", "x{a=\"b\" c=\"d\"}", "1 == 2", "1 == bool 2", "x[5m:1m][3m:1m]", "-1 ^ x", "x{job=~\"\\\\C\"}", "x{a=~\"(?<n>b)\"}",
                     "sum(x) by (job) by (a)", "x ignoring (a) y", "a + on () group_left b", "a and on (x) group_left b", "min(x, y)", "day_of_year()",
                     "pi()", "scalar(x)", "vector(x)", "timestamp(1)", "x == -Inf", "0b11", "1_000", "08", "1.", ".5", "0x", "1e", "5m", "x[5m1h]",
                     "rate(x[5m] anchored)", "increase(x[5m] smoothed offset 1m)", "max_over_time(x[5m] anchored)", "x smoothed"]
DURATIONS = ["5m", "1h", "30s", "1d", "1w", "1y", "100ms", "1h30m", "0s", "0"]
WRONG_DURATIONS = ["5", "-1m", "1.5m", "m", "", "1h 30m", "5M", "1m1h", "x", "1ns", "10000y", "5m5m", " 5m", "+5m"]
TEXTS = ["x", "{{ $labels.job }}", "{{ $value | humanize }}", "{{ with query \"up\" }}{{ . | first | value }}{{ end }}", "a: b", "", "100%", "yes",
         "{{ range query \"up\" }}{{ .Labels.a }}{{ end }}", "{{ printf \"%.2f\" $value }}", "{{/* c */}}", "{{ $externalURL }}", "ü", "{{ `x` }}",
         "{{ if gt $value 1.0 }}a{{ else if lt $value 0.0 }}b{{ end }}", "{{ define \"t\" }}x{{ end }}{{ template \"t\" }}", "{{- 1 -}}"]
WRONG_TEXTS = ["{{", "{{ $labels.job", "{{ nofunction }}", "{{ $x }}", "{{ end }}", "{{ if }}x{{ end }}", "{{ range $i := }}{{ end }}", "{{ $labels.a.b }}",
               "{{ query }}", "{{ template \"none\" }}", "{{ humanize }}", "{{ $value | nothing }}", "{{ 1 | 2 }}", "{{ break }}", "{{ range 3 }}x{{ end }}",
               "{{ 'ab' }}", "{{ .Nothing }}", "{{ (1 }}", "{{ define }}", "{{ with $y := 1 }}{{ $y }}{{ end }}{{ $y }}", "{{ block \"b\" . }}x{{ end }}",
               "{{ urlQueryEscape \"a b\" }}", "{{ now }}", "{{ toDuration 1.0 }}", "{{ stripDomain \"a\" }}", "{{ parseDuration \"1h\" }}"]
NAMES = ["severity", "a", "a_b", "A1", "team", "le"]
WRONG_NAMES = ["a-b", "1a", "a.b", "", "ü", "__name__", "a b", "__x__", "a:b", "alertname"]
RECORDS = ["job:up:sum", "a", "a_b:c", ":x"]
WRONG_RECORDS = ["a-b", "1a", "", "ü", "a b", "a{b='c'}", "x.y", "{a}"]
SCALARS = ["1", "1.5", "true", "null", "~", "[a]", "{a: b}", "2024-01-01", "yes", "0o17", "0x1F", "!!str 5", "'5'", ".nan", "-1", "12:30:45", "1_000"]


class Maker:
    def __init__(self, rng, wrong):
        self.rng, self.wrong = rng, wrong

    def one(self, right, wrong):
        return self.rng.choice(wrong if self.rng.random() < self.wrong else right)

    def maybe(self, chance):
        return self.rng.random() < chance

    def scalar(self, text):
        """The text in one of YAML's forms."""
        form = self.rng.randrange(4)
        plain = re.fullmatch(r"[A-Za-z(][A-Za-z0-9_()./^*%+ -]*[A-Za-z0-9_)]", text) and text not in ("NaN", "Inf", "yes", "null", "true")
        if form == 0 and plain:
            return text
        if form == 1 and "\n" not in text:
            return "'" + text.replace("'", "''") + "'"
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    def value(self, right, wrong):
        if self.maybe(self.wrong / 4):
            return self.rng.choice(SCALARS)
        return self.scalar(self.one(right, wrong))

    def mapping(self, pairs, indent):
        """Lines of a mapping; now and then a key twice, or one that nobody knows."""
        if pairs and self.maybe(self.wrong / 6):
            pairs = pairs + [self.rng.choice(pairs)]
        if self.maybe(self.wrong / 6):
            pairs = pairs + [(self.rng.choice(["unknown", "Expr", "annotation", "severity", "<<"]), "x")]
        lines = []
        for key, value in pairs:
            if isinstance(value, list):
                lines += [" " * indent + f"{key}:"] + value
            else:
                lines.append(" " * indent + f"{key}: {value}")
        return lines

    def texts(self, indent):
        pairs = [(self.scalar(self.one(NAMES, WRONG_NAMES)), self.value(TEXTS, WRONG_TEXTS)) for _ in range(self.rng.randrange(3))]
        pairs = list(dict(pairs).items()) if not self.maybe(self.wrong / 3) else pairs
        if not pairs:
            return self.rng.choice(["{}", "null" if self.maybe(0.5) else "{}", "[]" if self.maybe(self.wrong / 3) else "{}"])
        return self.mapping(pairs, indent)

    def rule(self, indent):
        alert = self.maybe(0.6)
        pairs = [("alert", self.value(["A", "Down", "a b", "ü-1"], ["", "{{ x }}"]))] if alert else [("record", self.value(RECORDS, WRONG_RECORDS))]
        if self.maybe(self.wrong / 5):
            pairs.append(("record", "r") if alert else ("alert", "A"))
        if self.maybe(self.wrong / 8):
            pairs = []
        if not self.maybe(self.wrong / 8):
            pairs.append(("expr", self.value(EXPRESSIONS, WRONG_EXPRESSIONS)))
        for key, chance in (("for", 0.3), ("keep_firing_for", 0.1)):
            if self.maybe(chance if alert else self.wrong / 8):
                pairs.append((key, self.value(DURATIONS, WRONG_DURATIONS)))
        if self.maybe(0.5):
            pairs.append(("labels", self.texts(indent + 2)))
        if self.maybe(0.4 if alert else self.wrong / 8):
            pairs.append(("annotations", self.texts(indent + 2)))
        self.rng.shuffle(pairs)
        lines = self.mapping(pairs, indent)
        return [" " * (indent - 2) + "- " + lines[0].strip(), *lines[1:]] if lines else [" " * (indent - 2) + "- {}"]

    def group(self, number):
        pairs = [("name", self.value([f"g{number}", "a b", "ü"], ["", "g0"]))]
        for key, chance, right, wrong in (("interval", 0.3, DURATIONS[:8], WRONG_DURATIONS + ["0s"]), ("limit", 0.15, ["1", "0"], ["-1", "x", "1.5"]),
                                          ("query_offset", self.wrong / 5, DURATIONS, WRONG_DURATIONS)):
            if self.maybe(chance):
                pairs.append((key, self.value(right, wrong) if key != "limit" else self.one(right, wrong)))
        if self.maybe(self.wrong / 5):
            pairs.append(("labels", self.texts(8)))
        rules = [line for _ in range(self.rng.randrange(1, 4)) for line in self.rule(10)]
        if not self.maybe(self.wrong / 8):
            pairs.append(("rules", rules if not self.maybe(self.wrong / 10) else self.rng.choice(["[]", "null", "x", "{}"])))
        lines = self.mapping(pairs, 6)
        return ["    - " + lines[0].strip(), *lines[1:]]

    def file(self):
        lines = [line for number in range(self.rng.randrange(1, 3)) for line in self.group(number)]
        text = "\n".join(["groups:", *lines, ""])
        if not self.maybe(self.wrong / 3):
            return text
        return self.rng.choice([
            lambda: "", lambda: "groups:\n", lambda: "groups: []\n", lambda: "[]\n", lambda: text + "more: 1\n", lambda: "\ufeff" + text,
            lambda: text.replace("\n", "\r\n"), lambda: "---\n" + text, lambda: text + "---\n" + text, lambda: text + "...\n", lambda: "# c\n" + text,
            lambda: text.replace("    - ", "    -\t", 1), lambda: text.replace("  ", "\t", 1), lambda: text[:self.rng.randrange(len(text))],
            lambda: text.replace("groups:", "groups: &g", 1), lambda: text + "groups: []\n", lambda: "%YAML 1.1\n---\n" + text,
            lambda: text.replace(": ", ":", 1), lambda: text.replace("expr:", "expr: |\n           ", 1), lambda: text + "\0",
            lambda: text.replace("- alert:", "- &r\n          alert:", 1), lambda: "- " + text, lambda: text.replace("name:", "? name\n      :", 1)])()


def known_files(shared, newer, more):
    folders = [TOP / "rules", TOP / "tests", *(pathlib.Path(each) for each in more)]
    if shared.is_dir():
        folders.append(shared / "promql")
    if newer:
        folders += [newer.source / "model/rulefmt/testdata", newer.source / "cmd/promtool/testdata", newer.source / "rules/fixtures",
                    newer.source / "documentation"]
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in (".yml", ".yaml", ".rules") and path.is_file() and b"groups:" in path.read_bytes():
                found.setdefault(path.read_bytes(), path)
    return sorted(found.values())


def verdict(*argv):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=60)
    return done.returncode == 0, done.stdout


def judges(kept):
    """Each promtool that is here with the compat that it stands for, and what came with that of 3.x."""
    newer, found = None, []
    try:
        newer = newer_prometheus.newer_prometheus(kept)
    except newer_prometheus.NotHere as why:
        print(f"3.x is left out: {why}")
    old = shutil.which("promtool")
    if old and "version 2.42" in verdict(old, "--version")[1]:
        found.append((old, 2))
    if newer:
        found.append((newer.promtool, 3))
    if not found:
        print("skipped: there is no promtool of 2.42, and none of 3.x")
        sys.exit(lib.SKIPPED)
    return found, newer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--beside", default=TOP.parent / "shared")
    parser.add_argument("--kept", default=TOP / "build/deps/prometheus-3")
    parser.add_argument("--files", action="append", default=[])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--cases", type=int, default=60)
    options = parser.parse_args()
    all_judges, newer = judges(options.kept)
    print(f"seed {options.seed}", flush=True)
    known = known_files(pathlib.Path(os.environ.get("FETTLE_SHARED") or options.beside), newer, options.files)
    with lib.folder() as where:
        rng = random.Random(options.seed)
        made = []
        for number in range(options.cases):
            made.append(where / f"random-{number}.yml")
            made[-1].write_bytes(Maker(rng, rng.choice([0.02, 0.1, 0.3])).file().encode())
        accepted, bad = 0, []
        for path in known + made:
            for promtool, compat in all_judges:
                theirs, said = verdict(promtool, "check", "rules", path)
                ours, answer = verdict(os.environ["FETTLE"], "check", "rules", f"--promql.compat={compat}", path)
                accepted += theirs
                excused = ours and NEWER.search(said) if compat == 3 else theirs and NULL_NAME.search(path.read_text(errors="replace"))
                if theirs != ours and not excused:
                    bad.append(f"{path}: promtool for {compat} {'accepts' if theirs else 'refuses'}, we do not\n{said[-600:]}\n{answer[-600:]}")
        print("\n".join(bad))
        total = len(all_judges) * len(known + made)
        assert not bad, f"{len(bad)} of {total} verdicts differ"
    print(f"{len(known)} files and {len(made)} random ones: {total} verdicts are promtool's, {accepted} of them accept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
