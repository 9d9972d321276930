#!/usr/bin/env python3
"""Seeds one defect at a time into a small tree and expects the lint that is for it to name the place."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CLEAN = {
    "agent/base/time.h": "#pragma once\n",
    "agent/web/slot.h": "#pragma once\nstd::mutex mutex_;\n",
    "tests/lint/mutexes.txt": "# list\nagent/web/slot.h mutex_  the slot\n",
    "packaging/run": "#!/bin/sh\ncat /etc/fettle/fettle.yml\n",
}
# lint, file, its text, what is said
DEFECTS = [
    ("include_graph.py", "agent/base/time.h", '#include "model/labels.h"\n', "base/ may not include model/"),
    ("include_graph.py", "agent/web/slot.h", "#include <sqlite3.h>\nstd::mutex mutex_;\n", "belongs in state/ only"),
    ("mutexes.py", "agent/base/time.h", "std::mutex second_mutex_;\n", "second_mutex_ is not in"),
    ("mutexes.py", "agent/base/time.h", "mutable std::shared_mutex second_;\n", "second_ is not in"),
    ("mutexes.py", "agent/web/slot.h", "#pragma once\n", "agent/web/slot.h has no mutex mutex_"),
    ("repository.py", "helpers/new.cc", "\n", "helpers does not belong at the top"),
    ("repository.py", "dashboards/node_modules/a.js", "\n", "node_modules is not committed"),
    ("repository.py", "packaging/run", "cd /home/someone/fettle\n", "packaging/run:1: /home/someone/fettle exists"),
    ("repository.py", "packaging/run", "\ncurl http://npm.shop.internal/\n", "packaging/run:2: http://npm.shop.internal"),
    ("repository.py", "dashboards/package-lock.json", '"resolved": "https://npm.example/a.tgz"\n', "npm.example/a.tgz"),
    ("repository.py", "agent/base/time.h", "\n" * 901, "901 lines"),
]


def run(lint, files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if shutil.which("git"):
            subprocess.run(["git", "init", "-q", folder], check=True)
            subprocess.run(["git", "-C", folder, "add", "-f", "."], check=True)
        done = subprocess.run([sys.executable, HERE / lint, folder], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


failures = []
for lint in sorted({row[0] for row in DEFECTS}):
    code, said = run(lint, CLEAN)
    if code != 0:
        failures.append(f"{lint} finds something in a clean tree: {said}")
for lint, name, text, want in DEFECTS:
    if "node_modules" in name and not shutil.which("git"):
        continue  # without git nobody knows what is committed
    code, said = run(lint, {**CLEAN, name: text})
    if code != 1 or want not in said:
        failures.append(f"{lint}, {name}: wanted \"{want}\", exit code 1; got {code}: {said}")
print("\n".join(failures) or f"{len(DEFECTS)} seeded defects were found")
sys.exit(1 if failures else 0)
