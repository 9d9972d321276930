#!/usr/bin/env python3
"""The shipped unit's sandbox in a Debian that systemd runs: probes of every type that can have something real to look
at there tell the truth, when it is well and when it is not, and say so where the sandbox lets them see nothing.

    FETTLE=… FETTLE_SHOP=… FETTLE_BUILD=… sandbox_test.py

The Debian is the one of systemd_test.py. Servers that it lacks are this host's, in its network.
"""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

import container
import lib
import node as shop

HOME = "/home"  # of the container's people

BUILD = pathlib.Path(os.environ.get("FETTLE_BUILD", lib.TOP / "build/release")).resolve()
CACHE = BUILD / "e2e-systemd"

NGINX = """\
server {
  listen 127.0.0.1:8070;
  listen 127.0.0.1:8443 ssl;
  listen unix:/run/front.sock;
  ssl_certificate /etc/nginx/shop.pem;
  ssl_certificate_key /etc/nginx/shop.key;
  location /healthz { return 200 "ok\\n"; }
  location /metrics { return 200 "a 1\\n"; }
  location /json { return 200 '{"a": 1}'; }
  location /status { stub_status; }
}
"""
# One service per probe, named as the type; `up` is what must be seen while all is well, `down` the reason after that.
# A type whose thing is not made worse here has no `down`.
PROBES = {
    "http": ("url: 'http://127.0.0.1:8070/healthz'", "refused"),
    "json": ("url: 'http://127.0.0.1:8070/json', values: {a: a}", "refused"),
    "prometheus": ("url: 'http://127.0.0.1:8070/metrics', metrics: [a]", "refused"),
    "nginx": ("url: 'http://127.0.0.1:8070/status'", "refused"),
    "journey": ("base_url: 'http://127.0.0.1:8070', steps: [{name: a, request: {url: /healthz}}]", "refused"),
    "tls": ("host: 127.0.0.1, port: 8443, min_days: 1, tls_config: {ca_file: /etc/nginx/shop.pem}", "refused"),
    "tcp": ("host: 127.0.0.1, port: 8070", "refused"),
    "unix": ("path: /run/front.sock", "refused"),
    "listener": ("port: 8070", "refused"),
    "sockets": ("ports: [8070, 8443]", "refused"),
    "connection": ("host: 127.0.0.1, port: 8070", "refused"),
    "exec": ("command: [/usr/bin/test, -e, /srv/data/flag]", "exit_code"),
    "file": ("path: '/srv/data/*.dump', max_age: 1h", "body_mismatch"),
    "disk": ("path: /srv/data, min_available_percent: 0, min_inodes_percent: 0", "status_mismatch"),
    "process": ("unit: order.service", "process_gone"),
    "systemd": ("unit: order.service", "unit_failed"),
    "heartbeat": ("every: 1s", "heartbeat_missed"),
    "icmp": ("host: 127.0.0.1", None),
    "node": ("min_memory_percent: 0", None),
    "udp": ("host: 127.0.0.1, port: 8071, send: hello", "refused"),
    "redis": ("host: 127.0.0.1, port: 6379", "refused"),
    "memcached": ("host: 127.0.0.1, port: 11211", "refused"),
    "dns": ("server: 127.0.0.1, port: 8053, query_name: shop.test", "refused"),
}
# What the sandbox or its user's rights keep from the agent, and words that must say so. None of it is a verdict.
BLIND = {
    "tmp-file": ("type: file, path: /tmp/order.dump", "PrivateTmp=no"),
    "tmp-lock": ("type: file, path: '/tmp/*.lock', exists: false", "PrivateTmp=no"),
    "tmp-socket": ("type: unix, path: /tmp/front.sock", "PrivateTmp=no"),
    "tmp-pid": ("type: process, pidfile: /tmp/order.pid", "PrivateTmp=no"),
    "home-file": (f"type: file, path: {HOME}/shop/order.dump", "ProtectHome=read-only"),
    "home-disk": ("type: disk, path: /home", "ProtectHome=read-only"),
    "home-program": (f"type: exec, command: [{HOME}/shop/check]", "ProtectHome=read-only"),
    "others-file": ("type: file, path: /srv/closed/order.dump", "Permission denied"),
    "others-pattern": ("type: file, path: '/srv/closed/*.dump'", "Permission denied"),
    "others-socket": ("type: unix, path: /run/closed.sock", "SupplementaryGroups="),
    "others-program": ("type: exec, command: [/srv/closed/check]", "Permission denied"),
    "others-password": ("type: redis, host: 127.0.0.1, port: 6379, password_file: /srv/closed/password",
                        "Permission denied"),
    "source": ("type: tcp, host: 127.0.0.1, port: 8070, source_ip_address: 192.0.2.1", "Cannot assign"),
}


def configuration(probes):
    lines = ["global: {interval: 500ms, timeout: 400ms, node: shop}",
             "heartbeat: {socket: /run/fettle/heartbeat.sock}", "services:"]
    for name, (keys, _) in probes.items():
        kind = "" if keys.startswith("type: ") else f"type: {name}, "
        lines.append(f"  {name}: {{probes: [{{name: look, {kind}{keys}, failure_threshold: 2}}]}}")
    return "\n".join(lines) + "\n"


class Servers:
    """Those that the Debian lacks: this host's, in its network, for types that have one here."""

    def __init__(self, where):
        self.where, self.children, self.beating = where, [], True

    def start(self, name, program, *words):
        if not (found := shutil.which(program)):
            print(f"  {name}: left out, {program} is not installed")
            PROBES.pop(name)
            return
        log = open(self.where / f"{name}.log", "wb")
        self.children.append(subprocess.Popen([found, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                              cwd=self.where))

    def start_all(self, machine):
        self.start("redis", "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "")
        self.start("memcached", "memcached", "-p", "11211", "-l", "127.0.0.1", "-U", "0", "-u", "nobody")
        self.start("dns", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                   "--port=8053", "--listen-address=127.0.0.1", "--bind-interfaces", "--address=/shop.test/127.0.0.1",
                   "--pid-file=", "--user=root")
        self.echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.echo.bind(("127.0.0.1", 8071))
        threading.Thread(target=self.repeat, daemon=True).start()
        threading.Thread(target=self.beat, args=[machine.file("/run/fettle/heartbeat.sock")], daemon=True).start()

    def repeat(self):
        with contextlib.suppress(OSError, TypeError):  # once it is shut down, nobody has sent anything
            while True:
                datagram, sender = self.echo.recvfrom(2048)
                self.echo.sendto(datagram, sender)

    def beat(self, path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as beats:
            while self.beating:
                with contextlib.suppress(OSError):
                    beats.sendto(b"heartbeat", str(path))
                time.sleep(0.3)

    def stop_all(self):
        self.beating = False
        for child in self.children:
            child.kill()
            child.wait()
        with contextlib.suppress(AttributeError, OSError):
            self.echo.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(AttributeError, OSError):
            self.echo.close()


def prepare(node):
    """What there is to look at, within the machine."""
    machine = node.machine
    made = machine.file("/etc/nginx/shop.pem").parent
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "30", "-subj", "/CN=shop", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made / "shop.key",
                    "-out", made / "shop.pem"], check=True, capture_output=True)
    machine.write("/etc/nginx/conf.d/probes.conf", NGINX)
    machine.run("systemctl", "restart", "nginx.service")
    machine.run("install", "-d", "/srv/data", f"{HOME}/shop")
    machine.run("mount", "-t", "tmpfs", "-o", "size=1m", "shop-data", "/srv/data")
    machine.run("install", "-d", "-m", "700", "/srv/closed")
    for path in ["/srv/data/flag", "/srv/data/order.dump", "/srv/closed/order.dump", "/srv/closed/password",
                 "/tmp/order.dump", "/tmp/a.lock", f"{HOME}/shop/order.dump"]:
        machine.write(path, "x\n")
    machine.write("/tmp/order.pid", "1\n")
    for path in ["/srv/closed/check", f"{HOME}/shop/check"]:
        machine.write(path, "#!/bin/sh\nexit 0\n")
        machine.run("chmod", "755", path)
    # A socket that only root may use, and one in a /tmp that the agent does not see.
    for path in ["/run/closed.sock", "/tmp/front.sock"]:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(machine.file(path)))
        listening.listen()
        os.chmod(machine.file(path), 0o600 if "closed" in path else 0o666)
        prepare.held.append(listening)


prepare.held = []


def seen(node):
    return {name: service["probes"][0] for name, service in node.services().items()}


def show(title, probes, names):
    print(f"\n{title}")
    for name in names:
        print(f"  {name:16} {probes[name]['health']:8} {probes[name]['reason']:18} {probes[name]['text']}")
    sys.stdout.flush()


def all_are(node, names, health):
    def holds():
        probes = seen(node)
        return probes if all(probes[name]["health"] == health for name in names) else None
    try:
        return lib.wait_for(f"every probe to be {health}", holds, 60)
    except AssertionError:
        show(f"not all are {health}", seen(node), names)
        raise


def tell(node, servers):
    machine = node.machine
    # A machine that forbids to ping is one more thing that the agent cannot look at.
    machine.run("sh", "-c", "echo '1 0' >/proc/sys/net/ipv4/ping_group_range")
    machine.write("/etc/fettle/fettle.yml", configuration({**PROBES, **BLIND}))
    machine.run("fettle", "check", "config", "/etc/fettle/fettle.yml")
    machine.run("systemctl", "restart", "fettle.service")
    lib.wait_for("the agent", node.ready, 60)
    all_are(node, [name for name in PROBES if name != "icmp"], "up")
    forbidden = lib.wait_for("a ping that is not allowed",
                             lambda: p if (p := seen(node)["icmp"])["reason"] == "agent_overloaded" else None, 30)
    assert forbidden["health"] == "unknown" and "ping_group_range" in forbidden["text"], forbidden
    machine.run("sh", "-c", "echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range")
    show("well", all_are(node, PROBES, "up"), PROBES)

    probes = seen(node)
    show("not to be seen from within the sandbox", probes, BLIND)
    for name, (_, words) in BLIND.items():
        probe = probes[name]
        assert probe["health"] == "unknown" and probe["reason"] == "agent_overloaded", (name, probe)
        assert words in probe["text"], (name, probe)
    told = {entry["service"] for entry in node.log(0) if entry["msg"].startswith("the agent cannot look")}
    assert told >= {*BLIND, "icmp"}, told
    assert not [e for e in node.log(0) if e["msg"] == "probe is down"], node.log(0)

    servers.stop_all()
    machine.run("systemctl", "stop", "nginx.service", "order.service")
    machine.run("rm", "/srv/data/flag", "/srv/data/order.dump")
    machine.run("mount", "-o", "remount,ro", "/srv/data")
    falling = [name for name, (_, down) in PROBES.items() if down]
    probes = all_are(node, falling, "down")
    show("not well", probes, falling)
    for name in falling:
        assert probes[name]["reason"] == PROBES[name][1], (name, probes[name])
    # A server that refuses is down, whatever the agent would have said to it.
    assert probes.pop("others-password")["reason"] == "refused", probes
    for name in set(BLIND) & set(probes):
        assert probes[name]["health"] == "unknown", (name, probes[name])
    assert seen(node)["node"]["health"] == "up"


def run():
    if os.geteuid() != 0:
        raise container.Refusal("a container of its own needs root")
    lib.need("systemd-nspawn", "debootstrap", "dpkg-deb", "nsenter", "unshare", "cpack", "openssl")
    CACHE.mkdir(parents=True, exist_ok=True)
    deb = shop.build_deb(BUILD, CACHE / "package-sandbox")
    root = container.Root(CACHE, deb)
    root.make()
    where = CACHE / f"machine-{os.getpid()}"
    where.mkdir()
    try:
        with container.Machine(root, where) as machine:
            node = shop.Node(machine)
            servers = Servers(where)
            try:
                node.install(deb, lib.SHOP)
                prepare(node)
                servers.start_all(machine)
                tell(node, servers)
            except BaseException:
                if machine.leader:
                    print("\nthe journal's end:\n" + machine.run("journalctl", "--lines=60", check=False).stdout)
                raise
            finally:
                servers.stop_all()
    finally:
        shutil.rmtree(where, ignore_errors=True)


if __name__ == "__main__":
    try:
        run()
    except container.Refusal as refusal:
        print(f"skipped: {refusal}")
        sys.exit(lib.SKIPPED)
