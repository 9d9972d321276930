#!/usr/bin/env python3
"""Files of unit tests pass and fail as promtool says: 2.42 beside promql_compat 2, one of 3.x beside 3.

  rule_cases_test.py [--kept FOLDER] [--seed N] [--cases N]

The files are random: keys that are left out or wrong, durations, series and values in all their notations, alerts and samples
that are expected rightly or wrongly. The seed is printed. FETTLE names the program. Exit code 0: all verdicts are the same; 1:
some are not, and their files are printed; 77: no promtool of either kind.
"""
import argparse
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lib  # noqa: E402
import rule_files_test as rule_files  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
RULES = """groups:
- name: first
  interval: 30s
  rules:
  - {alert: Down, expr: up == 0, for: 1m, labels: {severity: page}, annotations: {summary: "{{ $labels.job }} {{ $value }}", empty: ""}}
  - {alert: Now, expr: up == 0, keep_firing_for: 2m}
  - {record: 'job:up:sum', expr: sum by (job) (up)}
- name: second
  rules:
  - {alert: Second, expr: 'job:up:sum < 2', labels: {cluster: "{{ $externalLabels.cluster }}", url: "{{ $externalURL }}"}}
  - {record: twice, expr: up * 2, labels: {a: b}}
"""
DURATIONS = ["0m", "1m", "2m", "3m", "30s", "90s", "5m", "1m30s", "150s", "0", "0s"]
WRONG_DURATIONS = ["-1m", "5", "1.5m", "''", "x", "1m 30s", "1h1m1s", "1d", "~"]
SERIES = ["up", "up{}", 'up{job="a"}', 'up{job="b"}', '{__name__="up",job="c"}', 'up{job="a",instance="i"}', '{"up",job="q"}', '{"up.x"}', "x",
          'up{job="a" }', ' up{job="a"}', "up{job='a'}", 'up{job="a",}', 'up{job="\\u00fc"}', 'up{"k.8"="a"}', "up{", "up{a=~'b'}", "1x"]
VALUES = ["0", "1", "0 0 0 0 0", "1 1 0 0 0 0", "0x5", "1x5", "0+1x5", "5-1x5", "_", "_x3 1", "1 _ 1", "stale", "1 stale 1", "NaN", "1 NaN", "inf",
          "1e3", "-1+2x3", "+1", "1_0", ".5", "1x0", "_x0", "1+0.1x5"]
WRONG_VALUES = ["-Inf x", "1,2", "1 2x", "1+1", "stalex2", "NaNx2", "2x", "x", "1x-1", "''", "0x1F", "1+-1x2", "01 07", "{{count:1}}"]
EXPRESSIONS = ["up", "up == 0", "job:up:sum", "twice", "ALERTS", "vector(1)", "1", "time()", "sum(up)", "count(up)", 'up{job="a"}', "rate(up[5m])",
               "absent(zz)", "ALERTS_FOR_STATE", "up offset 1m", "vector(1) == bool 1", "sum_over_time(up[2m:1m])", "sum_over_time(up[2m:])"]
WRONG_EXPRESSIONS = ['"s"', "up[1m]", "nofunc(x)", "", '{"up.x"}']
LABELS = {"up": 'up{job="a"}', "job:up:sum": 'job:up:sum{job="a"}', "twice": 'twice{job="a",a="b"}'}
NUMBERS = ["0", "1", "1", "2", "60", "90", "1.0", "1e0", "0x1", "+1", ".inf"]
WRONG_NUMBERS = [".nan", "NaN", "'1'", "Inf", "true", "x"]


class Maker:
    def __init__(self, rng):
        self.rng = rng
        self.wrong = rng.choice([0, 0.02, 0.1])

    def maybe(self, chance):
        return self.rng.random() < chance

    def one(self, right, wrong):
        return self.rng.choice(wrong if self.maybe(self.wrong) else right)

    def quoted(self, text):
        return "'" + text.replace("'", "''") + "'"

    def duration(self):
        return self.one(DURATIONS, WRONG_DURATIONS)

    def several(self, make, least, most):
        return "".join(f"  - {make()}\n" for _ in range(self.rng.randrange(least, most))).rstrip("\n")

    def series(self):
        parts = [f"series: {self.quoted(self.one(SERIES[:12], SERIES))}", f"values: {self.quoted(self.one(VALUES, WRONG_VALUES))}"]
        if self.maybe(self.wrong / 4):
            parts.remove(self.rng.choice(parts))
        return "{" + ", ".join(parts) + "}"

    def alert(self):
        job = self.rng.choice("ab")
        labels = {"Down": f"severity: page, job: {job}", "Now": f"job: {job}", "Second": f"job: {job}"}
        name = self.one([*labels, "None"], ["''", ""])
        expected = []
        for _ in range(self.rng.randrange(3)):
            own = labels.get(name, "a: b") if not self.maybe(0.2) else self.rng.choice(["", "severity: page", "alertname: x", 'job: ""'])
            texts = f'summary: "{job} 0", empty: ""' if name == "Down" and not self.maybe(0.2) else self.rng.choice(["", 'summary: "a 0"'])
            expected.append(f"{{exp_labels: {{{own}}}, exp_annotations: {{{texts}}}}}")
        parts = [f"eval_time: {self.duration()}"]
        if name:
            parts.append(f"alertname: {name}")
        if expected or self.maybe(0.3):
            parts.append(f"exp_alerts: [{', '.join(expected)}]")
        return "{" + ", ".join(parts) + "}"

    def expression(self):
        text = self.one(EXPRESSIONS, WRONG_EXPRESSIONS)
        samples = []
        for _ in range(self.rng.randrange(3)):
            labels = LABELS.get(text, "{}") if not self.maybe(0.2) else self.rng.choice(['up{job="b"}', "", "x", 'up{a=""}', *(["{"] if self.wrong else [])])
            samples.append(f"{{labels: {self.quoted(labels)}, value: {self.one(NUMBERS, WRONG_NUMBERS)}}}")
        parts = [f"expr: {self.quoted(text)}", f"eval_time: {self.duration()}"]
        if samples or self.maybe(0.5):
            parts.append(f"exp_samples: [{', '.join(samples)}]")
        return "{" + ", ".join(parts) + "}"

    def group(self):
        keys = []
        if self.maybe(0.5):
            keys.append(f"name: {self.rng.choice(['t', '5'])}")
        keys.append(f"interval: {self.duration() if self.maybe(0.3) else '1m'}")
        if self.maybe(0.1):
            keys.append("external_labels: {cluster: eu}")
        if self.maybe(0.1):
            keys.append("external_url: http://x/")
        if self.maybe(self.wrong / 4):
            keys.append(self.rng.choice(["foo: 1", "inputseries: []", "name: again"]))
        keys.append("input_series:\n" + self.several(self.series, 1, 4))
        if self.maybe(0.7):
            keys.append("alert_rule_test:\n" + self.several(self.alert, 1, 3))
        if self.maybe(0.8):
            keys.append("promql_expr_test:\n" + self.several(self.expression, 1, 3))
        self.rng.shuffle(keys)
        return "- " + "\n  ".join(keys)

    def file(self):
        keys = [f"rule_files: [{self.one(['rules.yml', '', 'r*.yml', 'none.yml'], ['rules.yml, rules.yml'])}]"]
        keys.append(f"evaluation_interval: {self.duration() if self.maybe(0.2) else self.rng.choice(['1m', '30s', '2m'])}")
        if self.maybe(0.1):
            keys.append(f"group_eval_order: [{self.one(['first, second', 'second, first', 'none'], ['first, first'])}]")
        if self.maybe(self.wrong):
            keys.append(f"fuzzy_compare: {self.rng.choice(['true', 'false'])}")
        keys.append("tests:\n" + "\n".join(self.group() for _ in range(self.rng.randrange(1, 3))))
        return "\n".join(keys) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kept", default=TOP / "build/deps/prometheus-3")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--cases", type=int, default=150)
    options = parser.parse_args()
    judges, _ = rule_files.judges(options.kept)
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    passed, bad = 0, []
    with lib.folder() as where:
        (where / "rules.yml").write_text(RULES)
        for number in range(options.cases):
            path = where / f"random-{number}.yml"
            path.write_text(Maker(rng).file())
            for promtool, compat in judges:
                theirs, said = rule_files.verdict(promtool, "test", "rules", path)
                ours, answer = rule_files.verdict(os.environ["FETTLE"], "test", "rules", f"--promql.compat={compat}", path)
                passed += theirs
                if theirs != ours and not known(path.read_text(), said, compat) and not undecided(promtool, path, ours):
                    bad.append(f"{path.read_text()}promtool for {compat} says {theirs}, we say {ours}\n{said[-600:]}\n{answer[-600:]}")
        print("\n".join(bad[:10]))
        assert not bad, f"{len(bad)} of {len(judges) * options.cases} verdicts differ"
    print(f"{options.cases} files: {len(judges) * options.cases} verdicts are promtool's, {passed} of them pass")
    return 0


def undecided(promtool, path, ours):
    """promtool takes the groups in any order: where one reads what another records, its verdicts on one file differ."""
    return any(rule_files.verdict(promtool, "test", "rules", path)[0] == ours for _ in range(20))


def known(text, said, compat):
    """What is left to differ."""
    if "{{count:1}}" in text:
        return True  # native histograms
    # 2.42 puts all values at the start if a test does not say how far they are apart; we take evaluation_interval, as 3.x.
    return compat == 2 and any(f"interval: {zero}\n" in text for zero in ("0m", "0", "0s", "~"))


if __name__ == "__main__":
    sys.exit(main())
