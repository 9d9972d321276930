#!/usr/bin/env python3
"""Two and three real Redis servers with an agent each, elected in a real etcd of three. Every drill is under writers that record each
write that was acknowledged, fifty times a second at each server: never do two servers take writes, a promotion that may not be is
refused by its name, and what a replica had confirmed is there afterwards. STANDBY_DRILLS=100 repeats the promotions."""
import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import fleet_test
import lib
import standby_members

DRILLS = int(os.environ.get("STANDBY_DRILLS", "1"))
PASSWORD = "standby-secret"
TTL = 10
EVERY = 0.02  # seconds between the writes of a writer
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: {node}}}
fleet: {{etcd: {{endpoints: [{endpoints}]}}, ttl: {ttl}s}}
services:
  order:
    probes: [{{name: redis, type: redis, port: {port}, password_file: {top}/password, failure_threshold: 2, success_threshold: 1{tls}}}]
    standby:
      kind: redis
      members: {{{members}}}
      mode: {mode}
      max_lag: 65536
      cooldown: {cooldown}
      {fence}
      move_traffic: ["{top}/traffic"]
"""
REDIS = """
{port}
bind 127.0.0.1
dir {where}
save ""
appendonly {aof}
requirepass {password}
masterauth {password}
min-replicas-to-write {closed}
min-replicas-max-lag 10
repl-diskless-sync-delay 0
{replicaof}
"""
# As an administrator's that ends the server by way of its host: it knows the process, and answers when that is gone.
FENCE = """#!/bin/sh
echo "$FETTLE_NODE $FETTLE_FENCE" >> {top}/fenced
pid=$(cat {top}/$FETTLE_NODE/redis.pid) || exit 1
kill -KILL $pid 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
  grep -qs '^State:.[^Z]' /proc/$pid/status || exit 0
  sleep 0.1
done
exit 1
"""


def command(*words):
    out = f"*{len(words)}\r\n".encode()
    for word in words:
        data = str(word).encode()
        out += b"$%d\r\n%s\r\n" % (len(data), data)
    return out


class Connection:
    """To one Redis; a line is the answer to each of the commands that are used here."""

    tls = {}  # by the port where TLS is spoken

    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if port in Connection.tls:
            self.socket = Connection.tls[port].wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.file = self.socket.makefile("rb")
        self.ask("AUTH", PASSWORD)

    def ask(self, *words):
        self.socket.sendall(command(*words))
        line = self.file.readline().decode().rstrip("\r\n")
        if not line:
            raise ConnectionError("closed")
        if line[0] == "$":
            return None if line == "$-1" else self.file.read(int(line[1:]) + 2)[:-2].decode()
        return line

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()
            self.socket.close()


def ask(port, *words, timeout=5):
    connection = Connection(port, timeout)
    try:
        return connection.ask(*words)
    finally:
        connection.close()


class Writer:
    """Writes at one server, whoever it is. Of each write that was acknowledged: when it was sent and answered, and whether a
    replica had confirmed it."""

    def __init__(self, node):
        self.node, self.acks, self.over, self.tries = node, [], False, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        connection = None
        while not self.over:
            began = time.monotonic()
            self.tries += 1
            key = f"w:{self.node.name}:{self.tries}"
            try:
                connection = connection or Connection(self.node.port, 0.2)
                sent = time.monotonic()
                if connection.ask("SET", key, "1") == "+OK":
                    answered = time.monotonic()
                    confirmed = self.tries % 4 == 0 and connection.ask("WAIT", 1, 30) not in (":0", "")
                    self.acks.append((sent, answered, key, confirmed))
            except (OSError, ValueError):
                if connection:
                    connection.close()
                connection = None
            time.sleep(max(0.0, began + EVERY - time.monotonic()))
        if connection:
            connection.close()


class Node(standby_members.Member):
    def __init__(self, site, name, port):
        self.site, self.name, self.port, self.where = site, name, port, site.top / name
        self.where.mkdir()
        self.redis_config = self.where / "redis.conf"
        self.redis = lib.Process(self.where, "redis", ["redis-server", self.redis_config])

    def write_redis(self, replicaof="", closed=1000, aof="no"):
        self.redis_config.write_text(
            REDIS.format(port=self.site.port_of(self), where=self.where, password=PASSWORD, closed=closed, aof=aof, replicaof=replicaof))

    def start_redis(self):
        self.redis.start()
        (self.where / "redis.pid").write_text(str(self.redis.child.pid))

    def role(self):
        with contextlib.suppress(OSError):
            info = ask(self.port, "INFO", "replication")
            return next((line.split(":")[1] for line in info.split("\r\n") if line.startswith("role:")), "")
        return ""

    def stop(self):
        for process in [self.agent, self.redis]:
            if process is not None and process.child is not None:
                process.stop()


class Site:
    """The members of one standby, all in one etcd, with their writers."""

    def __init__(self, stack, names="ab", mode="enforce", cooldown="0s", fence=True, aof="no", tls=False):
        self.top, self.tls = stack.enter_context(lib.folder()), tls
        (self.top / "password").write_text(PASSWORD)
        self.script("fence", FENCE.format(top=self.top))
        self.script("traffic", f"#!/bin/sh\necho $FETTLE_NODE >> {self.top}/moved\n")
        self.etcd, self.endpoints = fleet_test.etcd(self.top, stack)
        self.mode, self.cooldown, self.fence = mode, cooldown, fence
        self.nodes = [Node(self, name, port) for name, port in zip(names, lib.free_ports(len(names)))]
        self.writers = []
        if tls:
            self.speak_tls()
        stack.callback(self.stop)
        for node in self.nodes:
            node.write_redis("" if node is self.nodes[0] else f"replicaof 127.0.0.1 {self.nodes[0].port}", aof=aof)
            node.start_redis()
            lib.wait_for("redis to answer", lambda: ask(node.port, "PING") == "+PONG")
        for node in self.nodes:
            node.start_agent()
        self.writers = [Writer(node) for node in self.nodes]
        self.wait_for_primary(self.nodes[0])
        self.wait_for_replicas()

    def speak_tls(self):
        subprocess.run([lib.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.crt",
                        "-days", "2", "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True, cwd=self.top)
        context = ssl.create_default_context(cafile=str(self.top / "server.crt"))
        Connection.tls.update({node.port: context for node in self.nodes})

    def port_of(self, node):
        if not self.tls:
            return f"port {node.port}"
        return (f"port 0\ntls-port {node.port}\ntls-replication yes\ntls-auth-clients no\ntls-cert-file {self.top}/server.crt\n"
                f"tls-key-file {self.top}/server.key\ntls-ca-cert-file {self.top}/server.crt")

    def script(self, name, text):
        path = self.top / name
        path.write_text(text)
        path.chmod(0o755)

    def config(self, node):
        tls = f", tls: true, tls_config: {{ca_file: {self.top}/server.crt}}" if self.tls else ""
        return CONFIG.format(node=node.name, tls=tls, port=node.port, top=self.top, ttl=TTL, mode=self.mode, cooldown=self.cooldown,
                             endpoints=", ".join(f'"{e}"' for e in self.endpoints),
                             members=", ".join(f'{n.name}: "127.0.0.1:{n.port}"' for n in self.nodes),
                             fence=f'fence: ["{self.top}/fence"]' if self.fence else "")

    def state(self):
        out = []
        for node in self.nodes:
            with contextlib.suppress(Exception):
                standby = node.standby()
                out.append(f"{node.name}: {standby['is']} / {standby['primary']} / {[g for g in standby['gates'] if not g['open']]}")
        return "; ".join(out)

    def writes_at(self, node, since):
        return [ack for ack in self.writers[self.nodes.index(node)].acks if ack[0] >= since]

    def wait_for_primary(self, node, since=0.0, seconds=60):
        """The time from `since` to the first write that the node took."""
        lib.wait_for(f"{node.name} to take writes", lambda: self.writes_at(node, since), seconds, self.state)
        return self.writes_at(node, since)[0][1] - since

    def wait_for_replicas(self):
        # A candidate must have been seen in sync by its agent.
        def whole():
            pages = [node.standby() for node in self.nodes]
            return all(sorted(m["state"] for m in page["members"]) == ["primary"] + ["replica"] * (len(self.nodes) - 1)
                       and not page["mustRejoin"] and page["holder"]
                       # A link that is up is not all: after a copy the stream begins with the replica's next word, a second later.
                       and min(m["offset"] for m in page["members"]) > max(m["offset"] for m in page["members"]) - 4096 > 0
                       for page in pages)
        lib.wait_for("all replicas to follow", whole, 60, self.state)

    def refused(self, node, name, seconds=40):
        lib.wait_for(f"{node.name} to refuse with {name}", lambda: name in node.refusals(), seconds, self.state)

    def turns(self):
        """The servers that took writes, in the order of time: each change of it is a promotion."""
        acks = sorted((sent, answered, writer.node.name) for writer in self.writers for sent, answered, _, _ in list(writer.acks))
        order = []
        for sent, _, name in acks:
            if not order or order[-1] != name:
                order.append(name)
        return order

    def never_two(self, turns):
        order = self.turns()
        assert order == turns, f"writes were taken by {order}, not by {turns}"
        assert all(writer.tries > 20 for writer in self.writers)

    def lost(self, before, node, since=0.0):
        """Of the writes that `before` has acknowledged, those that are not at `node`: all, and those a replica had confirmed."""
        connection = Connection(node.port, 5)
        gone = [ack for ack in self.writes_at(before, since) if connection.ask("GET", ack[2]) != "1"]
        connection.close()
        return len(gone), sum(1 for ack in gone if ack[3])

    def stop(self):
        for writer in self.writers:
            writer.over = True
        for writer in self.writers:
            writer.thread.join()
        for process in self.etcd:
            process.kill(signal.SIGCONT)
        for node in self.nodes:
            node.stop()


def promotions(title, fail, tls=False):
    """The primary fails in one way, again and again, and rejoins each time: by whom the writes are taken then."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, tls=tls)
        a, b = site.nodes
        turns, times, lost = [a.name], [], 0
        for _ in range(DRILLS):
            since = time.monotonic()
            fail(a)
            times.append(site.wait_for_primary(b, since))
            turns.append(b.name)
            gone, confirmed = site.lost(a, b, since - 60)
            assert confirmed == 0, f"{confirmed} writes that a replica had confirmed are lost"
            lost += gone
            a.redis.stop()
            a.start_redis()  # as a service manager does
            if a.agent.child.poll() is not None:
                a.start_agent()
            site.wait_for_replicas()
            a, b = b, a
        site.never_two(turns)
        moved = (site.top / "moved").read_text().split()
        assert moved == turns, moved
        cuts = lib.percentiles(times)
        print(f"{title}: {len(times)} promotions, to the next write {cuts[0.5]:.2f} s (median), {cuts[0.99]:.2f} s (p99); "
              f"{lost} acknowledged writes lost, none of them confirmed by a replica")


def kill(node):
    node.redis.kill()


def freeze(node):
    node.redis.kill(signal.SIGSTOP)


def kill_node(node):
    node.agent.kill()
    node.redis.kill()


def unknown_is_refused():
    """Without a fence program: what cannot be proven is not done. And what is not needed, is not."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, fence=False)
        a, b = site.nodes
        since = time.monotonic()
        a.agent.kill()
        site.refused(b, "primary_answers")
        time.sleep(2)
        assert site.writes_at(a, time.monotonic() - 1), "the primary stopped taking writes although only its agent was gone"
        a.start_agent()
        site.wait_for_replicas()

        freeze(a)
        lib.wait_for("a to say that it cannot prove", lambda: "fence_not_proven" in a.agent.text(), 30, site.state)
        assert b.standby()["holder"] == "a" and b.role() == "slave"
        a.redis.kill(signal.SIGCONT)
        site.wait_for_primary(a, time.monotonic())
        site.wait_for_replicas()

        freeze(a)
        a.agent.kill(signal.SIGSTOP)  # the whole node
        site.refused(b, "fence_not_proven")
        assert b.role() == "slave"
        site.never_two(["a"])
        assert not site.writes_at(b, since)
        thawed = time.monotonic()
        a.redis.kill(signal.SIGCONT)
        a.agent.kill(signal.SIGCONT)
        # Its agent has lost the lease and closes it. Then either goes on: a as it was, or b, to whom a says that it is a replica.
        lib.wait_for("one to take writes", lambda: site.writes_at(a, thawed + 2) or site.writes_at(b, thawed), 30, site.state)
        site.wait_for_replicas()
        assert site.turns() in (["a"], ["a", "b"]), site.turns()
        print("without a fence program: an agent that is gone, a frozen server and a frozen node promote nothing")


def store_is_away():
    with contextlib.ExitStack() as stack:
        site = Site(stack)
        a, b = site.nodes
        for process in site.etcd:
            process.kill(signal.SIGSTOP)
        since = time.monotonic()
        lib.wait_for("the primary to be closed", lambda: not site.writes_at(a, time.monotonic() - 0.5), TTL, site.state)
        closed = site.writes_at(a, since)[-1][1] - since
        assert closed < TTL, closed
        site.refused(b, "store_unknown")
        for process in site.etcd:
            process.kill(signal.SIGCONT)
        back = time.monotonic()
        took = site.wait_for_primary(a, back)
        site.wait_for_replicas()
        site.never_two(["a"])
        print(f"store away: the primary took its last write after {closed:.1f} s of a ttl of {TTL} s, and the next {took:.1f} s after its return")


def candidate_lags():
    with contextlib.ExitStack() as stack:
        site = Site(stack)
        a, b = site.nodes
        freeze(b)
        connection = Connection(a.port, 5)
        for i in range(300):  # more than sockets hold
            assert connection.ask("SET", f"big:{i}", "x" * 100_000) == "+OK"
        lib.wait_for("the agents to see it", lambda: all(next(
            m["offset"] for m in node.standby()["members"] if m["node"] == "a") > 30_000_000 for node in site.nodes), 20, site.state)
        kill(a)
        b.redis.kill(signal.SIGCONT)
        site.refused(a, "no_candidate")
        a.agent.kill()
        site.refused(b, "candidate_lag")
        assert b.role() == "slave"
        site.never_two(["a"])
        print("a candidate that is behind: the primary's agent keeps the right (no_candidate); without it, candidate_lag")


def cooldown_and_approval():
    with contextlib.ExitStack() as stack:
        site = Site(stack, mode="ask", cooldown="1h")
        a, b = site.nodes
        early = lib.fettle("standby", "approve", "order", f"--admin.socket={b.agent.admin}")
        assert early.returncode == 1 and "nothing of order waits" in early.stderr, early
        kill(a)
        site.refused(b, "not_approved")
        assert b.role() == "slave"
        told = lib.fettle("standby", "approve", "order", "--comment", "test", f"--admin.socket={b.agent.admin}")
        assert told.returncode == 0 and "may go on" in told.stdout, told
        site.wait_for_primary(b, time.monotonic())
        a.start_redis()
        site.refused(a, "not_approved")
        shown = lib.fettle("standbys", f"--admin.socket={a.agent.admin}")
        assert shown.returncode == 1 and "must rejoin" in shown.stdout, shown
        assert a.standby()["mustRejoin"] == ["a"] and a.role() == "master"
        told = lib.fettle("standby", "approve", "order", f"--admin.socket={a.agent.admin}")
        assert told.returncode == 0, told
        site.wait_for_replicas()
        kill(b)
        site.refused(b, "cooldown")
        assert a.role() == "slave"
        site.never_two(["a", "b"])
        print("ask: a promotion and a rejoin wait for a person; within the cooldown nothing is given up")


def people_at_work():
    """Who works on the primary stops it in maintenance: it is theirs, and nothing is promoted meanwhile."""
    with contextlib.ExitStack() as stack:
        site = Site(stack)
        a, b = site.nodes

        def maintenance(node, *words):
            told = lib.fettle("maintenance", *words, f"--admin.socket={node.agent.admin}")
            assert told.returncode == 0, told

        maintenance(a, "on", "order", "--comment", "test: upgrade")
        kill(a)
        site.refused(a, "maintenance")
        assert b.standby()["holder"] == "a" and b.role() == "slave"
        assert not (site.top / "fenced").exists()
        maintenance(b, "on", "order", "--comment", "test: not this one")
        maintenance(a, "off", "order")
        site.refused(b, "maintenance")
        assert b.role() == "slave"
        site.never_two(["a"])
        maintenance(b, "off", "order")
        site.wait_for_primary(b, time.monotonic())
        print("maintenance: the primary's agent gives nothing up, the candidate is not promoted; both as soon as it is over")


def agent_dies_in_mid_promotion():
    with contextlib.ExitStack() as stack:
        site = Site(stack)
        a, b = site.nodes
        turns = ["a"]
        for words in ["took the right to be the primary", "fence proven", "was promoted, closed", "takes writes, fence"]:
            since = time.monotonic()
            standby_members.restart_agent_at(b, words, lambda: kill(a), 40)
            site.wait_for_primary(b, since, 90)
            turns.append(b.name)
            a.start_redis()
            site.wait_for_replicas()
            a, b = b, a
        site.never_two(turns)
        print("the agent of the candidate killed at four places of a promotion: it is completed by the next one")


def agent_freezes_in_mid_promotion():
    """Longer than its lease, with another candidate beside it; thawed, it goes on where it was, with what it knew."""
    for words in ["took the right to be the primary", "fence proven", "was promoted, closed"]:
        with contextlib.ExitStack() as stack:
            site = Site(stack, names="abc")
            a, b, c = site.nodes
            since = time.monotonic()
            kill(a)
            end, first = since + 40, None
            while first is None and time.monotonic() < end:
                first = next((node for node in (b, c) if words in node.agent.text()), None)
            first.agent.kill(signal.SIGSTOP)
            other = c if first is b else b
            lib.wait_for("one to take writes", lambda: site.writes_at(b, since) or site.writes_at(c, since), 60, site.state)
            time.sleep(TTL + 2)  # what is to come comes with the end of the lease
            first.agent.kill(signal.SIGCONT)
            a.start_redis()
            site.wait_for_replicas()
            order = site.turns()
            assert order[0] == "a" and len(set(order)) == len(order), order
            print(f"the agent of {first.name} frozen behind '{words}': writes were taken by {', then '.join(order)}, {other.name} beside it")


def two_candidates():
    with contextlib.ExitStack() as stack:
        site = Site(stack, names="abc")
        a, b, c = site.nodes
        since = time.monotonic()
        kill(a)
        lib.wait_for("one to take writes", lambda: site.writes_at(b, since) or site.writes_at(c, since), 40, site.state)
        winner, other = (b, c) if site.writes_at(b, since) else (c, b)
        a.start_redis()
        site.wait_for_replicas()
        site.never_two(["a", winner.name])
        assert other.role() == "slave"
        print(f"two candidates: {winner.name} was promoted, {other.name} and a follow it")


def sentinel_is_left_in_charge():
    with contextlib.ExitStack() as stack:
        site = Site(stack)
        a, b = site.nodes
        port = lib.free_ports(1)[0]
        config = site.top / "sentinel.conf"
        config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor order 127.0.0.1 {a.port} 2\nsentinel auth-pass order {PASSWORD}\n")
        stack.enter_context(lib.Process(site.top, "sentinel", ["redis-server", config, "--sentinel"]))
        site.refused(a, "managed_by_sentinel")
        site.refused(b, "managed_by_sentinel")
        kill(a)
        time.sleep(5)
        assert b.role() == "slave", "a promotion beside Sentinel"
        site.never_two(["a"])
        print("beside a Sentinel nothing is promoted")


def documents():
    """The examples of the package, and those of the page, as an operator would use them."""
    page = (lib.TOP / "packaging/doc/standby.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    assert blocks
    with lib.folder() as where:
        examples = [path.read_text() for path in sorted((lib.TOP / "packaging/standby").glob("*.yml"))]
        for text in [*examples, *blocks]:
            (where / "example.yml").write_text(text)
            checked = lib.fettle("check", "config", where / "example.yml")
            assert checked.returncode == 0, checked.stdout + checked.stderr


def main():
    lib.need("redis-server", "etcd", "openssl")
    documents()
    promotions("primary killed", kill)
    promotions("primary killed, over TLS", kill, tls=True)
    promotions("primary frozen, with a fence program", freeze)
    promotions("node of the primary killed, with a fence program", kill_node)
    unknown_is_refused()
    store_is_away()
    candidate_lags()
    cooldown_and_approval()
    people_at_work()
    agent_dies_in_mid_promotion()
    agent_freezes_in_mid_promotion()
    two_candidates()
    sentinel_is_left_in_charge()


if __name__ == "__main__":
    only = sys.argv[1:]
    if only:
        for name in only:
            promotions("primary killed, over TLS", kill, tls=True) if name == "tls" else globals()[name]()
    else:
        sys.exit(main())
