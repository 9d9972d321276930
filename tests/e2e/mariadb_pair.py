"""Members of a standby of MariaDB for a test: real servers that replicate by GTID, their agents, and beside them writers that record each
write that was acknowledged and samplers that ask each server whether it is writable."""
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import fleet_test
import lib
import standby_members

TTL = 10
WRITES, SAMPLES = 0.02, 0.05  # seconds between them
PASSWORD = "standby's secret\\"
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: {node}}}
fleet: {{etcd: {{endpoints: [{endpoints}]}}, ttl: {ttl}s}}
services:
  {service}:
    probes: [{{name: mariadb, type: mysql, host: 127.0.0.1, port: {port}, username: fettle, password_file: {top}/password,
              failure_threshold: 2, success_threshold: 1{tls}}}]
    standby:
      kind: mariadb
      members: {{{members}}}
      mode: {mode}
      max_lag: 20
      cooldown: 0s
      {fence}
      veto: ["{top}/veto"]
      rejoin: ["{top}/rejoin"]
      move_traffic: ["{top}/traffic"]
"""
SERVER = """[mysqld]
read_only = {read_only}
log_bin = bin
log_slave_updates = 1
gtid_strict_mode = 1
binlog_format = ROW
server_id = {id}
sync_binlog = 1
innodb_flush_log_at_trx_commit = 1
rpl_semi_sync_master_enabled = 1
rpl_semi_sync_slave_enabled = 1
rpl_semi_sync_master_timeout = 3000
rpl_semi_sync_master_wait_point = AFTER_SYNC
innodb_buffer_pool_size = 16M
innodb_log_file_size = 8M
slave_net_timeout = 5
skip_name_resolve = 1
bind_address = 127.0.0.1
port = {port}
datadir = {data}
socket = {where}/socket
pid_file = {where}/pid
tmpdir = {where}
{tls}
"""
# As packaging/doc/standby.md has them.
USERS = """
CREATE USER fettle@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING PASSWORD({password});
GRANT READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, REPLICA MONITOR, REPLICATION SLAVE, RELOAD ON *.* TO fettle@'127.0.0.1';
CREATE DATABASE fettle;
CREATE TABLE fettle.standby (service VARCHAR(64), server_id BIGINT UNSIGNED, started BIGINT, fence BIGINT UNSIGNED, PRIMARY KEY (service, server_id));
GRANT SELECT, INSERT, DELETE ON fettle.standby TO fettle@'127.0.0.1';
CREATE DATABASE shop;
CREATE TABLE shop.w (name VARCHAR(64) PRIMARY KEY);
CREATE TABLE shop.big (data LONGBLOB);
CREATE USER shop@'127.0.0.1';
GRANT SELECT, INSERT ON shop.* TO shop@'127.0.0.1';
"""
# As an administrator's that ends the server by way of its host: it knows the process, and answers when that is
# gone, with all its threads: the first may end before the others.
FENCE = """#!/bin/sh
echo "$FETTLE_NODE" >> {top}/fenced
[ -e {top}/no-fence ] && exit 1
pid=$(cat {top}/$FETTLE_NODE/pid) || exit 1
kill -KILL $pid 2>/dev/null
while ls /proc/$pid/task 2>/dev/null | grep -qv "^$pid\$" || grep -qs '^State:.[^Z]' /proc/$pid/status; do sleep 0.02; done
exit 0
"""
# A new copy. All servers come from one folder, and the primary has all since then in its log.
REJOIN = """#!/bin/sh
echo "$FETTLE_NODE from $FETTLE_PRIMARY_NODE" >> {top}/rejoined
where={top}/$FETTLE_NODE
pid=$(cat $where/pid) && kill -KILL $pid
while ls /proc/$pid/task 2>/dev/null | grep -qv "^$pid\$" || grep -qs '^State:.[^Z]' /proc/$pid/status; do sleep 0.02; done
rm -rf $where/data && cp -a {template} $where/data && touch $where/start
"""
OWNER = ["--user=root"] if os.geteuid() == 0 else []


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Connection:
    """To one MariaDB; the protocol as far as it is used here."""

    tls = {}  # by the port where TLS is spoken

    def __init__(self, port, timeout=5.0, user="shop", password=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")
        greeting = self.packet()
        rest = greeting[greeting.index(b"\0", 1) + 5:]
        salt = rest[:8] + rest[8 + 1 + 2 + 1 + 2 + 2 + 1 + 10:][:12]
        proof = b""
        if password:
            once = hashlib.sha1(password.encode()).digest()
            twice = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
            proof = bytes(a ^ b for a, b in zip(once, twice))
        capabilities, number = 0x8a205, 1  # with plugins of login
        if port in Connection.tls and user != "shop":
            capabilities |= 0x800
            self.send(number, struct.pack("<IIB23x", capabilities, 1 << 24, 45))
            self.file.close()
            self.socket = Connection.tls[port].wrap_socket(self.socket, server_hostname="127.0.0.1")
            self.file = self.socket.makefile("rb")
            number += 1
        self.send(number, struct.pack("<IIB23x", capabilities, 1 << 24, 45) + user.encode() + b"\0" + bytes([len(proof)]) + proof
                  + b"mysql_native_password\0")
        self.check(self.packet())

    def send(self, number, payload):
        self.socket.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)

    def packet(self):
        head = self.file.read(4)
        if len(head) < 4:
            raise ConnectionError("closed")
        return self.file.read(int.from_bytes(head[:3], "little"))

    @staticmethod
    def check(packet):
        if packet[:1] == b"\xff":
            raise ValueError(packet[3:].decode(errors="replace"))
        return packet

    def ask(self, sql):
        """The first column of each row."""
        self.send(0, b"\x03" + sql.encode())
        first = self.check(self.packet())
        if first[0] == 0:
            return []
        rows = []
        while self.packet()[:1] != b"\xfe":
            pass
        while True:
            row = self.check(self.packet())
            if row[:1] == b"\xfe" and len(row) < 9:
                return rows
            rows.append(None if row[0] == 0xfb else row[1:1 + row[0]].decode())

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()
            self.socket.close()


def ask(port, sql, timeout=5.0, user="shop", password=""):
    connection = Connection(port, timeout, user, password)
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
            except (OSError, ValueError, IndexError):
                if connection:
                    connection.close()
                connection = None
            time.sleep(max(0.0, began + self.every - time.monotonic()))
        if connection:
            connection.close()


class Writer(Client):
    """Of each write that was acknowledged: when it was sent and answered, and its name."""

    def one(self, connection):
        name = f"{self.node.name}-{self.tries}"
        connection.ask(f"INSERT INTO shop.w VALUES ('{name}')")
        return name


class Sampler(Client):
    """When the server said that it takes writes."""

    def one(self, connection):
        return connection.ask("SELECT @@global.read_only") == ["0"]


class Node(standby_members.Member):
    """A server, its agent, and the service manager that starts the server when it is told to."""

    def __init__(self, site, name, port):
        self.site, self.name, self.port, self.where = site, name, port, site.top / name
        self.where.mkdir()
        self.data = self.where / "data"
        self.settings = self.where / "my.cnf"
        self.write_settings()
        shutil.copytree(site.template, self.data)
        self.server = lib.Process(self.where, "mariadb", ["mariadbd", f"--defaults-file={self.settings}", *OWNER])

    def write_settings(self, read_only=1):
        tls = f"ssl_cert = {self.site.top}/server.crt\nssl_key = {self.site.top}/server.key" if self.site.tls else ""
        self.settings.write_text(SERVER.format(read_only=read_only, id=ord(self.name), port=self.port, data=self.data, where=self.where,
                                               tls=tls))

    def start_server(self):
        self.server.start()
        lib.wait_for(f"{self.name} to answer", lambda: ask(self.port, "SELECT 1") == ["1"], 30)

    def root(self, sql):
        done = subprocess.run(["mariadb", "--no-defaults", "-uroot", f"--socket={self.where}/socket", "-N", "-e", sql],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manage(self):
        if self.server.child is not None and self.server.child.poll() is not None and (self.where / "start").exists():
            (self.where / "start").unlink()
            self.server.start()

    def replica(self):
        return self.root("SHOW ALL SLAVES STATUS") != ""

    def stop(self):
        if self.agent is not None and self.agent.child is not None:
            self.agent.stop()
        if self.server.child is not None and self.server.child.poll() is None:
            self.server.kill(signal.SIGKILL)


def template(top):
    """A data folder with all that the servers begin with, and nothing in a log."""
    data = top / "template"
    lib.need("mariadb-install-db", "mariadbd")
    done = subprocess.run(["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
                           f"--datadir={data}", f"--tmpdir={top}", *OWNER], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with lib.Process(top, "template", ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={top}/socket", "--skip-networking", f"--tmpdir={top}",
                                       f"--pid-file={top}/template.pid", *OWNER]):
        mariadb = ["mariadb", "--no-defaults", "-uroot", f"--socket={top}/socket"]
        lib.wait_for("the template to answer", lambda: subprocess.run([*mariadb, "-e", "SELECT 1"], capture_output=True).returncode == 0, 30)
        done = subprocess.run(mariadb, input=USERS.format(password=quoted(PASSWORD)),
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return data


class Site:
    """The members of one standby, with their writers and samplers."""

    template = None  # folder of which each server begins with a copy

    def __init__(self, stack, service, etcd, names="ab", mode="enforce", fence=True, tls=False):
        self.service, self.mode, self.tls = service, mode, tls
        self.top = stack.enter_context(lib.folder())
        (self.top / "password").write_text(PASSWORD)
        self.fence = f'fence: ["{self.top}/fence"]' if fence else ""
        self.members, self.endpoints = etcd
        # Each agent has ways of its own to the store.
        self.ways = {name: [standby_members.Way(int(endpoint.rpartition(":")[2])) for endpoint in self.endpoints] for name in names}
        self.script("fence", FENCE.format(top=self.top))
        self.script("rejoin", REJOIN.format(top=self.top, template=self.template))
        self.script("veto", f"#!/bin/sh\necho $FETTLE_CANDIDATE for $FETTLE_NODE >> {self.top}/asked\n[ ! -e {self.top}/forbidden ]\n")
        self.script("traffic", f"#!/bin/sh\necho $FETTLE_NODE >> {self.top}/moved\n")
        if tls:
            self.certificate()
        self.nodes = [Node(self, name, port) for name, port in zip(names, lib.free_ports(len(names)))]
        if tls:
            context = ssl.create_default_context(cafile=str(self.top / "server.crt"))
            Connection.tls.update({node.port: context for node in self.nodes})
        self.clients, self.over, self.manager = [], False, None
        stack.callback(self.stop)
        a = self.nodes[0]
        for node in self.nodes:
            node.start_server()
        for node in self.nodes[1:]:
            node.root(f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={a.port}, MASTER_USER='fettle', MASTER_PASSWORD="
                      f"{quoted(PASSWORD)}, MASTER_SSL={int(tls)}, MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos; START SLAVE")
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

    def config(self, node):
        tls = f", tls: true, tls_config: {{ca_file: {self.top}/server.crt}}" if self.tls else ""
        return CONFIG.format(node=node.name, tls=tls, port=node.port, top=self.top, ttl=TTL, mode=self.mode, service=self.service,
                             fence=self.fence, endpoints=", ".join(f'"http://127.0.0.1:{way.port}"' for way in self.ways[node.name]),
                             members=", ".join(f'{n.name}: "127.0.0.1:{n.port}"' for n in self.nodes))

    def manage(self):
        while not self.over:
            for node in self.nodes:
                node.manage()
            time.sleep(0.02)

    def cut(self, node, off=True):
        """The node's agent from the store, or back to it."""
        for way in self.ways[node.name]:
            (way.is_cut.set if off else way.is_cut.clear)()

    def state(self):
        out = []
        for node in self.nodes:
            with contextlib.suppress(Exception):
                page = node.standby()
                closed = [f"{g['name']} ({g['text']})" for g in page["gates"] if not g["open"]]
                seen = [f"{m['node']} {m['state']} {m['offset']} {m['text']}" for m in page["members"]]
                out.append(f"{node.name}: {page['is']} / {page['primary']} / {closed} / {seen}")
        return "; ".join(out)

    def writes_at(self, node, since):
        return [ack for ack in self.writers[self.nodes.index(node)].found if ack[0] >= since]

    def wait_for_primary(self, node, since=0.0, seconds=60):
        """The time from `since` to the first write that the node took."""
        lib.wait_for(f"{node.name} to take writes", lambda: self.writes_at(node, since), seconds, self.state)
        return self.writes_at(node, since)[0][1] - since

    def wait_for_replicas(self):
        """Each agent has seen its server follow that of the record, and what is acknowledged is at a replica."""
        def ready(node, page):
            closed = [gate["name"] for gate in page["gates"] if not gate["open"]]
            follows = any(gate["name"] == "candidate_not_ready" and gate["open"] for gate in page["gates"])
            return page["primary"] == node.name or (follows and closed == ["primary_lease_alive"])

        def whole():
            pages = [node.standby() for node in self.nodes]
            return all(sorted(m["state"] for m in page["members"]) == ["primary"] + ["replica"] * (len(self.nodes) - 1)
                       and not page["mustRejoin"] and page["holder"] and ready(node, page)
                       and any("semi-synchronous" in m["text"] for m in page["members"])
                       and min(m["offset"] for m in page["members"]) > max(m["offset"] for m in page["members"]) - 20 > 0
                       for node, page in zip(self.nodes, pages))
        lib.wait_for("all replicas to follow", whole, 90, self.state)

    def refused(self, node, name, seconds=40):
        lib.wait_for(f"{node.name} to refuse with {name}", lambda: name in node.refusals(), seconds, self.state)

    def turns(self):
        """The servers that said they are writable, or took a write, in the order of time."""
        order = []
        for _, name in sorted((found[0], client.node.name) for client in self.clients for found in list(client.found)):
            if not order or order[-1] != name:
                order.append(name)
        return order

    def never_two(self, turns):
        assert self.turns() == turns, f"the servers that took writes were {self.turns()}, not {turns}"
        assert all(client.tries > 20 for client in self.clients)

    def lost(self, before, node):
        """Writes that `before` has acknowledged and `node` has not."""
        there = set(ask(node.port, "SELECT name FROM shop.w"))
        return [ack[2] for ack in self.writes_at(before, 0.0) if ack[2] not in there]

    def stop(self):
        for client in self.clients:
            client.over = True
        for client in self.clients:
            client.join()
        self.over = True
        if self.manager:
            self.manager.join()
        for way in sum(self.ways.values(), []):
            way.close()
        for node in self.nodes:
            node.stop()
