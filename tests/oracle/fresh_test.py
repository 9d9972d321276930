#!/usr/bin/env python3
"""Fresh random cases by the generators of the shared folder, answered by the installed Prometheus and by us.

  fresh_test.py expressions|alerts --program PROMQL_BATCH|FETTLE [--beside FOLDER] [--seed N] [--cases N]

expressions: queries over random data (difftest.py), compared within 1e-9. alerts: rule groups with unit tests that
promtool passes (alertdiff.py), which `fettle test rules` must pass as well. The seed is printed. Exit code 0: all agree;
1: some do not, and their files stay; 77: no generator or no Prometheus of 2.x here.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lib  # noqa: E402


def run(*argv):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise AssertionError(f"{argv[1]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def expressions(where, generators, options):
    tool = generators / "difftest.py"
    run(sys.executable, tool, "generate", "--out", where / "cases", "--seed", options.seed, "--cases", options.cases or 600,
        "--datasets", max(2, (options.cases or 600) // 250))
    answer = run(sys.executable, tool, "compare", "--dir", where / "cases", "--batch", f"{options.program} --promql.compat=2")
    print(answer)
    if ", 0 not answered" not in answer:
        raise AssertionError("some queries have no answer")


def alerts(where, generators, options):
    print(run(sys.executable, generators / "alertdiff.py", "--out", where / "cases", "--seed", options.seed, "--files", options.cases or 6))
    files = sorted(file for file in (where / "cases").glob("r[0-9]*.yml") if not file.name.endswith(".rules.yml"))
    if not files:
        raise AssertionError("the generator made no files")
    run(options.program, "test", "rules", "--promql.compat=2", *files)
    print(f"{len(files)} files pass")


parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["expressions", "alerts"])
parser.add_argument("--program", required=True)
parser.add_argument("--beside", default="../shared")
parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
parser.add_argument("--cases", type=int)
chosen = parser.parse_args()
shared = pathlib.Path(os.environ.get("FETTLE_SHARED") or chosen.beside) / "promql"
if not (shared / "difftest.py").exists():
    print(f"skipped: there are no generators in {shared}; FETTLE_SHARED names another folder")
    sys.exit(lib.SKIPPED)
prometheus, _ = lib.need("prometheus", "promtool")
if " 2." not in subprocess.run([prometheus, "--version"], capture_output=True, text=True).stdout.split("\n")[0]:
    print("skipped: the installed Prometheus is not of 2.x")
    sys.exit(lib.SKIPPED)
print(f"seed {chosen.seed}", flush=True)
with lib.folder() as folder:
    {"expressions": expressions, "alerts": alerts}[chosen.what](folder, shared, chosen)
