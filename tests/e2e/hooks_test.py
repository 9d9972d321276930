#!/usr/bin/env python3
"""100 hooks that hang, fork twice and ignore SIGTERM, as recovery commands of fettle and as programs of monit, each with a
time limit: how many of their processes are left when the limits are over? Ours must be none. monit is skipped, and said
so, where it is not installed."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import lib

HOOKS = 100
LIMIT = 2  # seconds, of both

# A hook with a child, and its daemon in a session of its own with two: five processes, deaf to whatever can be ignored.
HOOK = """#!/bin/sh
trap '' TERM HUP INT
echo started >> {where}/started
(setsid sh -c 'trap "" TERM HUP INT; sleep {mark} & sleep {mark}' >/dev/null 2>&1 &)
sleep {mark}
sleep {mark}
"""
CONFIG = """
global: {{interval: 1s, timeout: 500ms, evaluation_interval: 1s, recovery: {{plans_at_once: 100, actions_per_hour: 100000}}}}
rule_files: [rules.yml]
services:
{services}
"""
SERVICE = """
  s{i}:
    probes: [{{name: exec, type: exec, command: [/bin/false], interval: 1h, timeout: 10s, failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1, within: 1h}}
      steps: [{{do: {{command: {{argv: ["{where}/hook"], limit: {limit}s, grace: 1s}}}}, timeout: 60s}}]
"""
RULES = "groups: [{name: trading, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"


def survivors(mark):
    """Processes of the hooks: they, and only they, sleep for so many seconds or run the hook of this folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(mark).encode() in word for word in words) and b"python3" not in words[0]:
            found.append(int(entry.name))
    return found


def write_hook(where, mark):
    hook = where / "hook"
    hook.write_text(HOOK.format(where=where, mark=mark))
    hook.chmod(0o755)
    return hook


def started(where):
    path = where / "started"
    return len(path.read_text().splitlines()) if path.exists() else 0


def ours(where, mark):
    write_hook(where, mark)
    (where / "rules.yml").write_text(RULES)
    services = "".join(SERVICE.format(i=i, where=where, limit=LIMIT) for i in range(HOOKS))
    with lib.Agent(where, CONFIG.format(services=services)) as agent:
        def ended():
            recoveries = lib.get_json(agent.url + "/api/v1/recoveries")["data"]["recoveries"]
            actions = [a for r in recoveries for a in r["actions"]]
            return [a for a in actions if a["result"] == "timeout"] if len(actions) == HOOKS else None

        timed_out = lib.wait_for("100 hooks to reach their limit", ended, 180)
        assert started(where) == HOOKS, started(where)
        assert len(timed_out) == HOOKS, timed_out
        # What was killed on a node that starves may take a moment to be gone.
        lib.wait_for("their processes to be gone", lambda: not survivors(mark), 60)
        return len(survivors(mark))


def monits(where, mark):
    hook = write_hook(where, mark)
    control = where / "monitrc"
    checks = "".join(f'check program hook{i} with path "{hook}" with timeout {LIMIT} seconds\n  if status != 0 then alert\n'
                     for i in range(HOOKS))
    control.write_text(f"set daemon 1\nset log {where}/monit.log\nset pidfile {where}/monit.pid\nset idfile {where}/monit.id\n"
                       f"set statefile {where}/monit.state\n{checks}")
    control.chmod(0o600)
    with lib.Process(where, "monit", [lib.need("monit"), "-I", "-c", control]):
        # Its limit is looked at in the next cycle; ten more, and what is left is left. It starts each anew in every cycle.
        lib.wait_for("monit to start 100 hooks", lambda: started(where) >= HOOKS, 180)
        time.sleep(LIMIT + 10)
    # As it leaves them: monit itself has ended.
    count, hooks = len(survivors(mark)), started(where)
    return count, hooks


def clean_up(mark):
    for pid in survivors(mark):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


base = os.getpid() * 1000 % 1_000_000_000 + 7_000_000_000
try:
    with lib.folder() as where:
        left = ours(where, base)
    print(f"fettle: {HOOKS} hooks, limit {LIMIT} s: {left} processes left")
    assert left == 0
    if shutil.which("monit", path=os.environ["PATH"] + ":/usr/sbin:/usr/bin"):
        with lib.folder() as where:
            left, hooks = monits(where, base + 1)
        print(f"monit {subprocess.run(['monit', '-V'], capture_output=True, text=True).stdout.split()[4]}: {hooks} hooks "
              f"started, limit {LIMIT} s: {left} processes left")
    else:
        print("monit: not measured, it is not installed (packaging/debian-packages.txt names its package)")
finally:
    clean_up(base)
    clean_up(base + 1)
