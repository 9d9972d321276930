#!/usr/bin/env python3
"""Clients with queries over everything there is, and others who do not take their answers: the agent stays within its
memory, misses no probe run, and answers a scrape and a small query in the meantime.

    crowd_test.py [--probes=N --samples=SECONDS --clients=N --readers=N --seconds=N --memory=MB]

The defaults are small, for every change; the full size is
--probes=300 --series=0 --samples=200 --ahead=0 --clients=30 --readers=80 --seconds=60 --memory=512."""
import argparse
import os
import pathlib
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import lib

parser = argparse.ArgumentParser()
parser.add_argument("--probes", type=int, default=40, help="of files, each second")
parser.add_argument("--series", type=int, default=1400, help="of applications, each second")
parser.add_argument("--samples", type=int, default=5, help="seconds for which it probes before they come")
parser.add_argument("--ahead", type=int, default=290, help="seconds after now at which the range queries end: the last samples hold for 300")
parser.add_argument("--clients", type=int, default=12)
parser.add_argument("--readers", type=int, default=20)
parser.add_argument("--seconds", type=int, default=6)
parser.add_argument("--memory", type=int, default=160, help="MB")
size = parser.parse_args()


class Group:
    """A control group with a memory limit, where we may make one; elsewhere the peak alone is looked at."""

    def __init__(self, megabytes):
        self.path, self.v1 = None, False
        lines = [line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
        for number, controllers, path in lines:
            v1 = "memory" in controllers.split(",")
            if not v1 and number != "0":
                continue
            mount = pathlib.Path("/sys/fs/cgroup/memory" if v1 else "/sys/fs/cgroup")
            name = mount / path.lstrip("/") / f"fettle-crowd-{os.getpid()}"
            try:
                name.mkdir()
                (name / ("memory.limit_in_bytes" if v1 else "memory.max")).write_text(str(megabytes << 20))
                self.path, self.v1 = name, v1
                return
            except OSError:
                if name.is_dir():
                    name.rmdir()

    def add(self, pid):
        if self.path:
            (self.path / "cgroup.procs").write_text(str(pid))

    def remove(self):
        if self.path:
            lib.wait_for("the control group to be empty", lambda: (self.path.rmdir(), True)[1])


class CrowdedAgent(lib.Agent):
    def __init__(self, where, config, group):
        super().__init__(where, config)
        # It is in the group before it looks for the limit.
        self.argv = ["/bin/sh", "-c", 'echo $$ > "$0"/cgroup.procs; exec "$@"', str(group.path), *self.argv] if group.path else self.argv


def application_page(_):
    return "".join(f'queue_length{{queue="a queue with a long name {i}"}} {i * 0.37}\n' for i in range(350))


def peak(agent):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{agent.child.pid}/status").read_text())[1]) / 1024


def counters(agent):
    asked = time.monotonic()
    page = lib.get(f"{agent.url}/metrics", timeout=30)

    def total(name):
        return sum(float(v) for v in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", page, re.M))
    late = {float(bound): float(count)
            for bound, count in re.findall(r'^fettle_scheduler_lag_seconds_bucket\{le="([0-9.]+)"\} (\S+)$', page, re.M)}
    return {"runs": total("fettle_probe_runs_total"), "overruns": total("fettle_probe_overruns_total"),
            "lag_count": total("fettle_scheduler_lag_seconds_count"), "late": late, "asked": asked, "answered": time.monotonic()}


def quantile(share, cumulative, count):
    """As histogram_quantile() has it: even within a bucket. `cumulative`: how many are at most each bound."""
    lower, before = 0.0, 0.0
    for bound in sorted(cumulative):
        if cumulative[bound] >= share * count:
            return lower + (bound - lower) * (share * count - before) / max(cumulative[bound] - before, 1)
        lower, before = bound, cumulative[bound]
    return float("inf")


def answer(url, found, lock):
    began = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=180) as response:
            while response.read(1 << 16):
                pass
            code = response.status
    except urllib.error.HTTPError as error:
        code = error.code
    except OSError as error:
        code = type(error).__name__
    with lock:
        found.append((code, time.monotonic() - began))


def crowd(agent, seconds, clients, readers):
    """What the clients, the scraper and the small queries got: lists of (code, seconds)."""
    end, lock = time.monotonic() + seconds, threading.Lock()
    wide, scrapes, small = [], [], []
    every = urllib.parse.quote('{__name__=~".+"}')
    now = time.time()
    urls = [f"{agent.url}/api/v1/query?query={every}[2h]",
            f"{agent.url}/api/v1/query_range?query={every}&start={now - 1200 + size.ahead}&end={now + size.ahead}&step=1"]

    def again(url, found, pause):
        while time.monotonic() < end:
            answer(url, found, lock)
            time.sleep(pause)

    def read_nothing():
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", agent.port), timeout=30) as slow:
                    slow.sendall(b"GET " + urls[0][len(agent.url):].encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                    while time.monotonic() < end and slow.recv(64):
                        time.sleep(1)
            except OSError:
                time.sleep(0.1)

    threads = [threading.Thread(target=again, args=(urls[i % 2], wide, 0)) for i in range(clients)]
    threads += [threading.Thread(target=read_nothing) for _ in range(readers)]
    threads += [threading.Thread(target=again, args=(f"{agent.url}/metrics", scrapes, 0.5)),
                threading.Thread(target=again, args=(f"{agent.url}/api/v1/query?query=count(probe_success)", small, 0.5))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wide, scrapes, small


def summary(found):
    codes = {code: sum(1 for each in found if each[0] == code) for code in sorted({c for c, _ in found}, key=str)}
    return f"{codes}, slowest {max((took for _, took in found), default=0):.2f} s"


group = Group(size.memory)
application = lib.application(application_page)
try:
    with lib.folder() as where:
        for i in range(size.probes):
            (where / f"file{i}").write_text("x")
        config = "global: {interval: 1s, timeout: 900ms, evaluation_interval: 1s}\nservices:\n" + "".join(
            f"  s{i}:\n    probes: [{{name: file, type: file, path: {where}/file{i}}}]\n" for i in range(size.probes))
        config += "".join(f"  app{i}:\n    probes: [{{name: app, type: prometheus, metrics: [queue_length], "
                          f"url: 'http://127.0.0.1:{application}/'}}]\n" for i in range(size.series // 350))
        probes = size.probes + size.series // 350
        with CrowdedAgent(where, config, group) as agent:
            time_to_fill = time.monotonic() + size.samples
            lib.wait_for("samples to be there", lambda: time.monotonic() >= time_to_fill, size.samples + 10)
            quiet_peak = peak(agent)
            for what, clients, readers in (("clients", size.clients, 0), ("slow readers", 2, size.readers)):
                before = counters(agent)
                wide, scrapes, small = crowd(agent, size.seconds, clients, readers)
                assert agent.child.poll() is None, f"the agent ended with {agent.child.returncode}"
                after = counters(agent)
                shortest, longest = after["asked"] - before["answered"], after["answered"] - before["asked"]
                runs = after["runs"] - before["runs"]
                late = {bound: after["late"][bound] - before["late"][bound] for bound in after["late"]}
                count = after["lag_count"] - before["lag_count"]
                p99 = quantile(0.99, late, count)
                print(f"{what}: {runs:.0f} runs in {shortest:.1f} to {longest:.1f} s of {probes} probes, "
                      f"{after['overruns'] - before['overruns']:.0f} left out, 99 % late by at most {1000 * p99:.1f} ms, "
                      f"peak {peak(agent):.0f} MB (before {quiet_peak:.0f})")
                print(f"  wide queries {summary(wide)}\n  scrapes {summary(scrapes)}\n  small queries {summary(small)}")
                assert after["overruns"] == before["overruns"], "runs were left out"
                # A run of each may be under way at either end.
                assert probes * (shortest - 1) <= runs <= probes * (longest + 2), "runs that did not happen"
                assert peak(agent) < size.memory, "more memory than allowed"
                assert wide and all(code in (200, 422, 503) for code, _ in wide), summary(wide)
                if clients == size.clients:
                    assert any(code == 200 for code, _ in wide), "nobody had an answer"
                    assert all(code == 200 for code, _ in small), summary(small)
                assert scrapes and all(code == 200 for code, _ in scrapes), summary(scrapes)
            held = lib.wait_for("the memory of answers to be given back",
                                lambda: re.search(r"^fettle_answer_bytes 0$", lib.get(f"{agent.url}/metrics"), re.M), 60)
            resident = float(re.search(r"^process_resident_memory_bytes (\S+)$", lib.get(f"{agent.url}/metrics"), re.M)[1])
            print(f"resident afterwards: {resident / 2**20:.0f} MB")
finally:
    group.remove()
