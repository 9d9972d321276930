"""Members of a standby of PostgreSQL for a test: real servers with streaming replication, their agents, and beside them writers that record
each write that was acknowledged and samplers that ask each server whether it is a primary."""
import contextlib
import os
import pwd
import signal
import socket
import struct
import subprocess
import threading
import time

import fleet_test
import lib
import standby_members
from postgres_cluster import BIN, as_user

TTL = 10
WRITES, SAMPLES = 0.02, 0.05  # seconds between them
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: {node}}}
fleet: {{etcd: {{endpoints: [{endpoints}]}}, ttl: {ttl}s}}
services:
  {service}:
    probes: [{{name: postgres, type: postgres, host: 127.0.0.1, port: {port}, username: fettle, database: postgres,
              password_file: {top}/password, failure_threshold: 2, success_threshold: 1{tls}}}]
    standby:
      kind: postgres
      members: {{{members}}}
      mode: {mode}
      max_lag: 65536
      cooldown: 0s
      fence: ["{top}/fence"]
      rejoin: ["{top}/rejoin"]
      move_traffic: ["{top}/traffic"]
"""
# As an administrator's that ends a server by way of its host, and leaves it so that it starts as a standby.
FENCE = """#!/bin/sh
echo "$FETTLE_NODE" >> {top}/fenced
[ -e {top}/no-fence ] && exit 1
data={top}/$FETTLE_NODE/data
{run} touch $data/standby.signal
pid=$(head -1 $data/postmaster.pid 2>/dev/null)
if [ -n "$pid" ]; then
  all="$pid $(pgrep -P $pid)"
  kill -KILL $all 2>/dev/null
  for one in $all; do
    while grep -qs '^State:.[^Z]' /proc/$one/status; do sleep 0.02; done
  done
fi
exit 0
"""
REJOIN = """#!/bin/sh
exec >> {top}/$FETTLE_NODE/rejoin.log 2>&1
set -ex
data={top}/$FETTLE_NODE/data
port=${{FETTLE_PRIMARY_ADDRESS##*:}}
rm -f $data/standby.signal {top}/$FETTLE_NODE/start
{bin}/psql -X -h 127.0.0.1 -p $port -U postgres -c CHECKPOINT postgres
{run} {bin}/pg_rewind -D $data --source-server="host=127.0.0.1 port=$port user=postgres dbname=postgres"
{run} sed -i -e /synchronous_standby_names/d -e /primary_conninfo/d $data/postgresql.auto.conf
{run} sh -c "cat {top}/$FETTLE_NODE/conninfo >> $data/postgresql.auto.conf"
{run} touch $data/standby.signal
touch {top}/$FETTLE_NODE/start
"""
SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
wal_log_hints = on
wal_keep_size = 128MB
max_wal_senders = 10
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
"""
HBA = """
local all all trust
{hostssl} all fettle 127.0.0.1/32 scram-sha-256
host all fettle 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


class Connection:
    """To one PostgreSQL, without a password; the protocol as far as it is used here."""

    def __init__(self, port, timeout=5.0, application="test", user="postgres"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")
        body = struct.pack("!I", 3 << 16) + b"".join(
            text.encode() + b"\0" for text in ("user", user, "database", "postgres", "application_name", application)) + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.answer()

    def answer(self):
        rows, error = [], None
        while True:
            head = self.file.read(5)
            if len(head) < 5:
                raise ConnectionError("closed")
            body = self.file.read(struct.unpack("!I", head[1:])[0] - 4)
            if head[:1] == b"E":
                error = body.decode(errors="replace")
                if b"FATAL" in body:
                    raise ConnectionError(error)
            elif head[:1] == b"D":
                size = struct.unpack("!i", body[2:6])[0]
                rows.append(None if size < 0 else body[6:6 + size].decode())
            elif head[:1] == b"Z":
                if error:
                    raise ValueError(error)
                return rows

    def ask(self, sql):
        """The first column of each row."""
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        return self.answer()

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()
            self.socket.close()


def ask(port, sql, timeout=5.0):
    connection = Connection(port, timeout)
    try:
        return connection.ask(sql)
    finally:
        connection.close()


class Client(threading.Thread):
    """Asks one server the same again and again, whatever it is."""

    def __init__(self, node, every):
        super().__init__()
        self.node, self.every, self.over, self.tries, self.found = node, every, False, 0, []
        self.start()

    def run(self):
        connection = None
        while not self.over:
            began = time.monotonic()
            self.tries += 1
            try:
                connection = connection or Connection(self.node.port, 0.3)
                sent = time.monotonic()
                found = self.one(connection)
                if found:
                    self.found.append((sent, time.monotonic(), found))
            except (OSError, ValueError):
                if connection:
                    connection.close()
                connection = None
            time.sleep(max(0.0, began + self.every - time.monotonic()))
        if connection:
            connection.close()


class Writer(Client):
    """Of each write that was acknowledged: when it was sent and answered, and its key."""

    def one(self, connection):
        key = f"{self.node.name}-{self.tries}"
        connection.ask(f"INSERT INTO w VALUES ('{key}')")
        return key


class Sampler(Client):
    """When the server said that it is a primary."""

    def one(self, connection):
        return connection.ask("SELECT pg_is_in_recovery()") == ["f"]


class Node(standby_members.Member):
    """A server, its agent, and the service manager that starts the server when it is told to."""

    def __init__(self, site, name, port):
        self.site, self.name, self.port, self.where = site, name, port, site.top / name
        self.where.mkdir()
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.where, owner.pw_uid, owner.pw_gid)
        self.data = self.where / "data"
        self.server = lib.Process(self.where, "postgres", [
            *as_user("postgres"), BIN / "postgres", "-D", self.data, f"--port={port}", f"--cluster_name={name}",
            f"--unix_socket_directories={self.where}"])

    def as_owner(self, *words):
        done = subprocess.run([*as_user("postgres"), *map(str, words)], capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    def initialise(self):
        self.as_owner(BIN / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-D", self.data)
        with open(self.data / "postgresql.conf", "a") as out:
            out.write(SETTINGS)
            if self.site.tls:
                out.write(f"ssl = on\nssl_cert_file = '{self.site.top}/server.crt'\nssl_key_file = '{self.site.top}/server.key'\n")
        (self.data / "pg_hba.conf").write_text(HBA.format(hostssl="hostssl" if self.site.tls else "host"))
        self.start_server()
        for sql in ["CREATE TABLE w (key text PRIMARY KEY)",
                    f"CREATE ROLE fettle LOGIN PASSWORD '{self.site.password}' IN ROLE pg_monitor",
                    "GRANT EXECUTE ON FUNCTION pg_promote TO fettle"]:
            ask(self.port, sql)

    def copy(self, primary):
        self.as_owner(BIN / "pg_basebackup", "-h", "127.0.0.1", "-p", primary.port, "-U", "postgres", "-D", self.data, "-X", "stream",
                      "-c", "fast", "--no-sync")
        with open(self.data / "postgresql.auto.conf", "a") as out:
            out.write((self.where / "conninfo").read_text())
        self.as_owner("touch", self.data / "standby.signal")
        self.start_server()

    def start_server(self):
        self.server.start()
        lib.wait_for(f"{self.name} to answer", lambda: ask(self.port, "SELECT 1") == ["1"], 30)

    def manage(self):
        """As a service manager that starts what it is told to, and takes note of what ended."""
        if self.server.child is None:
            return
        ended = self.server.child.poll() is not None
        if ended and (self.where / "start").exists():
            (self.where / "start").unlink()
            self.server.start()

    def processes(self):
        postmaster = self.server.child.pid
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True).stdout.split()
        return [postmaster, *map(int, children)]

    def signal(self, number):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def in_recovery(self):
        return ask(self.port, "SELECT pg_is_in_recovery()") == ["t"]

    def stop(self):
        if self.agent is not None and self.agent.child is not None:
            self.agent.stop()
        if self.server.child is not None and self.server.child.poll() is None:
            self.signal(signal.SIGCONT)
            self.server.kill(signal.SIGQUIT)
            self.server.child.wait(30)


class Site:
    """The members of one standby, with their writers and samplers."""

    password = "standby-secret"

    def __init__(self, stack, service, names="ab", mode="enforce", etcd=None, tls=False):
        self.service, self.mode, self.tls = service, mode, tls
        self.top = stack.enter_context(lib.folder())
        self.top.chmod(0o755)
        (self.top / "password").write_text(self.password)
        if tls:
            self.certificate()
        run = " ".join(as_user("postgres"))
        self.script("fence", FENCE.format(top=self.top, run=run))
        self.script("rejoin", REJOIN.format(top=self.top, run=run, bin=BIN))
        self.script("traffic", f"#!/bin/sh\necho $FETTLE_NODE >> {self.top}/moved\n")
        self.members, self.endpoints = etcd or fleet_test.etcd(self.top, stack)
        self.nodes = [Node(self, name, port) for name, port in zip(names, lib.free_ports(len(names)))]
        self.clients, self.over = [], False
        stack.callback(self.stop)
        for node in self.nodes:
            ports = ",".join(str(n.port) for n in self.nodes)
            hosts = ",".join("127.0.0.1" for _ in self.nodes)
            (node.where / "conninfo").write_text(f"primary_conninfo = 'host={hosts} port={ports} user=postgres application_name={node.name} "
                                                 "target_session_attrs=read-write connect_timeout=2'\n")
        a = self.nodes[0]
        a.initialise()
        for node in self.nodes[1:]:
            node.copy(a)
        self.synchronous(a)
        for node in self.nodes:
            node.start_agent()
        self.writers = [Writer(node, WRITES) for node in self.nodes]
        self.samplers = [Sampler(node, SAMPLES) for node in self.nodes]
        self.clients = [*self.writers, *self.samplers]
        self.manager = threading.Thread(target=self.manage)
        self.manager.start()
        self.wait_for_primary(a)
        self.wait_for_replicas()

    def script(self, name, text):
        path = self.top / name
        path.write_text(text)
        path.chmod(0o755)

    def certificate(self):
        subprocess.run([lib.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.crt",
                        "-days", "2", "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True, cwd=self.top)
        (self.top / "server.key").chmod(0o600)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.top / "server.key", owner.pw_uid, owner.pw_gid)

    def config(self, node):
        tls = f", tls: true, tls_config: {{ca_file: {self.top}/server.crt}}" if self.tls else ""
        return CONFIG.format(node=node.name, tls=tls, port=node.port, top=self.top, ttl=TTL, mode=self.mode, service=self.service,
                             endpoints=", ".join(f'"{e}"' for e in self.endpoints),
                             members=", ".join(f'{n.name}: "127.0.0.1:{n.port}"' for n in self.nodes))

    def synchronous(self, node, names=None):
        """The server waits for one of the others from now on; names: "" for none."""
        others = ",".join(n.name for n in self.nodes if n is not node)
        wanted = f"ANY 1 ({others})" if names is None else names
        ask(node.port, f"ALTER SYSTEM SET synchronous_standby_names = '{wanted}'")
        ask(node.port, "SELECT pg_reload_conf()")
        if names is None:
            lib.wait_for("synchronous replication", lambda: ask(
                node.port, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'") == [str(len(self.nodes) - 1)], 30)
        if all(each.agent for each in self.nodes):
            lib.wait_for("the agents to see it", lambda: all(
                ("synchronous with" in next(m["text"] for m in each.standby()["members"] if m["node"] == node.name)) == (names is None)
                for each in self.nodes), 20, self.state)

    def manage(self):
        while not self.over:
            for node in self.nodes:
                node.manage()
            time.sleep(0.02)

    def state(self):
        out = []
        for node in self.nodes:
            with contextlib.suppress(Exception):
                page = node.standby()
                closed = [f"{g['name']} ({g['text']})" for g in page["gates"] if not g["open"]]
                out.append(f"{node.name}: {page['is']} / {page['primary']} / {closed}")
        return "; ".join(out)

    def writes_at(self, node, since):
        return [ack for ack in self.writers[self.nodes.index(node)].found if ack[0] >= since]

    def wait_for_primary(self, node, since=0.0, seconds=60):
        """The time from `since` to the first write that the node took."""
        lib.wait_for(f"{node.name} to take writes", lambda: self.writes_at(node, since), seconds, self.state)
        return self.writes_at(node, since)[0][1] - since

    def wait_for_replicas(self):
        """Each agent has seen its server follow that of the record."""
        def ready(node, page):
            closed = [gate["name"] for gate in page["gates"] if not gate["open"]]
            follows = any(gate["name"] == "candidate_not_ready" and gate["open"] for gate in page["gates"])
            return page["primary"] == node.name or (follows and closed == ["primary_lease_alive"])

        def whole():
            pages = [node.standby() for node in self.nodes]
            return all(sorted(m["state"] for m in page["members"]) == ["primary"] + ["replica"] * (len(self.nodes) - 1)
                       and not page["mustRejoin"] and page["holder"] and ready(node, page) for node, page in zip(self.nodes, pages))
        lib.wait_for("all replicas to follow", whole, 60, self.state)

    def refused(self, node, name, seconds=40):
        lib.wait_for(f"{node.name} to refuse with {name}", lambda: name in node.refusals(), seconds, self.state)

    def turns(self):
        """The servers that said they are the primary, or took a write, in the order of time."""
        order = []
        for _, name in sorted((found[0], client.node.name) for client in self.clients for found in list(client.found)):
            if not order or order[-1] != name:
                order.append(name)
        return order

    def never_two(self, turns):
        assert self.turns() == turns, f"the primaries were {self.turns()}, not {turns}"
        assert all(client.tries > 20 for client in self.clients)

    def lost(self, before, node, since, until):
        """Writes that `before` has acknowledged and `node` has not."""
        there = set(ask(node.port, "SELECT key FROM w"))
        return [ack[2] for ack in self.writes_at(before, since) if ack[1] <= until and ack[2] not in there]

    def stop(self):
        for client in self.clients:
            client.over = True
        for client in self.clients:
            client.join()
        self.over = True
        if hasattr(self, "manager"):
            self.manager.join()
        for node in self.nodes:
            node.stop()
