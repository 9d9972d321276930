#!/usr/bin/env python3
"""An agent that may have few tasks, little address space, or an odd stack starts with fewer workers and says so, or says in one
sentence why it cannot start. With few workers everything is answered still, and programs of probes find a task."""
import concurrent.futures
import os
import pathlib
import socket
import subprocess
import sys

import lib

NOBODY_ELSE = 0x7E771E  # a user of whom there is no other process: ulimit -u counts all of them
WANTED = 68             # threads of an agent that may have as many as it wants
CONFIG = """
global: {interval: 500ms, timeout: 400ms}
services:
  order: {probes: [{name: program, type: exec, command: [/bin/true]}]}
"""
FEWER = "fewer workers than wanted answer requests"


def stream(agent):
    """The first bytes of the page's event stream."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as s:
        s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        return s.recv(4096)


def all_is_answered(agent):
    """Each lane at once, with more requests than there are workers of it; the API refuses some only where it has many."""
    paths = ["/metrics", "/-/healthy", "/", "/api/v1/query?query=fettle_service_up"] * 15
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for answer in pool.map(lambda path: lib.get(agent.url + path, 20), paths):
            assert answer
    assert lib.fettle("silence", "list", f"--admin.socket={agent.admin}").returncode == 0
    assert stream(agent).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 204 "))
    lib.wait_for("a task for the probe's program", lambda: agent.service("order")["health"] == "up")
    assert lib.fettle("reload", f"--admin.socket={agent.admin}").returncode == 0


def cannot_start(agent):
    done = subprocess.run(agent.argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, (done.returncode, done.stderr[-2000:])
    lines = [line for line in done.stderr.splitlines() if "level=error" in line]
    assert len(lines) == 1 and "fettle cannot start" in lines[0], done.stderr[-2000:]
    return lines[0]


with lib.folder() as where:
    where.chmod(0o777)
    agent = lib.Agent(where, CONFIG)
    program = agent.argv

    as_other = ["setpriv", f"--reuid={NOBODY_ELSE}", "--clear-groups"]
    if os.geteuid() != 0 or subprocess.run([*as_other, lib.FETTLE, "version"], capture_output=True).returncode != 0:
        print("skipped: only root is somebody else of whom no other process is, and then he must be able to run the agent")
    else:
        for tasks in (1, 2, 6, 10):
            agent.argv = [*as_other, "prlimit", f"--nproc={tasks}", *program]
            said = cannot_start(agent)
            assert "raise TasksMax= of the unit, the pids limit of the container, or ulimit -u" in said, said
        for tasks in (11, 20, 50, 70):
            agent.argv = [*as_other, "prlimit", f"--nproc={tasks}", *program]
            with agent:
                told = [line for line in agent.text().splitlines() if FEWER in line]
                assert len(told) == 1 and "raise TasksMax=" in told[0] and "wanted=64" in told[0], agent.text()
                threads = len(os.listdir(f"/proc/{agent.child.pid}/task"))
                assert threads < min(tasks, WANTED), threads
                print(f"{tasks} tasks: {threads} threads")
                all_is_answered(agent)
            assert agent.child.returncode == 0, agent.child.returncode
            (where / "agent.log").unlink()

    for size in (150, 200, 300, 500):
        limit = ["prlimit", f"--as={size * 1000 * 1000}"]
        if subprocess.run([*limit, lib.FETTLE, "version"], capture_output=True).returncode != 0:
            print(f"skipped: this build does not fit into {size} MB of addresses at all")
            continue
        agent.argv = [*limit, *program]
        done = subprocess.Popen(agent.argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            lib.wait_for("the agent to be ready, or to end", lambda: done.poll() is not None or lib.get(agent.url + "/-/ready"))
            if done.poll() is None:
                all_is_answered(agent)
        finally:
            done.terminate()
            said = done.communicate(timeout=60)[1]
        if done.returncode == 1:
            assert said.count("fettle cannot start") == 1 and "LimitAS=" in said, said
        else:
            assert done.returncode == 0 and FEWER in said, (done.returncode, said)
        print(f"{size} MB of addresses: {'cannot start' if done.returncode else 'fewer workers'}")

    # Deep expressions and the page's work need more than a small stack has; one without a limit is not given to each thread.
    deep = "(" * 90 + "vector(1)" + ")" * 90
    small = 64 * 1024
    for stack in (f"{small}:{8 << 20}", f"{small}:", f"{1 << 20}:{1 << 20}", "unlimited:", f"{16 << 30}:"):
        agent.argv = ["prlimit", f"--stack={stack}", *program]
        with agent:
            all_is_answered(agent)
            assert FEWER not in agent.text(), agent.text()
            for _ in range(5):
                assert agent.query(deep), stack
            mapped = int(pathlib.Path(f"/proc/{agent.child.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            assert mapped < 2 << 30, (stack, mapped)
        assert agent.child.returncode == 0, (stack, agent.child.returncode)
        (where / "agent.log").unlink()
    done = subprocess.run(["prlimit", f"--stack={small}:{small}", *program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "its stack may be 64 KiB, and 1024 are needed: raise LimitSTACK=" in done.stderr, done
    print("small and unlimited stacks: as with the usual one")

    # Memory for stacks is data, too.
    agent.argv = ["prlimit", f"--data={300 << 20}", *program]
    with agent:
        told = [line for line in agent.text().splitlines() if FEWER in line]
        assert len(told) == 1 and "raise LimitAS= or LimitDATA= of the unit" in told[0], agent.text()
        all_is_answered(agent)
