#!/usr/bin/env python3
"""kill -9 of the agent at random moments over a script of faults, of which the seed is printed. Services go up and down; the receiver
answers 500, 429 with Retry-After, hangs, resets or is away; the disk is full (a small tmpfs, where this user may mount one); SQLite gets
errors from its disk; the wall clock is set by an hour and back. At the end everything works: each firing that was logged while the disk
was sound is told, in order, and each end; no id has two bodies; no service was recovered more often than its budget allows; the database
is sound. Arguments: how many kills, and a seed."""
import collections
import json
import mmap
import os
import random
import sqlite3
import struct
import subprocess
import sys
import time

import lib

if "FETTLE_OWN_MOUNTS" not in os.environ:
    os.environ["FETTLE_OWN_MOUNTS"] = "0"
    unshare = lib.shutil.which("unshare")
    if unshare and subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode == 0:
        os.environ["FETTLE_OWN_MOUNTS"] = "1"  # gone with this process
        os.execv(unshare, [unshare, "--mount", sys.executable, *sys.argv])
OWN_MOUNTS = os.environ["FETTLE_OWN_MOUNTS"] == "1"
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 8
seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
print(f"seed {seed}" + ("" if OWN_MOUNTS else "; without a full disk: this user may not have mounts of his own"))
rng = random.Random(seed)
SERVICES = [f"s{i}" for i in range(5)]
ATTEMPTS = 3

CONFIG = """
global: {interval: 100ms, timeout: 90ms, evaluation_interval: 200ms, recovery: {actions_per_hour: 1000, plans_at_once: 10}}
rule_files: [rules.yml]
services:
""" + "".join(f"""  {s}: {{probes: [{{name: file, type: file, path: "WHERE/{s}", failure_threshold: 1}}]}}
""" for s in SERVICES) + "".join(f"""  r{i}:
    probes: [{{name: file, type: file, path: "WHERE/r{i}", failure_threshold: 1}}]
    recovery:
      when: {{alert: Down}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: {ATTEMPTS}, within: 24h, backoff: {{initial: 100ms, max: 100ms, jitter: 0}}}}
      steps: [{{do: {{command: {{argv: ["WHERE/act-r{i}"]}}}}, timeout: 5s, verify: {{success_threshold: 1, within: 500ms}}}}]
""" for i in range(3)) + """
receivers:
  - {name: one, tell: all, webhook_configs: [{timeout: 1s, url: "http://127.0.0.1:PORT/"}]}
"""
RULES = "groups: [{name: g, rules: [{alert: Down, expr: 'fettle_service_up == 0'}]}]\n"
ANSWERS = ["take", "take", "500", "429", "hang", "cut"]


class Receiver(lib.ToldStory):
    def __init__(self):
        super().__init__()
        self.kind = "any"
        self.unwritten = lambda at: False  # whether the disk took nothing then
        self.hook = lib.Webhook(self.answer)

    def answer(self, headers, body):
        with self.lock:
            kind = self.kind if self.kind != "any" else rng.choice(ANSWERS)
            if kind in ("take", "cut"):
                self.take(headers["webhook-id"], body)
        if kind == "hang":
            time.sleep(1.2)
        return {"take": 200, "500": 500, "429": (429, {"Retry-After": "1"})}.get(kind)

    def in_order(self, last, told):
        # When the clock is set by an hour the times of alerts move with it, and a message of before may come after:
        # those that lie nearer to each other are of one clock, and in order. What was told from memory while the disk took
        # nothing is forgotten by a kill, and an older state goes on.
        at = lib.wall(last[1] + "Z")
        return not 0 < at - lib.wall(told[1] + "Z") < 1800 or self.unwritten(at)


class Disk:
    """The state folder, and what is wrong with it."""

    def __init__(self, where):
        self.folder, self.bad = where / "state", []
        self.folder.mkdir()
        if OWN_MOUNTS:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.folder], check=True)
        self.part = where / "part"
        self.part.write_bytes(struct.pack("q", 0))
        with open(self.part, "r+b") as file:
            self.percent = mmap.mmap(file.fileno(), 8)  # never written anew: the agent has it mapped

    def fail(self, kind):
        self.bad.append([time.time() - 0.5, None])
        if kind == "full" and OWN_MOUNTS:
            try:
                with open(self.folder / "ballast", "wb") as file:
                    while True:
                        file.write(b"x" * 4096)
                        file.flush()
            except OSError:
                pass
        else:
            self.percent[:] = struct.pack("q", rng.choice([20, 60, 100]))

    def mend(self, agent):
        (self.folder / "ballast").unlink(missing_ok=True)
        self.percent[:] = struct.pack("q", 0)
        lib.wait_for("a durable state", lambda: lib.metric(agent, "fettle_state_durable") == 1, 30, lambda: f"exit code of the agent: {agent.child.poll()}")
        self.bad[-1][1] = time.time()

    def was_sound(self, at):
        return not any(begin <= at <= (end or at) for begin, end in self.bad)


with lib.folder() as where:
    receiver, disk = Receiver(), Disk(where)
    (where / "rules.yml").write_text(RULES)
    for i in range(3):
        script = where / f"act-r{i}"
        script.write_text(f"#!/bin/sh\necho x >> {where}/done-r{i}\n")  # it heals nothing
        script.chmod(0o755)
    names = SERVICES + [f"r{i}" for i in range(3)]
    for name in names:
        (where / name).touch()
    cc = lib.need("cc")
    for name in ("set_clock", "fail_disk"):
        subprocess.run([cc, "-shared", "-fPIC", "-O1", "-o", where / f"{name}.so", lib.TOP / f"tests/e2e/{name}.c", "-ldl"], check=True)
    offset = where / "offset"
    offset.write_bytes(struct.pack("q", 0))
    preload = {"LD_PRELOAD": f"{where}/set_clock.so {where}/fail_disk.so", "SET_CLOCK_BY": str(offset), "FAIL_DISK_PART": str(disk.part)}
    agent = lib.Agent(where, CONFIG.replace("WHERE", str(where)).replace("PORT", str(receiver.hook.port)))
    agent.argv = ["env", *(f"{k}={v}" for k, v in preload.items()), *agent.argv]
    agent.argv = [f"--storage.path={disk.folder}" if word.startswith("--storage.path=") else word for word in agent.argv]
    down, happened, steps = set(), collections.Counter(), [0]
    receiver.unwritten = lambda at: any(disk.was_sound(at - ms / 1000) is False for ms in set(steps))
    with agent, open(offset, "r+b") as file, mmap.mmap(file.fileno(), 8) as clock:

        def toggle(name):
            if name in down:
                (where / name).touch()
                down.discard(name)
            else:
                (where / name).unlink()
                down.add(name)

        def set_clock():
            ms = 0 if steps[-1] else rng.choice([-3_600_000, 3_600_000])
            clock[:] = struct.pack("q", ms)
            steps.append(ms)

        for number in range(KILLS):
            for _ in range(rng.randrange(1, 4)):
                toggle(rng.choice(names))
                time.sleep(rng.random() * 0.3)
            what = rng.choices(["", "full", "errors", "clock", "away"], [5, 2, 2, 2, 1])[0]
            happened[what] += 1
            if what in ("full", "errors"):
                disk.fail(what)
                toggle(rng.choice(names))
            elif what == "clock":
                set_clock()
            elif what == "away":
                receiver.kind = "cut" if rng.random() < 0.5 else "500"
            time.sleep(rng.random() * 0.3)
            agent.kill()
            agent.start()
            if what in ("full", "errors"):
                disk.mend(agent)
            receiver.kind = "any"
        if steps[-1]:
            set_clock()
        receiver.kind = "take"
        for name in sorted(down)[: len(down) // 2]:
            toggle(name)
        # Times of the log are of the clock that was set: which fault a line is of is said by its place, not by its time.
        logged = collections.Counter()
        for line in agent.text().splitlines():
            if 'msg="alert is firing"' not in line:
                continue
            at = lib.wall(line[3:line.index(" ")])
            if receiver.unwritten(at):
                continue
            for name in names:
                if f'service=\\"{name}\\"' in line:
                    logged[name] += 1

        def missing():
            return {n: (logged[n], receiver.story[n]) for n in names if receiver.firings(n) < logged[n]}

        lib.wait_for("the receiver to know what is true and all that was logged",
                     lambda: all((receiver.now(n) == "firing") == (n in down) for n in names) and not missing(), 150,
                     lambda: f"missing: {missing()}; now { {n: (receiver.now(n), n in down) for n in names} }")
        actions = {f"r{i}": len((where / f"done-r{i}").read_text().split()) if (where / f"done-r{i}").exists() else 0 for i in range(3)}
        # A start that finds its records unreadable leaves one attempt.
        unread = agent.text().count("budgets of before are not known")
        assert all(count <= ATTEMPTS + unread for count in actions.values()), (actions, unread)
        checked = lib.fettle("audit-log", f"--url={agent.url}")
        assert checked.returncode == 0, checked
    assert not receiver.mistakes, receiver.mistakes[:10]
    assert "damaged" not in agent.text()
    db = sqlite3.connect(disk.folder / "fettle.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    if OWN_MOUNTS:
        subprocess.run(["umount", disk.folder], check=True)
    print(f"{KILLS} kills, {dict(happened)}: {sum(logged.values())} firings logged, {sum(map(receiver.firings, names))} told in {len(receiver.bodies)} messages, "
          f"recovery actions {actions}, {unread} starts without records, {checked.stdout.splitlines()[-1]}")
