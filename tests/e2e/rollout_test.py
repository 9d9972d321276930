#!/usr/bin/env python3
"""Four agents, each with a backend behind one real HAProxy under requests that never stop, in one group of a real etcd (and of a
real Consul where one is installed). A good release is rolled out: no request fails. The agent that began one is killed: it goes
on. A bad one stops after the first member and says why; what people say (abort, resume, maintenance) and who is away, too."""
import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import sys
import threading
import time

import consul_test
import fleet_test
import lib

NODES = 4
BACKEND = pathlib.Path(__file__).resolve().parent / "drain_backend.py"
CONFIG = """
global: {{interval: 500ms, timeout: 500ms, node: {node}, recovery: {{actions_per_hour: 1000}}}}
fleet: {{{store}, ttl: 10s}}
services:
  order:
    fleet: {{group: order, max_concurrent: 2, min_healthy: 2}}
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/healthz", failure_threshold: 5}}]
    traffic: {{haproxy: {{socket: "{top}/haproxy.sock", backend: order, server: {node}}}}}
    recovery:
      when: {{alert: Never}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 100, within: 15m, backoff: {{initial: 1s}}}}
      steps:
        - {{do: drain, timeout: 30s, on_failure: stop}}
        - {{do: {{command: {{argv: ["{where}/restart"]}}}}, timeout: 60s, verify: {{success_threshold: 2, within: 8s}}}}
        - {{do: {{command: {{argv: ["{where}/escalate"]}}}}}}
      finally: [{{do: undrain, timeout: 30s}}]
"""
HAPROXY = """
global
  stats socket {top}/haproxy.sock mode 600 level admin
defaults
  mode http
  retries 3
  option redispatch
  timeout connect 2s
  timeout client 20s
  timeout server 20s
listen order
  bind 127.0.0.1:{front}
{servers}
"""
# As a service manager has it: what is under way is lost, unless it was drained. The release says whether it comes up.
RESTART = """#!/bin/sh
echo begin {node} $(cat {top}/release) >> {top}/trail
while [ -e {where}/hold ]; do sleep 0.05; done
kill -9 $(cat {where}/pid)
rm -f {where}/pid
[ "$(cat {top}/release)" = bad ] || {start} >> {where}/backend.log 2>&1 < /dev/null &
echo end {node} >> {top}/trail
"""


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


class Requests:
    """GET and POST in turn, by four clients, until the block ends."""

    def __init__(self, port):
        self.port, self.count, self.failed, self.over = port, 0, [], False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]

    def run(self):
        post = False
        while not self.over:
            post = not post
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                connection.request("POST" if post else "GET", "/order", body=b"item=1" if post else None)
                what = connection.getresponse()
                what.read()
                connection.close()
                bad = None if what.status == 200 else what.status
            except (OSError, http.client.HTTPException) as error:
                bad = repr(error)
            with self.lock:
                self.count += 1
                if bad is not None:
                    self.failed.append(bad)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join()


class Node:
    def __init__(self, top, number, port, store):
        self.name, self.top, self.where = f"node{number}", top, top / f"node{number}"
        self.where.mkdir()
        self.start_backend = f"python3 {BACKEND} {port} {self.where}/pid"
        script(self.where / "restart", RESTART.format(top=top, where=self.where, node=self.name, start=self.start_backend))
        script(self.where / "escalate", f"#!/bin/sh\necho escalated {self.name} >> {top}/trail\n")
        self.agent = lib.Agent(self.where, CONFIG.format(top=top, where=self.where, node=self.name, port=port, store=store))
        self.port = port

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        self.backend = lib.Process(self.where, "first", self.start_backend.split())
        self.backend.start()
        lib.wait_for("the backend", lambda: (self.where / "pid").exists() and lib.get(f"http://127.0.0.1:{self.port}/healthz"), 30)
        self.agent.start()

    def __exit__(self, *_):
        if self.agent.child is not None:
            self.agent.stop()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.where / "pid").read_text()), signal.SIGKILL)
        self.backend.stop()

    def rollout(self, *words):
        return lib.fettle("rollout", *words, f"--admin.socket={self.agent.admin}")

    def record(self):
        groups = lib.get_json(self.agent.url + "/api/v1/fleet")["data"]["groups"]
        return groups[0].get("rollout", {"state": "none", "parts": []}) if groups else {"state": "none", "parts": []}

    def states(self):
        return [part["state"] for part in self.record()["parts"]]


class Shop:
    """HAProxy, the backends and their agents, in the fleet of `store`."""

    def __init__(self, top, store, stack):
        self.top = top
        self.front, *ports = lib.free_ports(1 + NODES)
        servers = "\n".join(f"  server node{i} 127.0.0.1:{port} check inter 200ms" for i, port in enumerate(ports, 1))
        (top / "haproxy.cfg").write_text(HAPROXY.format(top=top, front=self.front, servers=servers))
        self.release("v1")
        (top / "trail").touch()
        stack.enter_context(lib.Process(top, "haproxy", [lib.need("haproxy"), "-q", "-db", "-f", top / "haproxy.cfg"]))
        self.nodes = [stack.enter_context(Node(top, i, port, store)) for i, port in enumerate(ports, 1)]
        for node in self.nodes:
            lib.wait_for("all to see all up", lambda: fleet_test.healths(node.agent) == ["up"] * NODES, 60, lambda: fleet_test.fleet(node.agent))
        lib.wait_for("HAProxy to serve", lambda: lib.get(f"http://127.0.0.1:{self.front}/healthz"), 30)

    def release(self, name):
        (self.top / "release").write_text(name + "\n")

    def trail(self):
        return [line.split() for line in (self.top / "trail").read_text().splitlines()]

    def begun(self, release):
        return [words[1] for words in self.trail() if words[0] == "begin" and words[2] == release]

    def drained(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.top / "haproxy.sock"))
            s.sendall(b"show stat order 4 -1\n")
            answer = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return [line.split(",")[1] for line in answer.splitlines() if ",DRAIN" in line or ",MAINT" in line]

    def all_given_back(self):
        lib.wait_for("no node to be drained", lambda: self.drained() == [], 30, self.drained)

    def begin(self, node, *words):
        began = self.nodes[node - 1].rollout("order", *words)
        assert began.returncode == 0 and "has begun: 4 members" in began.stdout, began
        self.id = began.stdout.split()[1]
        return time.monotonic()

    def wait_until(self, state, node=1, seconds=120):
        one = self.nodes[node - 1]
        lib.wait_for(f"the rollout to be {state}", lambda: (one.record().get("id"), one.record()["state"]) == (self.id, state), seconds, one.record)
        return one.record()


def bad_words(shop):
    node = shop.nodes[0]
    for words, expected in [(["ordr"], "did you mean order?"), (["payments"], "there are: order"), (["order", "--batch=0"], "must be at least 1"),
                            (["order", "--batch=101%"], "must be at most 100%"), (["order", "--batch=9"], "the group has 4 members"),
                            (["order", "--batch=many"], "expected a number of members"), (["order", "--deadline=soon"], "expected a duration"),
                            (["order", "--action=reload"], "its plan has no step for reload; steps that a rollout can do: command "),
                            (["order", "--resume"], "there is no rollout of order to resume"), (["order", "--abort"], "no rollout of order is under way")]:
        refused = node.rollout(*words)
        assert refused.returncode == 1 and expected in refused.stderr, (words, refused)
    assert node.rollout("order", "--abort", "--resume").returncode == 2
    assert node.rollout("order", "--status").stdout == "there was no rollout of order\n"
    assert node.rollout("ordr", "--status").returncode == 1


def good_release(shop, release, batch):
    shop.release(release)
    with Requests(shop.front) as requests:
        began = shop.begin(2, f"--batch={batch}")
        shop.wait_until("done")
        took = time.monotonic() - began
    assert shop.begun(release) == [n.name for n in shop.nodes] or batch != 1, shop.trail()
    assert sorted(shop.begun(release)) == [n.name for n in shop.nodes], shop.trail()
    assert not requests.failed, requests.failed[:5]
    shop.all_given_back()
    print(f"a good release on {NODES} nodes, {batch} at a time: {took:.1f} s, {requests.count} requests, 0 failed")


def never_two_at_once(shop):
    at_work = None
    for words in shop.trail():
        assert words[0] != "escalated", shop.trail()
        if words[0] == "begin":
            assert at_work is None, shop.trail()
            at_work = words[1]
        else:
            at_work = None


def starter_dies(shop):
    shop.release("v3")
    starter = shop.nodes[3]
    hold = shop.nodes[1].where / "hold"
    hold.touch()
    with Requests(shop.front) as requests:
        shop.begin(4)
        lib.wait_for("the second to be at its step", lambda: shop.begun("v3") == ["node1", "node2"], 60, shop.nodes[0].record)
        starter.agent.kill()
        hold.unlink()
        lib.wait_for("the others to go on", lambda: shop.nodes[0].states()[:3] == ["done"] * 3, 60, shop.nodes[0].record)
        assert shop.begun("v3") == ["node1", "node2", "node3"], shop.trail()
        starter.agent.start()
        shop.wait_until("done")
    assert shop.begun("v3") == [n.name for n in shop.nodes]
    assert not requests.failed, requests.failed[:5]
    shop.all_given_back()
    print(f"the agent that began it was killed: the others went on, it did its own part when it was back; {requests.count} requests, 0 failed")


def bad_release(shop):
    shop.release("bad")
    with Requests(shop.front) as requests:
        began = shop.begin(3)
        record = shop.wait_until("stopped")
        took = time.monotonic() - began
        assert shop.begun("bad") == ["node1"], shop.trail()
        assert [p["state"] for p in record["parts"]] == ["failed", "waiting", "waiting", "waiting"], record
        assert "order on node1" in record["why"] and "not healthy within 8s" in record["why"], record
        shop.all_given_back()
        for node in (2, 3):
            shop.wait_until("stopped", node)
        shown = shop.nodes[2].rollout("order", "--status")
        assert shown.returncode == 1 and "is stopped" in shown.stdout and "not healthy" in shown.stdout and "--resume" in shown.stdout, shown
        shown = lib.fettle("fleet", "--url", shop.nodes[1].agent.url)
        assert shown.returncode == 1 and "a rollout of order is stopped" in shown.stdout and "0 of 4 members are done" in shown.stdout, shown
        pages = [lib.get(node.agent.url + "/metrics") for node in shop.nodes]
        assert ['fettle_rollout_state{group="order",state="stopped"} 1' in page for page in pages] == [True, False, False, False]
        shop.release("v4")
        resumed = shop.nodes[1].rollout("order", "--resume")
        assert resumed.returncode == 0 and "4 of 4 members are left" in resumed.stdout, resumed
        shop.wait_until("done")
    assert shop.begun("v4") == [n.name for n in shop.nodes], shop.trail()
    print(f"a bad release: stopped after the first member in {took:.1f} s, resumed with a good one; {requests.count} requests, {len(requests.failed)} failed")


def abort(shop):
    shop.release("v5")
    hold = shop.nodes[0].where / "hold"
    hold.touch()
    shop.begin(1, "--batch=1")
    lib.wait_for("the first to be at its step", lambda: shop.begun("v5") == ["node1"], 60, shop.trail)
    again = shop.nodes[1].rollout("order")
    assert again.returncode == 1 and "is under way" in again.stderr, again
    aborted = shop.nodes[2].rollout("order", "--abort", "--comment", "alice: wrong day")
    assert aborted.returncode == 0, aborted
    # Its agent knows before the step ends: then no verification follows.
    lib.wait_for("the run to be told", lambda: shop.nodes[0].agent.logged("recovery aborted by a person"), 60)
    hold.unlink()
    lib.wait_for("the first to end", lambda: shop.nodes[0].states()[0] == "failed", 60, shop.nodes[0].record)
    lib.wait_for("all to know it", lambda: all(node.record()["state"] == "aborted" for node in shop.nodes), 30, shop.nodes[3].record)
    record = shop.nodes[3].record()
    assert "alice: wrong day" in record["why"], record
    assert shop.begun("v5") == ["node1"], shop.trail()
    shop.all_given_back()
    assert shop.nodes[0].rollout("order", "--resume").returncode == 0
    shop.wait_until("done")
    assert shop.begun("v5") == ["node1", "node1", "node2", "node3", "node4"], shop.trail()
    print("aborted in the middle of a step: traffic given back, no member follows; resumed: all done")


def held_back(shop):
    """Maintenance stops it by name, and so does a member that is away."""
    shop.release("v6")
    two = shop.nodes[1]
    assert lib.fettle("maintenance", "on", "order", "--admin.socket", two.agent.admin).returncode == 0
    shop.begin(1)
    record = shop.wait_until("stopped")
    assert "order on node2: maintenance" in record["why"] and shop.begun("v6") == ["node1"], record
    assert lib.fettle("maintenance", "off", "order", "--admin.socket", two.agent.admin).returncode == 0
    assert two.rollout("order", "--resume").returncode == 0
    shop.wait_until("done")
    assert shop.begun("v6") == [n.name for n in shop.nodes], shop.trail()

    shop.release("v7")
    three = shop.nodes[2]
    three.agent.kill()
    lib.wait_for("it to be away", lambda: len(fleet_test.members(shop.nodes[0].agent)) == 3, 60)
    began = shop.nodes[0].rollout("order", "--deadline=4s")
    assert "has begun: 3 members" in began.stdout, began  # who is away when it begins has no part in it
    shop.id = began.stdout.split()[1]
    shop.wait_until("done")
    three.agent.start()
    lib.wait_for("it to be back", lambda: fleet_test.healths(shop.nodes[0].agent) == ["up"] * NODES, 60)
    hold = shop.nodes[0].where / "hold"
    shop.release("v8")
    hold.touch()
    shop.begin(1, "--deadline=4s")
    lib.wait_for("the first to be at its step", lambda: shop.begun("v8") == ["node1"], 60, shop.trail)
    three.agent.kill()
    hold.unlink()
    record = shop.wait_until("stopped")
    assert "order on node3 is away" in record["why"], record
    assert shop.begun("v8") == ["node1", "node2"], shop.trail()
    three.agent.start()
    lib.wait_for("it to be back", lambda: fleet_test.healths(shop.nodes[0].agent) == ["up"] * NODES, 60)
    assert shop.nodes[0].rollout("order", "--resume").returncode == 0
    shop.wait_until("done")
    assert shop.begun("v8") == [n.name for n in shop.nodes], shop.trail()
    print("maintenance, and a member that is away: stopped with its name, resumed: all done")


def written_down(shop):
    trail = lib.fettle("audit-log", "-n", "1000", "--admin.socket", shop.nodes[0].agent.admin).stdout
    for words in ["started: rollout ", "part_began: order on node1", "part_done: order on node1", "part_failed: order on node1"]:
        assert f"rollout of order: {words}" in trail, (words, trail)
    metrics = "\n".join(lib.get(node.agent.url + "/metrics") for node in shop.nodes)
    for event in ["started", "part_began", "part_done", "part_failed", "stopped", "resumed", "aborted", "done"]:
        assert f'fettle_rollout_events_total{{event="{event}",group="order"}}' in metrics, event


def without_store(top):
    where = top / "peers"
    where.mkdir()
    config = 'fleet: {peers: {urls: ["http://127.0.0.1:9", "http://127.0.0.1:10"]}}\nservices:\n  order: {fleet: {group: order}, probes: [{type: exec, command: [/bin/true]}]}\n'
    with lib.Agent(where, config) as agent:
        refused = lib.fettle("rollout", "order", f"--admin.socket={agent.admin}")
        assert refused.returncode == 1 and "no_store" in refused.stderr, refused


def main():
    lib.need("haproxy", "etcd")
    with lib.folder() as top, contextlib.ExitStack() as stack:
        _, endpoints = fleet_test.etcd(top, stack)
        shop = Shop(top, "etcd: {endpoints: [" + ", ".join(f'"{e}"' for e in endpoints) + "]}", stack)
        bad_words(shop)
        good_release(shop, "v2", 1)
        starter_dies(shop)
        bad_release(shop)
        abort(shop)
        written_down(shop)
        held_back(shop)
        never_two_at_once(shop)
        good_release(shop, "v9", "50%")
        without_store(top)
    if shutil.which("consul") is None:
        print("skipped: the same with Consul, which is not installed")
        return
    with lib.folder() as top, contextlib.ExitStack() as stack:
        consul = stack.enter_context(consul_test.Consul(top))
        shop = Shop(top, f'consul: {{server: "127.0.0.1:{consul.port}", authorization: {{credentials: {consul_test.TOKEN}}}}}', stack)
        good_release(shop, "v2", 1)
        bad_release(shop)
        never_two_at_once(shop)
        print("the same with Consul")


if __name__ == "__main__":
    sys.exit(main())
