#!/usr/bin/env python3
"""Seven agents with a real etcd of three members, or without a store (peers), each in a network namespace of its own, under
random faults: agents and members of etcd taken off the network, a store without a majority, agents killed or stopped, services
that crash by ones and by many, wall clocks that are set, people who restart a service that is well and roll out an action. What
must hold is checked by what the restarts themselves wrote down, with the fence that the store gave, and by the audit trails.
    namespaces_test.py [etcd|peers] [FAULTS] [SEED]
Everything is in a network namespace of this test, with names that nothing else sees: it ends with it."""
import contextlib
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time

import fleet_test as fleets
import lib

AGENTS, STORES, MIN_HEALTHY = 7, 3, 4
TTL, LATE = 10, 6  # seconds; a plan looks at the group, and acts within the second
OWN = "FETTLE_TEST_OWN_NETWORK"
CONFIG = """
global: {{interval: 300ms, timeout: 250ms, evaluation_interval: 300ms, node: {node}, recovery: {{actions_per_hour: 100000}}}}
rule_files: [rules.yml]
fleet: {{{store}, ttl: {ttl}s}}
services:
  order:
    fleet: {{group: order, max_concurrent: 1, min_healthy: {least}, panic_threshold: 50%}}
    probes: [{{name: up, type: exec, command: [/usr/bin/test, -e, {where}/up], failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 100000, within: 1h, backoff: {{initial: 1s, max: 5s}}}}
      steps: [{{do: {{command: {{argv: ["{where}/restart"]}}}}, verify: {{success_threshold: 1, within: 10s}}}}]
"""
# Its own clock is the node's, whatever that of the agent says. A service that is up is down while it is restarted.
RESTART = """#!/bin/sh
unset LD_PRELOAD
event=$(cat)
fence=$(echo "$event" | sed -n 's/.*"fence": *\\([0-9]*\\).*/\\1/p')
was=down; [ -e {where}/up ] && was=up
others=$(ls -d {top}/node*/up 2> /dev/null | grep -vc "^{where}/")
echo "$(date +%s.%N) begin {node} $was ${{fence:-0}} $others" >> {trail}
rm -f {where}/up
sleep 0.3
touch {where}/up
echo "$(date +%s.%N) end {node}" >> {trail}
"""
KINDS = {"crash": 30, "storm": 6, "cut off": 16, "kill": 14, "stand still": 12, "store": 10, "clock": 5, "person": 12, "rollout": 8}
OF_STORE = ("store", "rollout")


def run(*argv):
    subprocess.run(argv, check=True)


def own_network():
    """The test once more, with a network and mounts of its own; or the end with the reason."""
    unshare = lib.need("unshare")
    argv = [unshare, "--net", "--mount", "--propagation", "private", "--"]
    tried = subprocess.run([*argv, "sh", "-c", "mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip netns add try"], capture_output=True, check=False)
    if tried.returncode != 0:
        print("skipped: this user may have no network namespaces (unshare --net --mount, ip netns add: needs root)")
        sys.exit(lib.SKIPPED)
    os.execve(unshare, [*argv, sys.executable, *sys.argv], {**os.environ, OWN: "1"})


class Port:
    """A namespace at the switch; taken off it, nothing of it reaches the others."""

    def __init__(self, name, address, asked=None):
        self.name, self.address, self.port = name, address, f"p{name}"
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "e0", "netns", name, "type", "veth", "peer", "name", self.port)
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "e0")
        run("ip", "-n", name, "link", "set", "e0", "up")
        run("ip", "link", "set", self.port, "up")
        self.join()
        if asked is None:
            return
        run("ip", "link", "add", "m0", "netns", name, "type", "veth", "peer", "name", f"m{name}")
        run("ip", "-n", name, "addr", "add", f"{asked}.2/30", "dev", "m0")
        run("ip", "-n", name, "link", "set", "m0", "up")
        run("ip", "addr", "add", f"{asked}.1/30", "dev", f"m{name}")
        run("ip", "link", "set", f"m{name}", "up")

    def cut(self):
        run("ip", "link", "set", self.port, "nomaster")

    def join(self):
        run("ip", "link", "set", self.port, "master", "sw0")


class Agent(lib.Agent):
    """One in a namespace; the test asks it by a link of its own, which no fault takes away."""

    def __init__(self, top, number, library):
        self.node, self.where = f"node{number}", top / f"node{number}"
        self.where.mkdir()
        self.link = Port(f"a{number}", f"10.206.1.{number}", f"10.207.{number}")
        super().__init__(self.where, "")
        self.port, self.url = 9000, f"http://10.207.{number}.2:9000"
        self.address = f"http://{self.link.address}:9000"
        (self.where / "rules.yml").write_text(fleets.RULES)
        self.up, self.clock = self.where / "up", self.where / "clock"
        self.troubled_until = 0.0  # by a fault of its own: by then the others know it again
        self.up.touch()
        self.clock.write_bytes(struct.pack("q", 0))
        hook = self.where / "restart"
        hook.write_text(RESTART.format(where=self.where, node=self.node, top=top, trail=top / "trail"))
        hook.chmod(0o755)
        own_clock = ["env", f"LD_PRELOAD={library}", f"SET_CLOCK_BY={self.clock}"] if library else []
        argv = [a if not a.startswith("--web.listen-address") else "--web.listen-address=0.0.0.0:9000" for a in self.argv]
        self.argv = ["ip", "netns", "exec", self.link.name, *own_clock, *argv]

    def set_clock(self, by_ms):
        with open(self.clock, "r+b") as file, mmap.mmap(file.fileno(), 8) as clock:
            clock[:] = struct.pack("q", by_ms)


class Etcd(lib.Process):
    def __init__(self, where, number, cluster):
        self.link = Port(f"s{number}", f"10.206.1.{100 + number}")
        self.url, peer = f"http://{self.link.address}:2379", f"http://{self.link.address}:2380"
        super().__init__(where, f"etcd{number}", [
            "ip", "netns", "exec", self.link.name, lib.need("etcd"), f"--name=e{number}", f"--data-dir={where}/e{number}", f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster={cluster}",
            "--initial-cluster-state=new", "--logger=zap", "--log-level=error", "--heartbeat-interval=100", "--election-timeout=1000"])

    def answered(self):
        """Requests of clients that it has answered so far."""
        lines = lib.get(self.url + "/metrics").splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("grpc_server_handled_total"))


def preloaded(top):
    compiler = subprocess.run(["sh", "-c", "command -v cc"], capture_output=True, text=True, check=False).stdout.strip()
    if not compiler:
        print("no clock is set: there is no C compiler")
        return None
    run(compiler, "-shared", "-fPIC", "-O1", "-o", top / "set_clock.so", lib.TOP / "tests/e2e/set_clock.c")
    return top / "set_clock.so"


class Faults:
    """One after the other, each with its end some seconds later, so that several are there at once."""

    def __init__(self, agents, stores, seed):
        self.agents, self.stores, self.random = agents, stores, random.Random(seed)
        self.ends, self.people, self.counts = [], [], {}
        self.panic = self.known_panic = None  # since when so many are down, and that the agents of so many say it
        self.panics, self.mended = [], 0
        self.falls = []  # when a service fell by a fault

    def end_later(self, seconds, end, of=None):
        self.ends.append((time.monotonic() + seconds, end))
        if of in self.agents:
            of.troubled_until = time.time() + seconds + 2 * TTL

    def end_due(self, all_of_them=False):
        due = [e for e in self.ends if all_of_them or e[0] <= time.monotonic()]
        self.ends = [e for e in self.ends if e not in due]
        for _, end in due:
            end()

    def look(self):
        """Beyond the panic threshold no agent restarts anything: after a while people mend the group."""
        now, down = time.time(), [a for a in self.agents if not a.up.exists()]
        if 2 * len(down) <= AGENTS:
            self.panic = None
        elif self.panic is None:
            self.panic = now
        if 2 * len([a for a in down if a.troubled_until < now]) > AGENTS:
            self.known_panic = self.known_panic or now
        elif self.known_panic is not None:
            self.panics.append((self.known_panic, now))
            self.known_panic = None
        if self.panic is not None and now - self.panic > 3 * LATE:
            self.mended += 1
            for agent in down:
                agent.up.touch()

    def crash(self, agent):
        self.falls.append(time.time())
        agent.up.unlink(missing_ok=True)

    def cut_off(self, process):
        process.link.cut()
        self.end_later(self.random.uniform(1, 14), process.link.join, process)

    def stop(self, process):
        process.child.send_signal(signal.SIGSTOP)
        self.end_later(self.random.uniform(1, 14), lambda: process.child.send_signal(signal.SIGCONT), process)

    def kill(self, process):
        """Once: a second one would find it stopped or gone."""
        if process in self.killed():
            return
        process.kill()
        self.end_later(self.random.uniform(0.3, 6), lambda: lib.Process.start(process), process)

    def killed(self):
        return [p for p in self.agents + self.stores if p.child.poll() is not None]

    def command(self, *words):
        self.people.append(subprocess.Popen([lib.FETTLE, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def one(self):
        kinds = {k: w for k, w in KINDS.items() if self.stores or k not in OF_STORE}
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        agent = self.random.choice(self.agents)
        count = 1
        if kind == "crash":
            self.crash(agent)
        elif kind == "storm":
            count = self.random.randint(2, 4)
            for each in self.random.sample(self.agents, count):
                self.crash(each)
        elif kind == "cut off":
            self.cut_off(agent)
        elif kind == "kill":
            self.kill(agent)
        elif kind == "stand still":
            self.stop(agent)
        elif kind == "store":
            hit = self.random.sample(self.stores, self.random.randint(1, STORES))
            self.random.choice([self.cut_off, self.stop, self.kill])(hit[0])
            for each in hit[1:]:
                self.cut_off(each)
        elif kind == "clock":
            agent.set_clock(self.random.choice([-3_600_000, -2_000, 700, 45_000, 7_200_000]))
        elif kind == "person":
            self.command("recover", "order", "--comment=test", f"--admin.socket={agent.admin}")
        else:
            words = self.random.choice([["--batch=1"], ["--batch=3"], ["--resume"], ["--resume"], ["--abort"]])
            self.command("rollout", "order", *words, "--comment=test", f"--admin.socket={agent.admin}")
        self.counts[kind] = self.counts.get(kind, 0) + count
        return count

    def run(self, wanted):
        """Without a store nothing is decided for a while after each agent that does not answer: the pauses are longer."""
        pause = 1.5 if self.stores else 5
        done = 0
        while done < wanted:
            done += self.one()
            until = time.monotonic() + self.random.expovariate(1 / pause)
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, 0.1))
                self.end_due()
                self.look()
        self.end_due(all_of_them=True)
        for each in self.people:
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.wait(15)
            each.kill()
        return done


def acts(trail, falls):
    """(begin, end, node, was, fence, others that were up, whether one fell just before): what has no end was killed with its agent,
    within the time that it takes."""
    out, begun = [], {}
    for line in trail.read_text().splitlines():
        words = line.split()
        at, what, node = float(words[0]), words[1], words[2]
        if node in begun:
            began, *rest = begun.pop(node)
            out.append((began, at if what == "end" else min(at, began + 0.4), node, *rest))
        if what == "begin":
            begun[node] = (at, words[3], int(words[4]), words[5], any(at - LATE < fell < at for fell in falls))
    return sorted(out + [(at, at + 0.4, node, *rest) for node, (at, *rest) in begun.items()])


def judge(all_acts, panics, has_fences):
    """Acts by the local budget have no fence: the store did not answer, and they are counted."""
    wrong = []
    fenced = [a for a in all_acts if a[4] or not has_fences]
    for one, two in zip(fenced, fenced[1:]):
        if two[0] < one[1] and one[2] != two[2]:
            wrong.append(f"{two[2]} acts beside {one[2]}: {one} {two}")
        if two[4] < one[4]:
            wrong.append(f"{two[2]} acts by an older fence than {one[2]}: {one} {two}")
    for act in fenced:
        if any(began + LATE < act[0] < ended for began, ended in panics):
            wrong.append(f"{act[2]} is restarted in a panic: {act} {panics}")
    for act in fenced:
        others = int(act[5])
        if act[3] == "up" and others < MIN_HEALTHY and not act[6]:
            wrong.append(f"{act[2]} is interrupted although only {others} others are up: {act}")
    return wrong, len(all_acts) - len(fenced)


def is_well(agent):
    shown = fleets.members(agent).values()
    return [m["health"] for m in shown] == ["up"] * AGENTS and not any("actsSince" in m or "waitsSince" in m for m in shown)


def end_rollout(agents):
    """What was stopped or aborted goes on, until it is done."""
    def rollout():
        return fleets.fleet(agents[0])["groups"][0].get("rollout", {"state": "done"})

    def over():
        state = rollout()["state"]
        if state in ("stopped", "aborted"):
            lib.fettle("rollout", "order", "--resume", f"--admin.socket={agents[0].admin}")
        return state == "done"
    lib.wait_for("the rollout to be done", over, 180, rollout)


def audited(agents, all_acts):
    """Runs, by the audit trails, whose chains of hashes are whole. All that was done is in them: a run acts once."""
    runs = {}
    for agent in agents:
        shown = lib.fettle("audit-log", "-n", "0", "-o", "json", "--url", agent.url)
        assert shown.returncode == 0, (shown.stdout[-500:], shown.stderr)
        texts = [e["text"].split() for e in json.loads(shown.stdout) if e["kind"] == "recovery"]
        runs[agent.node] = {words[1] for words in texts if words[0] == "recovery" and words[2:3] == ["(enforce):"]}
        done = [a for a in all_acts if a[2] == agent.node]
        assert len(done) <= len(runs[agent.node]), (agent.node, done, runs[agent.node])
    return sum(len(ids) for ids in runs.values())


def load(stores, seconds, doing=lambda: None):
    """Requests of an agent a minute."""
    before, began = sum(s.answered() for s in stores), time.monotonic()
    doing()
    while time.monotonic() - began < seconds:
        time.sleep(0.5)
    return (sum(s.answered() for s in stores) - before) / AGENTS / (time.monotonic() - began) * 60


def main(kind="etcd", faults="14", seed="1"):
    lib.need("ip", "etcd")
    if OWN not in os.environ:
        own_network()
    run("mount", "-t", "tmpfs", "none", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "name", "sw0", "type", "bridge")
    run("ip", "addr", "add", "10.206.1.250/24", "dev", "sw0")
    run("ip", "link", "set", "sw0", "up")
    with lib.folder() as top, contextlib.ExitStack() as stack:
        (top / "trail").touch()
        library = preloaded(top)
        stores = []
        if kind == "etcd":
            cluster = ",".join(f"e{i}=http://10.206.1.{100 + i}:2380" for i in range(1, STORES + 1))
            stores = [stack.enter_context(Etcd(top, i, cluster)) for i in range(1, STORES + 1)]
            for each in stores:
                lib.wait_for("etcd to have a leader", lambda: lib.get_json(each.url + "/health")["health"] == "true", 60)
        agents = [Agent(top, i, library) for i in range(1, AGENTS + 1)]
        urls = ", ".join(f'"{each}"' for each in ([s.url for s in stores] or [a.address for a in agents]))
        store = f"etcd: {{endpoints: [{urls}]}}" if stores else f"peers: {{urls: [{urls}]}}"
        for agent in agents:
            agent.config.write_text(CONFIG.format(node=agent.node, where=agent.where, store=store, ttl=TTL, least=MIN_HEALTHY))
            stack.enter_context(agent)
        for agent in agents:
            lib.wait_for("all to see all up", lambda: is_well(agent), 60, lambda: fleets.fleet(agent))
        many = int(faults) >= 100
        if stores and many:
            print(f"requests of an agent a minute with a ttl of {TTL} s: {load(stores, 60):.1f} at rest", flush=True)

        began = time.monotonic()
        all_faults = Faults(agents, stores, int(seed))
        done = all_faults.run(int(faults))

        def well(agent):
            all_faults.look()
            return is_well(agent)
        for agent in agents:
            lib.wait_for("all to be well", lambda: well(agent), 120, lambda: (agent.node, fleets.fleet(agent)))
        if stores:
            end_rollout(agents)
            for agent in agents:
                lib.wait_for("nobody to act or wait", lambda: well(agent), 120, lambda: (agent.node, fleets.fleet(agent)))
        took = time.monotonic() - began
        found = acts(top / "trail", all_faults.falls)
        wrong, alone = judge(found, all_faults.panics, bool(stores))
        runs = audited(agents, found)
        said = ", ".join(f"{count} {name}" for name, count in sorted(all_faults.counts.items()))
        print(f"{kind}, seed {seed}: {done} faults ({said}) in {took:.0f} s: {len(found)} restarts ({alone} by the local budget), {all_faults.mended} panics mended by people, {runs} runs in the audit trails, {len(wrong)} violations")
        assert not wrong, "\n".join(wrong[:10])
        if stores and many:
            def storm():
                for agent in agents[:3]:
                    agent.up.unlink(missing_ok=True)
            print(f"requests of an agent a minute: {load(stores, 60, storm):.1f} in a storm")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
