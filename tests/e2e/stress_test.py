#!/usr/bin/env python3
"""Everything is replaced while answers arrive: a mixed set of probes, lists of targets, receivers, traffic and recovery plans,
with runs of /probe, queries, live updates and heartbeats under way. Half of the replacements meet answers that become ready
in the very turn in which their probe is retired: the agent is stopped, the answers and the signal are put before it, and it
goes on. It must live, end cleanly, and hold no more descriptors, memory and places than after the warm-up: both are looked at
while nothing is configured and nobody asks. Memory counts from 300 replacements on; before, caches and threads still fill. And it
counts without AddressSanitizer only: that keeps freed memory for later, by size, and its own leak detector judges the end.

FETTLE_STRESS_REPLACEMENTS: how many, default 40. FETTLE_STRESS_PROBES: how many probes, default 500."""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import lib
from stress_peers import Peers

REPLACEMENTS = int(os.environ.get("FETTLE_STRESS_REPLACEMENTS", "40"))
PROBES = int(os.environ.get("FETTLE_STRESS_PROBES", "500"))
SEED = int(os.environ.get("FETTLE_STRESS_SEED", "1"))
DISCOVERED = PROBES // 10  # targets at a time, of three times as many
SERVICES = 40
PLANS = 10  # services with a plan, traffic, and a switch that takes them down
PROCESSES = 6
SLACK_FDS = 8         # of something that looks now and then, such as a notification that is tried again
SLACK_KB = 24 * 1024  # one probe with its run is 4 kB; if those of one replacement in ten stayed, 1,000 would be 30 MB
MEMORY_COUNTS_FROM = 300
SANITIZED = b"__asan_init" in pathlib.Path(lib.FETTLE).read_bytes()
# At full size some minutes: samples are kept for one and are looked through each minute, and after 600 replacements the audit
# trail has its 5,000 entries.
WARM_UP = REPLACEMENTS * 2 // 3 if REPLACEMENTS >= MEMORY_COUNTS_FROM else max(10, REPLACEMENTS // 3)

# Share of each kind in the set: keys that change with a replacement have {v}.
KINDS = [
    (24, 'type: http, url: "http://127.0.0.1:{http}/?v={v}"'),
    (8, 'type: http, url: "http://127.0.0.1:{http}/kept?v={v}", reuse_connection: true'),
    (8, 'type: http, url: "https://127.0.0.1:{https}/?v={v}", tls_config: {{insecure_skip_verify: true}}'),
    (6, 'type: http, url: "https://127.0.0.1:{https}/kept?v={v}", reuse_connection: true, tls_config: {{insecure_skip_verify: true}}'),
    (4, 'type: http, url: "http://unix/?v={v}", unix_socket: {where}/http.sock'),
    (10, 'type: tcp, host: 127.0.0.1, port: {tcp}, query_response: [{{expect: "^hello"}}], source_ip_address: 127.0.0.{v8}'),
    (5, 'type: tls, host: 127.0.0.1, port: {https}, min_days: {v8}, tls_config: {{insecure_skip_verify: true}}'),
    (6, 'type: unix, path: {where}/line.sock, query_response: [{{send: "health {v}"}}, {{expect: "^ok"}}]'),
    (6, 'type: dns, server: 127.0.0.1, port: {dns}, query_name: shop{v}.test, query_type: A'),
    (8, 'type: connection, host: 127.0.0.1, port: {one_held}'),
    (5, 'type: process, pidfile: {where}/process{n}.pid, min_count: 1'),
    (4, 'type: heartbeat, from: beat{v8}, every: 1s, grace: 500ms'),
    (4, 'type: file, path: {where}/switch*, min_size: {v8}'),
    (2, 'type: exec, command: [/bin/sh, -c, "sleep 0.{v8}"], interval: 4s'),
]
CONFIG = """
global:
  interval: 1s
  timeout: 900ms
  evaluation_interval: 1s
  external_labels: {{site: s{site}}}
  recovery: {{plans_at_once: 20, actions_per_hour: 1000000}}
storage: {{retention: 1m}}
rule_files: [rules.yml]
heartbeat: {{socket: {where}/beat.sock}}
blackbox: {{targets: ["http://127.0.0.1:*", "https://127.0.0.1:*"]}}
receivers:
  - {{name: hook, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{hook}/?v={v}"}}]}}
  - {{name: hook{other}, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{hook}/other"}}]}}
services:
  edge:
    healthy_when: any
    file_sd_configs:
      - {{files: [targets/*.json], refresh_interval: 1h, probe: {{type: tcp, interval: 1s, timeout: 900ms, source_ip_address: 127.0.0.{v8}}}}}
"""
PLAN = """
    traffic: {{file: {{path: {where}/drained{i}.{v8}, present: drained}}, haproxy_agent: {{listen: "unix:{where}/agent{i}.sock", asked_within: 200ms, in_flight: 10ms}}}}
    recovery:
      when: {{alert: ServiceDown}}
      mode: {mode}
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1000, within: 1m}}
      steps:
        - {{do: {{drain: {{}}}}, timeout: 2s}}
        - {{do: {{command: {{argv: [/bin/sh, -c, "sleep 0.{v8}"], limit: 2s}}}}, timeout: 5s}}
      finally:
        - {{do: {{undrain: {{}}}}, timeout: 2s}}
"""
RULES = """
groups:
  - name: g{v8}
    rules:
      - {{alert: ServiceDown, expr: fettle_service_up == 0, annotations: {{summary: "{v}"}}}}
      - {{record: "service:up", expr: "sum by (service) (probe_success)"}}
"""


def kinds_of(count):
    """The settings of probe number i, as a template."""
    total = sum(share for share, _ in KINDS)
    out = []
    for share, template in KINDS:
        out += [template] * max(1, share * count // total)
    return out


class Site:
    """What the agent looks after; each `replace_…` makes another configuration of it."""

    def __init__(self, where, peers):
        self.where, self.peers = where, peers
        self.random = random.Random(SEED)
        self.templates = kinds_of(PROBES - DISCOVERED - PLANS)
        self.versions = [0] * len(self.templates)
        self.round = 0
        (where / "targets").mkdir()
        self.children = {}
        for n in range(PROCESSES):
            self.restart_process(n)

    def restart_process(self, n):
        child = self.children.pop(n, None)
        if child:
            child.kill()
            child.wait()
        self.children[n] = subprocess.Popen(["sleep", "100000"])
        lib_write(self.where / f"process{n}.pid", str(self.children[n].pid))

    def end(self):
        for child in self.children.values():
            child.kill()
            child.wait()

    def probe(self, i):
        v = self.versions[i]
        text = self.templates[i].format(v=v, v8=2 + v % 8, where=self.where, n=i % PROCESSES,
                                        one_held=self.peers.held_ports[(i + v) % len(self.peers.held_ports)], **self.peers.ports)
        return f"      - {{name: p{i}, {text}}}\n"

    def config(self):
        v = self.round
        out = CONFIG.format(where=self.where, v=v, v8=2 + v % 8, site=v // 5, other=v % 3, hook=self.peers.ports["hook"])
        for s in range(SERVICES):
            out += f"  s{s}:\n    probes:\n"
            out += "".join(self.probe(i) for i in range(s, len(self.templates), SERVICES))
        for i in range(PLANS):
            out += f"  plan{i}:\n    probes: [{{name: switch, type: exec, command: [/bin/sh, -c, '! test -e {self.where}/down{i}'], failure_threshold: 1}}]\n"
            if (i + v) % 7:  # one in seven has none for a while
                out += PLAN.format(where=self.where, i=i, v8=2 + v % 8, mode="dry_run" if (i + v) % 5 == 0 else "enforce")
        return out

    def change(self):
        self.round += 1
        for i in range(len(self.versions)):
            if self.random.random() < 0.15:
                self.versions[i] += 1

    def targets(self):
        ports = self.random.sample(self.peers.tcp_ports, DISCOVERED)
        return json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"round": str(self.round % 4)}}])

    def write_config(self):
        lib_write(self.where / "rules.yml", RULES.format(v=self.round, v8=2 + self.round % 8))
        lib_write(self.where / "fettle.yml", self.config())

    def write_targets(self):
        lib_write(self.where / "targets" / "a.json", self.targets())

    def turn_switches(self):
        for i in range(PLANS):
            switch = self.where / f"down{i}"
            if self.random.random() < 0.3:
                switch.unlink() if switch.exists() else switch.touch()


def lib_write(path, text):
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)


class Callers:
    """Runs of /probe, queries, live updates and heartbeats, all the time."""

    def __init__(self, agent, where, peers):
        self.agent, self.where, self.peers, self.stopped, self.done = agent, where, peers, threading.Event(), {}
        self.may_ask = threading.Event()
        self.may_ask.set()
        works = [self.probe] * 6 + [self.query] * 3 + [self.page, self.beat, self.beat, self.haproxy]
        self.threads = [threading.Thread(target=self.repeat, args=(work, i), daemon=True) for i, work in enumerate(works)]
        for thread in self.threads:
            thread.start()

    def repeat(self, work, i):
        chance = random.Random(SEED * 1000 + i)
        while not self.stopped.wait(0.02):
            if not self.may_ask.wait(0.1):
                continue
            try:
                work(chance)
            except urllib.error.HTTPError:
                pass  # refused for want of a place, or late: an answer all the same
            except (OSError, TimeoutError):
                continue
            self.done[work.__name__] = self.done.get(work.__name__, 0) + 1

    def fetch(self, path, **headers):
        request = urllib.request.Request(self.agent.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def probe(self, chance):
        target = chance.choice((f"http://127.0.0.1:{self.peers.ports['http']}/", f"http://127.0.0.1:{self.peers.ports['https']}/"))
        self.fetch("/probe?" + urllib.parse.urlencode({"module": "http_2xx", "target": target}),
                   **{"X-Prometheus-Scrape-Timeout-Seconds": str(chance.choice((1, 2)))})

    def query(self, chance):
        expr = chance.choice(("probe_success", "sum(rate(fettle_probe_runs_total[30s]))", "max_over_time(probe_duration_seconds[30s])"))
        self.fetch("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))

    def page(self, chance):
        self.fetch(chance.choice(("/metrics", "/", "/api/v1/services", "/api/v1/alerts", "/api/v1/rules", "/api/v1/status/config")))

    def beat(self, chance):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.settimeout(1)
            to.sendto(f"beat{2 + chance.randrange(8)}{chance.choice(('', '', '', ' fail'))}".encode(), str(self.where / "beat.sock"))

    def haproxy(self, chance):
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(1)
            to.connect(str(self.where / f"agent{chance.randrange(PLANS)}.sock"))
            to.recv(100)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def admin_reload(agent):
    with socket.socket(socket.AF_UNIX) as to:
        to.settimeout(30)
        to.connect(str(agent.admin))
        to.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        return to.recv(10000)


def until_stopped(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat")
    lib.wait_for("the agent to stand still", lambda: stat.read_text().rsplit(") ", 1)[1][0] in "TZ")


def replace(agent, site, peers, way):
    """One replacement. `same_turn`: the answers and the signal are both there when the agent looks next, in either order."""
    pid = agent.child.pid
    site.change()
    site.turn_switches()
    if way in ("targets", "targets_same_turn"):
        if way == "targets":
            return site.write_targets()
        peers.hold()
        site.write_targets()  # looked at 50 ms later
        time.sleep(0.04 + 0.02 * site.random.random())
        return peers.release()
    site.write_config()
    if site.random.random() < 0.3:
        site.write_targets()
    if way == "signal":
        return os.kill(pid, signal.SIGHUP)
    if way == "admin":
        answer = admin_reload(agent)
        assert b" 200 " in answer, answer
        return None
    peers.hold()
    lib.wait_for("runs to wait for their answers", lambda: peers.waiting >= PROBES // 20)
    os.kill(pid, signal.SIGSTOP)
    until_stopped(pid)
    if site.random.random() < 0.5:
        peers.drop_held(0.3)
        peers.release()
        os.kill(pid, signal.SIGHUP)
    else:
        os.kill(pid, signal.SIGHUP)
        peers.release()
        peers.drop_held(0.3)
    return os.kill(pid, signal.SIGCONT)


def descriptors(agent, peers):
    """But for the connections that HTTP probes keep: those end when they have been idle for two minutes."""
    kept = {f"{peers.ports[name]:04X}" for name in ("http", "https")}
    inodes = {line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[2].split(":")[1] in kept}
    count = 0
    for fd in pathlib.Path(f"/proc/{agent.child.pid}/fd").iterdir():
        try:
            count += os.readlink(fd).removeprefix("socket:[").removesuffix("]") not in inodes
        except OSError:
            pass  # closed meanwhile
    return count


def resident_kb(agent):
    status = pathlib.Path(f"/proc/{agent.child.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def metric(agent, name):
    text = lib.get(f"{agent.url}/metrics", timeout=30)
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + " "))


def alive(agent):
    assert agent.child.poll() is None, f"the agent ended with {agent.child.returncode} after replacement {len(done)}:\n{agent.text()[-6000:]}"


def quiet(agent, peers, callers):
    """Descriptors and kB of the agent while it has nothing to do: no probe is configured, and no place taken."""
    callers.may_ask.clear()
    lib_write(agent.config, EMPTY.format(where=agent.config.parent))
    os.kill(agent.child.pid, signal.SIGHUP)
    lib.wait_for("no probe to be left", lambda: not agent.query("probe_duration_seconds"), 60)
    lib.wait_for("no run to go on", lambda: metric(agent, "fettle_probes_running") == 0, 60)
    assert metric(agent, "fettle_probes_waiting") == 0
    looks = []
    for _ in range(20):  # the smallest: a hook that is just being ended is no leak
        looks.append((descriptors(agent, peers), resident_kb(agent)))
        time.sleep(0.1)
    callers.may_ask.set()
    return min(fds for fds, _ in looks), min(kb for _, kb in looks)


EMPTY = "global: {{interval: 1s, timeout: 500ms}}\nheartbeat: {{socket: {where}/beat.sock}}\nblackbox: {{targets: [\"http://127.0.0.1:*\", \"https://127.0.0.1:*\"]}}\nservices: {{edge: {{}}}}\n"
WAYS = ["same_turn", "targets_same_turn", "signal", "same_turn", "admin", "targets"]
done = []
# What AddressSanitizer keeps of freed memory would hide a leak, or look like one.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=8:detect_leaks=1")

with lib.folder() as where:
    peers = Peers(where, SEED, 3 * DISCOVERED)
    site = Site(where, peers)
    site.write_targets()
    site.write_config()
    began = time.monotonic()
    try:
        with lib.Agent(where, site.config(), "--log.level=warn") as agent:
            callers = Callers(agent, where, peers)
            base = None
            for number in range(WARM_UP + REPLACEMENTS):
                replace(agent, site, peers, WAYS[number % len(WAYS)])
                if number % 10 == 3:
                    site.restart_process(site.random.randrange(PROCESSES))
                time.sleep(0.05 + 0.2 * site.random.random())
                alive(agent)
                if number + 1 == WARM_UP:
                    base = quiet(agent, peers, callers)
                    print(f"after the warm-up of {WARM_UP}: {base[0]} descriptors, {base[1]} kB", flush=True)
                done.append(number)
                if len(done) % 100 == 0:
                    print(f"{len(done)} replacements in {time.monotonic() - began:.0f} s: {resident_kb(agent)} kB", flush=True)
            end = quiet(agent, peers, callers)
            print(f"after {REPLACEMENTS} more: {end[0]} descriptors, {end[1]} kB; {peers.answered} answers; calls {callers.done}")
            assert end[0] <= base[0] + SLACK_FDS, f"descriptors: {base[0]} after the warm-up, {end[0]} at the end"
            assert SANITIZED or REPLACEMENTS < MEMORY_COUNTS_FROM or end[1] <= base[1] + SLACK_KB, f"kB: {base[1]} after the warm-up, {end[1]} at the end"
            callers.stop()
            assert all(callers.done.get(work, 0) > 0 for work in ("probe", "query", "page", "beat", "haproxy")), callers.done

            # With probes again each of them runs.
            site.write_config()
            os.kill(agent.child.pid, signal.SIGHUP)
            wanted = len(site.templates) + PLANS + DISCOVERED
            lib.wait_for("each probe to have run", lambda: len(agent.query("probe_duration_seconds")) >= wanted, 60)
            agent.kill(signal.SIGTERM)
            code = agent.child.wait(60)
            assert code == 0, f"{code}\n{agent.text()[-6000:]}"
            assert "runtime error" not in agent.text() and "Sanitizer" not in agent.text(), agent.text()[-6000:]
    finally:
        site.end()
print(f"{WARM_UP + REPLACEMENTS} replacements of {wanted} probes in {time.monotonic() - began:.0f} s; the agent lives, and ends cleanly")
