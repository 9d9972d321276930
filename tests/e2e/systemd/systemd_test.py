#!/usr/bin/env python3
"""The package in a Debian that systemd runs: as user fettle, with the polkit rule that the configuration asks for.

Every scenario breaks something that systemd runs, waits until the agent has done what it must, and prints what the
agent's own log says about it, in seconds since the fault.

    FETTLE=… FETTLE_SHOP=… FETTLE_BUILD=… systemd_test.py [SCENARIO]... [agent_killed_in_drills=N]

What it makes stays in FETTLE_BUILD/e2e-systemd: the Debian, so that the next run is quick, and nothing else. With
FETTLE_DEBIAN=trixie it is a Debian of that release, whose package FETTLE_DEB then names (packaging/build/on-debian.sh).
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import sys
import time

import container
import drill_cases
import lib
import node as shop
import operator_cases
import package_cases
from node import HOLD, NO_START, SHORT_LIFE

BUILD = pathlib.Path(os.environ.get("FETTLE_BUILD", lib.TOP / "build/release")).resolve()
CACHE = BUILD / "e2e-systemd"
EXPOSURE = 1.6  # the most that systemd-analyze may find

TOLD = {"probe is down": ("probe", "reason", "source"), "service is down": (), "service is up": (), "alert is firing": (),
        "recovery waits": ("reason",), "recovery action started": ("action",), "recovery": ("action", "result", "state"),
        "recovery exhausted": (), "an exhausted recovery is acknowledged": (), "fettle is ready": (),
        "an unfinished recovery goes on: probing first": (), "traffic is back": ()}


class Scene:
    """One fault and what came of it. Leaving it prints the timeline, also when the scenario failed."""

    summary = []

    def __init__(self, node, title, service):
        self.node, self.title, self.service, self.fault, self.notes = node, title, service, None, []

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        print(f"\n{self.title}")
        with contextlib.suppress(Exception):
            self.print_timeline()
        if not failure[0]:
            self.summary.append((self.title, *self.figures()))
        sys.stdout.flush()

    def broken(self, what, at=None):
        """The fault is here; times count from it."""
        at = at or time.time()
        self.fault = self.fault or at
        self.notes.append((at, what))

    def note(self, what):
        self.notes.append((time.time(), what))

    def entries(self):
        return [e for e in self.node.log(self.fault)
                if e.get("service") == self.service or f'service="{self.service}"' in e.get("alert", "")
                or e["msg"] == "fettle is ready"]

    def print_timeline(self):
        rows = [(at, "· " + what) for at, what in self.notes]
        last = None
        for entry in self.entries():
            if entry["msg"] == "recovery" and entry["state"] == "acting":
                told, last = last, (entry["id"], entry["action"], entry["result"])
                if told == last:
                    continue  # the next step has begun, which a line of its own says
            if entry["msg"] in TOLD:
                words = [entry[key] for key in TOLD[entry["msg"]] if entry.get(key)]
                rows.append((shop.seconds(entry["ts"]), f"{entry['msg']}{': ' if words else ''}{', '.join(words)}"))
        for at, what in sorted(rows, key=lambda row: row[0]):
            print(f"  {at - self.fault:+8.3f} s  {what}")

    def figures(self):
        """Seconds from the fault to the first failed probe, to the first action, to health that lasted."""
        when = {}
        for entry in self.entries():
            when.setdefault(entry["msg"], shop.seconds(entry["ts"]) - self.fault)
            if entry["msg"] == "service is up":
                when["healthy"] = shop.seconds(entry["ts"]) - self.fault
        return [when.get(key) for key in ("probe is down", "recovery action started", "healthy")]

    @classmethod
    def print_summary(cls):
        print(f"\n{'fault':58} {'seen':>9} {'action':>9} {'healthy':>9}   (seconds after the fault)")
        for title, *figures in cls.summary:
            print(f"{title:58} " + " ".join(f"{'-':>9}" if f is None else f"{f:9.3f}" for f in figures))


# ---- the scenarios, in this order


def installed(node):
    """What came out of the package: the agent runs, as nobody special, in a cage."""
    machine = node.machine
    pid = machine.pid_of("fettle.service")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    uid = int(re.search(r"^Uid:\t(\d+)", status, re.M).group(1))
    assert machine.run("id", "-u", "fettle").stdout.strip() == str(uid) != "0", uid
    assert re.search(r"^CapEff:\t0+$", status, re.M) and re.search(r"^NoNewPrivs:\t1$", status, re.M), status
    report = machine.run("systemd-analyze", "security", "--no-pager", "fettle.service").stdout
    line = report.strip().splitlines()[-1]
    print(f"the agent runs as uid {uid}, without capabilities; {line.strip('→ ')}")
    assert float(re.search(r"level for fettle.service: ([\d.]+)", line).group(1)) <= EXPOSURE, report


def kill(node):
    with Scene(node, "kill -9", "order") as scene:
        scene.broken("SIGKILL to order", node.machine.signal("order.service", signal.SIGKILL))
        node.recovery("order", scene.fault, "recovered")
        node.health("order", "up")
        assert node.actions("order", scene.fault) == [("systemd restart order.service", "ok")], node.recoveries("order")


def hang(node):
    with Scene(node, "hang (SIGSTOP)", "payment") as scene:
        scene.broken("SIGSTOP to payment", node.machine.signal("payment.service", signal.SIGSTOP))
        node.recovery("payment", scene.fault, "recovered")
        node.health("payment", "up")
        assert node.actions("payment", scene.fault) == [("systemd restart payment.service", "ok")]


def start_failure(node):
    """A unit that cannot start: the plan says why, escalates, gives up loudly, and people are told."""
    machine = node.machine
    with Scene(node, "unit cannot start: exhausted, pages", "gateway") as scene:
        machine.run("fettle", "ack", "gateway", check=False)
        machine.write(NO_START, "")
        scene.broken("SIGKILL to gateway, which cannot start again",
                     node.machine.signal("gateway.service", signal.SIGKILL))
        last = node.recovery("gateway", scene.fault, "exhausted")
        scene.note("exhausted; the API says so")
        assert node.actions("gateway", scene.fault) == [("systemd restart gateway.service", "failed"),
                                                        ("alert page", "ok")] * 3, node.recoveries("gateway")
        assert "the job ended as 'failed'; see: journalctl -u gateway.service" in last["actions"][0]["text"], last
        pages = lib.wait_for("a signed page", lambda: [d for d in node.deliveries("gateway")
                                                       if "Recovery exhausted" in str(d["payload"])])
        scene.notes.append((pages[0]["received"], "a signed webhook pages: " + page_text(pages[0])))
        told = machine.run("fettle", "explain", "gateway", check=False).stdout
        assert "exhausted" in told, told
        machine.file(NO_START).unlink()
        machine.run("systemctl", "start", "gateway.service")
        scene.note("an operator mends the cause and starts it")
        node.health("gateway", "up")
        machine.run("fettle", "ack", "gateway")
        lib.wait_for("the whole budget", lambda: node.services()["gateway"]["recovery"]["attemptsLeft"] == 3)


def page_text(delivery):
    found = re.search(r"Recovery exhausted[^\"\\]*", str(delivery["payload"]))
    return found.group()[:100]


def crash_loop(node):
    """A service that dies at once after each start: three attempts and no fourth, until a person says so."""
    machine = node.machine
    with Scene(node, "crash loop: budget holds, fettle ack", "payment") as scene:
        if "exhausted" in node.services()["payment"]["recovery"]["state"]:
            machine.run("fettle", "ack", "payment")
        before = node.services()["payment"]["recovery"]["attemptsLeft"]
        machine.write(SHORT_LIFE, "")
        scene.broken("SIGKILL to payment; from now on it ends 0.2 s after each start",
                     machine.signal("payment.service", signal.SIGKILL))
        node.recovery("payment", scene.fault, "exhausted", 90)
        # The latch is no pause: the service changes its state and its dependent's node lives on, and nothing is done.
        machine.run("systemctl", "start", "payment.service", check=False)
        scene.note("exhausted; an operator starts it in vain")
        lib.wait_for("payment to be dead again", lambda: machine.show("payment.service", "ActiveState") == "failed")
        kill_another = machine.signal("order.service", signal.SIGKILL)
        node.recovery("order", kill_another, "recovered")
        starts = node.starts("payment.service", scene.fault) - 1
        assert starts == before and len(node.actions("payment", scene.fault)) == before, (starts, before)
        assert node.services()["payment"]["recovery"]["state"] == "exhausted", node.services()["payment"]
        machine.file(SHORT_LIFE).unlink()
        machine.run("fettle", "ack", "payment")
        scene.note("an operator mends the cause: fettle ack payment")
        node.recovery("payment", scene.fault, "recovered")
        node.health("payment", "up")
        assert len(node.actions("payment", scene.fault)) == before + 1, node.recoveries("payment")


def bad_upgrade(node):
    """A unit that was changed, and crashes since: one restart, then people are told which file it was."""
    machine = node.machine
    with Scene(node, "bad upgrade: one restart, then people", "payment") as scene:
        machine.run("fettle", "ack", "payment", check=False)
        node.drop_in("payment.service", "ExecStart=\nExecStart=/bin/sh -c 'sleep 0.2; exit 1'\n")
        scene.broken("SIGKILL to payment, whose unit has a bad drop-in", machine.signal("payment.service", signal.SIGKILL))
        node.waits("payment", "changed_recently")
        told = machine.run("fettle", "explain", "payment", check=False).stdout
        assert "/run/systemd/system/payment.service.d/bad.conf (unit) was changed" in told and "fettle ack payment" in told, told
        scene.note("restarted once; explain names the drop-in")
        assert len(node.actions("payment", scene.fault)) == 1, node.recoveries("payment")
        node.mend("payment.service")
        machine.run("systemctl", "start", "payment.service")
        scene.note("an operator takes the drop-in away and starts it")
        node.health("payment", "up")
        assert len(node.actions("payment", scene.fault)) == 1, node.recoveries("payment")


def dependency(node):
    """order needs inventory: order is not restarted for what inventory does, and only late for what is its own."""
    machine = node.machine
    with Scene(node, "dependency down: not restarted, late restart", "order") as scene:
        pid = machine.show("order.service", "MainPID")
        scene.broken("SIGKILL to inventory, which nobody restarts", machine.signal("inventory.service", signal.SIGKILL))
        node.waits("order", "dependencies")
        scene.note("order waits: inventory is to blame")
        assert machine.show("order.service", "MainPID") == pid, "order was restarted for the fault of inventory"
        machine.signal("order.service", signal.SIGKILL)
        scene.note("SIGKILL to order too")
        lib.wait_for("the agent to see it", lambda: any(
            e["msg"] == "probe is down" and e.get("probe") == "process" for e in scene.entries()))
        told = machine.run("fettle", "explain", "order", check=False).stdout
        assert "It depends on inventory, which is down." in told, told
        assert node.actions("order", scene.fault) == [], node.recoveries("order", scene.fault)
        machine.run("systemctl", "start", "inventory.service")
        scene.note("an operator starts inventory")
        node.recovery("order", scene.fault, "recovered")
        node.health("order", "up")
        assert node.actions("order", scene.fault) == [("systemd restart order.service", "ok")], node.recoveries("order")


def stopped_by_operator(node):
    """What an operator stops stays stopped; the agent waits for the operator and not against him."""
    machine = node.machine
    with Scene(node, "systemctl stop by an operator: not fought", "catalog") as scene:
        scene.broken("systemctl stop catalog")
        machine.run("systemctl", "stop", "catalog.service")
        node.waits("catalog", "stopped_by_operator")
        other = machine.signal("order.service", signal.SIGKILL)
        node.recovery("order", other, "recovered")
        scene.note("meanwhile order was killed and recovered; catalog is left alone")
        assert machine.show("catalog.service", "ActiveState") == "inactive"
        assert node.actions("catalog", scene.fault) == [], node.recoveries("catalog")
        told = machine.run("fettle", "explain", "catalog", check=False).stdout
        assert "stopped_by_operator" in told, told
        machine.run("systemctl", "start", "catalog.service")
        scene.note("systemctl start catalog")
        node.health("catalog", "up")
        fault = machine.signal("catalog.service", signal.SIGKILL)
        scene.notes.append((fault, "SIGKILL to catalog"))
        node.recovery("catalog", fault, "recovered")
        node.health("catalog", "up")


def stopped_at_once(node):
    """The end of the process is seen before systemd says that somebody stopped it: never fought, however often."""
    machine = node.machine
    with Scene(node, "systemctl stop that is over at once, 20 times", "catalog") as scene:
        command = f"/usr/bin/fettle-shop payment --listen=127.0.0.1:{shop.PORTS['catalog']} --run=/run/catalog"
        scene.broken("systemctl stop catalog, and start again, 20 times")
        for number in range(20):
            if number == 15:  # systemd calls this way to end a failure; Java has no other
                node.drop_in("catalog.service", f"ExecStart=\nExecStart=/bin/sh -c 'trap \"exit 143\" TERM; {command} & wait'\n")
                machine.run("systemctl", "restart", "catalog.service")
                node.health("catalog", "up")
            began = time.time()
            machine.run("systemctl", "stop", "catalog.service")
            node.waits("catalog", "stopped_by_operator")
            assert machine.show("catalog.service", "ActiveState") == ("failed" if number >= 15 else "inactive"), number
            assert node.actions("catalog", began) == [], (number, node.recoveries("catalog", began))
            machine.run("systemctl", "start", "catalog.service")
            node.health("catalog", "up")
        scene.note("20 stops, the last 5 with status 143: none was fought")
        assert node.starts("catalog.service", scene.fault) == 21, "somebody else started it"
        node.mend("catalog.service")
        machine.run("systemctl", "restart", "catalog.service")
        node.health("catalog", "up")


def refused(node):
    """A unit that the polkit rule does not name: nothing happens to it, and the reason says what to do."""
    machine = node.machine
    with Scene(node, "polkit refuses, then is told", "stranger") as scene:
        node.configure(stranger=True)
        machine.run("systemctl", "reload", "fettle.service")
        node.health("stranger", "up")
        scene.broken("SIGKILL to stranger, which the rule does not name",
                     machine.signal("stranger.service", signal.SIGKILL))
        first = lib.wait_for("a refusal", lambda: [r for r in node.recoveries("stranger", scene.fault) if r["actions"]])[0]
        assert first["actions"][0]["result"] == "refused", first
        assert "install the rule that `fettle check config --print-polkit` prints" in first["actions"][0]["text"], first
        assert machine.show("stranger.service", "ActiveState") == "failed"
        for verb, unit in [("start", "stranger"), ("stop", "order"), ("restart", "hooks"), ("stop", "fettle")]:
            asked = machine.run("systemctl", "--no-ask-password", verb, f"{unit}.service", user="fettle", check=False)
            assert asked.returncode != 0 and "denied" in asked.stderr.lower(), (verb, unit, asked.stderr)
        scene.note("as user fettle, systemctl start stranger, stop order, restart hooks, stop fettle: all denied")
        node.grant()
        scene.note("the rule is printed anew and installed")
        if lib.wait_for("an end", lambda: next((r["state"] for r in node.recoveries("stranger", scene.fault)
                                                if r["state"] in ("exhausted", "recovered")), None)) == "exhausted":
            machine.run("fettle", "ack", "stranger")
        node.recovery("stranger", scene.fault, "recovered")
        node.health("stranger", "up")


def agent_killed(node):
    mid_plan(node, "agent: SIGKILL in mid-plan", lambda: node.machine.signal("fettle.service", signal.SIGKILL))


def agent_restarted(node):
    mid_plan(node, "agent: systemctl restart in mid-plan", lambda: node.machine.run("systemctl", "restart", "fettle.service"))


def rebooted(node):
    mid_plan(node, "node: reboot in mid-plan", node.machine.reboot)


def power_lost(node):
    def pull_the_plug():
        node.machine.power_off()
        node.machine.boot()
    mid_plan(node, "node: power lost in mid-plan", pull_the_plug)


def mid_plan(node, title, disturb):
    """The agent goes away while checkout is drained and its restart is under way: what it has begun comes to its end."""
    machine = node.machine
    drained = lambda: " down;" in machine.file("/etc/nginx/fettle/checkout.conf").read_text()  # noqa: E731
    both = {f"127.0.0.1:{shop.PORTS[name]}" for name in ("checkout-a", "checkout-b")}
    # A worker of nginx that a reload has just replaced may still answer: both, once it is gone.
    lib.wait_for("nginx to serve from both", lambda: node.servers() == both and not drained())
    with Scene(node, title, "checkout") as scene:
        left = node.services()["checkout"]["recovery"]["attemptsLeft"]
        machine.write(HOLD, "")
        scene.broken("SIGKILL to checkout-a, whose start will take its time",
                     machine.signal("checkout-a.service", signal.SIGKILL))
        lib.wait_for("the restart to be under way", lambda: drained()
                     and machine.show("checkout-a.service", "ActiveState") == "activating", 60)
        other = both - {f"127.0.0.1:{shop.PORTS['checkout-a']}"}
        lib.wait_for("nginx to serve from the other one only", lambda: node.servers() == other)
        begun = node.recoveries("checkout", scene.fault)[0]["id"]
        scene.note("checkout-a is drained, its restart is under way: " + title)
        disturb()
        lib.wait_for("the agent to be back", node.ready, 60)
        scene.note("the agent is back")
        with contextlib.suppress(FileNotFoundError):  # a reboot has emptied /run
            machine.file(HOLD).unlink()
        report = node.recovery("checkout", scene.fault, "recovered", 90)
        lib.wait_for("checkout-a to be in nginx again", lambda: not drained() and node.servers() == both)
        scene.note("nginx serves from both again")
        assert report["id"] == begun and len(node.recoveries("checkout", scene.fault)) == 1, node.recoveries("checkout")
        restarts = [a for a in node.actions("checkout", scene.fault) if a[0].startswith("systemd restart")]
        assert len(restarts) == 1, node.recoveries("checkout")
        assert node.services()["checkout"]["recovery"]["attemptsLeft"] == left - 1, "the attempt was forgotten"


def of_file(case):
    """A scenario of another file, under its own name."""
    def scenario(node):
        case(node, Scene)
    scenario.__name__ = case.__name__
    return scenario


SCENARIOS = [installed, kill, hang, start_failure, crash_loop, bad_upgrade, dependency, stopped_by_operator, stopped_at_once, refused, agent_killed,
             agent_restarted, rebooted, power_lost, *map(of_file, [*operator_cases.CASES, *drill_cases.CASES, *package_cases.CASES])]


# ---- the run


def chosen(names, word):
    name, _, number = word.partition("=")
    if not number:
        return names[name]
    return lambda node: drill_cases.agent_killed_in_drills(node, Scene, int(number))


def sweep():
    """What a run that was killed has left."""
    for folder in CACHE.glob("machine-*"):
        if not pathlib.Path(f"/proc/{folder.name.removeprefix('machine-')}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def run(chosen):
    if os.geteuid() != 0:
        raise container.Refusal("a container of its own needs root")
    lib.need("systemd-nspawn", "debootstrap", "dpkg-deb", "nsenter", "unshare", "cpack")
    CACHE.mkdir(parents=True, exist_ok=True)
    sweep()
    began = time.monotonic()
    deb = pathlib.Path(os.environ["FETTLE_DEB"]) if "FETTLE_DEB" in os.environ else shop.build_deb(BUILD, CACHE / "package")
    root = container.Root(CACHE, deb)
    made = root.make()
    where = CACHE / f"machine-{os.getpid()}"
    where.mkdir()
    try:
        with container.Machine(root, where) as machine:
            print(f"a Debian {root.codename} with {deb.name}, {'made in %.0f s' % made if made else 'kept from before'}; "
                  f"booted after {time.monotonic() - began:.1f} s")
            node = shop.Node(machine)
            try:
                node.install(deb, lib.SHOP)
                node.configure(stranger=False)
                node.grant()
                machine.run("systemctl", "restart", "fettle.service")
                lib.wait_for("health", lambda: all(s["health"] == "up" for s in node.services().values()), 60)
                for scenario in chosen:
                    scenario(node)
            except BaseException:
                if machine.leader:
                    print("\nthe journal's end:\n" + machine.run("journalctl", "--lines=80", check=False).stdout)
                raise
    finally:
        shutil.rmtree(where, ignore_errors=True)
    Scene.print_summary()
    print(f"\n{len(chosen)} scenarios in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    names = {scenario.__name__: scenario for scenario in SCENARIOS}
    try:
        run([chosen(names, word) for word in sys.argv[1:]] or SCENARIOS)
    except container.Refusal as refusal:
        print(f"skipped: {refusal}")
        sys.exit(lib.SKIPPED)
