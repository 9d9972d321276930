#!/usr/bin/env python3
"""A real keepalived, with the packaged examples: a virtual address leaves a node whose service hangs, and comes back; once by
a track_file, once by a track_script.

It runs in a network of its own, where the address stands on one end of a veth pair. Skipped where no such network, or no
keepalived, is to be had; the reason is printed.
"""
import os
import signal
import subprocess
import sys

import lib

OWN = "FETTLE_TEST_OWN_NETWORK"
ADDRESS = "10.0.0.100"
CONFIG = """
global: {{interval: 250ms, timeout: 200ms}}
services:
  order:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{port}/healthz", failure_threshold: 2}}]
    traffic: {{keepalived: {{track_file: {where}/vip.order}}}}
"""


def ip(*words, check=True):
    return subprocess.run([lib.need("ip"), *words], check=check, capture_output=True, text=True)


def enter_own_network():
    """Starts this program anew, alone with a loopback."""
    done = subprocess.run([lib.need("unshare"), "--net", "--", sys.executable, __file__], env={**os.environ, OWN: "1"},
                          check=False)
    sys.exit(done.returncode)


def make_network():
    ip("link", "set", "lo", "up")
    made = ip("link", "add", "shop0", "type", "veth", "peer", "name", "shop1", check=False)
    if made.returncode != 0:
        print(f"skipped: no veth pair can be made here: {made.stderr.strip()}")
        sys.exit(lib.SKIPPED)
    for name in ("shop0", "shop1"):
        ip("link", "set", name, "up")
    ip("addr", "add", "10.0.0.1/24", "dev", "shop0")


def configuration(where, kind, agent):
    """The example of the package with this test's names; a short time between advertisements, and between scripts."""
    text = (lib.TOP / "packaging/keepalived/keepalived.conf").read_text()
    changes = [("/var/lib/fettle/vip.order", f"{where}/vip.order"), ("interface eth0", "interface shop0"),
               ("priority 100", "priority 100\n    advert_int 0.2")]
    if kind == "track_script":
        lines = [line.removeprefix("# ") for line in text.splitlines()]
        first = lines.index("vrrp_script fettle_order {")
        script = "\n".join(lines[first:lines.index("}", first) + 1])
        text = script + text[text.index("\nvrrp_instance"):]
        changes = [*changes[1:], ("/usr/bin/fettle status order", f"{lib.FETTLE} status --url={agent.url} order"),
                   ("interval 2", "interval 1"), ("fall 3", "fall 1"),
                   ("track_file {\n        fettle_order", "track_script {\n        fettle_order")]
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    path = where / f"{kind}.conf"
    path.write_text("global_defs {\n    vrrp_version 3\n    script_user root\n}\n" + text)
    return path


def holds_address():
    return f"inet {ADDRESS}/" in ip("addr", "show", "dev", "shop0").stdout


def run(where):
    with lib.Shop(where, "order") as shop, lib.Agent(where, CONFIG.format(port=shop.port, where=where)) as agent:
        lib.wait_for("the track file to say that all is well", lambda: (where / "vip.order").read_text() == "0\n")
        for kind in ("track_file", "track_script"):
            follow(where, kind, shop, agent)
    print("the virtual address left with the service's health and came back with it: by track_file and by track_script")


def follow(where, kind, shop, agent):
    keepalived = lib.Process(where, kind, [
        lib.need("keepalived"), "--dont-fork", "--log-console", "--vrrp", f"--use-file={configuration(where, kind, agent)}",
        f"--pid={where}/keepalived.pid", f"--vrrp_pid={where}/vrrp.pid"])
    with keepalived:
        lib.wait_for("the node to hold the address", holds_address)
        shop.kill(signal.SIGSTOP)
        lib.wait_for("the address to leave the node", lambda: not holds_address())
        assert agent.service("order")["health"] == "down", agent.service("order")
        assert (where / "vip.order").read_text() == "254\n"
        assert "Entering FAULT STATE" in keepalived.text(), keepalived.text()
        shop.kill(signal.SIGCONT)
        lib.wait_for("the address to be back", holds_address)
        assert agent.service("order")["health"] == "up", agent.service("order")
    lib.wait_for("keepalived to take the address with it", lambda: not holds_address())


if __name__ == "__main__":
    lib.need("keepalived", "ip", "unshare")
    if os.geteuid() != 0:
        print("skipped: a network of its own needs root")
        sys.exit(lib.SKIPPED)
    if OWN not in os.environ:
        enter_own_network()
    make_network()
    with lib.folder() as folder:
        run(folder)
