"""What the package does beside its first installation, and what `fettle init` sees of a node that systemd runs."""
import collections
import contextlib
import json
import pathlib
import re
import shutil
import subprocess

import lib
import node as shop

CONFIGURATION = "/etc/fettle/fettle.yml"


def command_line(machine):
    return pathlib.Path(f"/proc/{machine.pid_of('fettle.service')}/cmdline").read_text().split("\0")


def older(deb, where):
    """The package of a version before this one: another program, and two rule files that have changed since."""
    subprocess.run(["dpkg-deb", "--raw-extract", deb, where], check=True)
    control = where / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 0.0.1-1", control.read_text(), flags=re.M))
    (where / "DEBIAN/md5sums").unlink(missing_ok=True)
    with open(where / "usr/bin/fettle", "ab") as program:
        program.write(b"of the version before")
    for name in ("services", "drills"):
        file = where / f"etc/fettle/rules/{name}.yml"
        file.write_text("# As the version before had it.\n" + file.read_text())
    made = where.parent / "older.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", where, made], check=True, stdout=subprocess.DEVNULL)
    return made


def program_of(machine):
    """What the agent that runs is, also where another file has its name by now."""
    program = pathlib.Path(f"/proc/{machine.pid_of('fettle.service')}/exe").read_bytes()
    return "older" if program.endswith(b"of the version before") else "newer"


def upgraded(node, _):
    """From an older package to this one. A mistake in the configuration keeps the old program running, and what apt prints is the
    way on; what was changed by people stays, what was not is replaced, and what the agent knows survives. One that was stopped
    stays stopped."""
    machine = node.machine
    good = machine.file(CONFIGURATION).read_text()
    rules = machine.file("/etc/fettle/rules")
    with lib.folder() as where:
        shutil.copy(older(machine.file("/fettle.deb"), where / "unpacked"), machine.file("/older.deb"))
    flags_before = machine.file("/etc/default/fettle").read_text()
    drills_before = (rules / "drills.yml").read_text()

    def version():
        return machine.run("dpkg-query", "--show", "--showformat=${Version}", "fettle").stdout

    newest = version()
    machine.run("dpkg", "--force-downgrade", "--install", "/older.deb")
    lib.wait_for("the agent of the older package", node.ready, 60)
    assert (version(), program_of(machine)) == ("0.0.1-1", "older")
    assert (rules / "services.yml").read_text().startswith("# As the version before")
    with open(machine.file("/etc/default/fettle"), "a") as file:
        file.write("# mine\n")
    with open(rules / "drills.yml", "a") as file:
        file.write("# mine, too\n")
    machine.run("fettle", "silence", "add", "-d", "2h", "-c", "alice: upgrade", "service=nobody")
    machine.run("systemctl", "reload", "fettle.service")

    before = machine.pid_of("fettle.service")
    machine.write(CONFIGURATION, good + "nonsense: 1\n")
    said = machine.run("dpkg", "--force-confold", "--install", "/fettle.deb").stderr
    assert f"{CONFIGURATION}:{len(good.splitlines()) + 1}:1: nonsense: unknown key" in said, said
    way_on = re.search(r"^fettle:   (.* systemctl restart fettle)$", said, re.M)
    assert way_on, said
    assert machine.pid_of("fettle.service") == before, "the agent was restarted with a mistake in its configuration"
    assert (version(), program_of(machine)) == (newest, "older")
    assert all(s["health"] == "up" for s in node.services().values()), node.services()
    assert machine.run("sh", "-c", way_on[1], check=False).returncode == 1 and machine.pid_of("fettle.service") == before
    machine.write(CONFIGURATION, good)
    machine.run("sh", "-c", way_on[1])
    lib.wait_for("the agent of the new package", node.ready, 60)
    assert program_of(machine) == "newer"
    assert "alice: upgrade" in machine.run("fettle", "silence", "list").stdout
    assert machine.file("/etc/default/fettle").read_text() == flags_before + "# mine\n"
    assert (rules / "drills.yml").read_text().endswith("# mine, too\n"), "a rule file that was changed is not the old one"
    assert not (rules / "services.yml").read_text().startswith("# As the version before"), "a file nobody has changed was not replaced"

    # Without a mistake the same command does it all.
    machine.run("dpkg", "--force-downgrade", "--force-confold", "--install", "/older.deb")
    lib.wait_for("the agent of the older package, again", node.ready, 60)
    before = machine.pid_of("fettle.service")
    machine.run("dpkg", "--force-confold", "--install", "/fettle.deb")
    assert machine.pid_of("fettle.service") != before and program_of(machine) == "newer", "the agent was not restarted"
    machine.run("systemctl", "stop", "fettle.service")
    machine.run("dpkg", "--force-confold", "--install", "/fettle.deb")
    assert machine.show("fettle.service", "ActiveState") == "inactive", "an agent that was stopped was started"
    machine.run("dpkg", "--remove", "fettle")
    machine.run("dpkg", "--force-confold", "--install", "/fettle.deb")
    lib.wait_for("the agent, installed again", node.ready, 60)
    assert machine.file(CONFIGURATION).read_text() == good
    machine.write("/etc/default/fettle", flags_before)
    (rules / "drills.yml").write_text(drills_before)
    print(f"\nupgrade: 0.0.1-1 to {newest}; a mistake holds back the restart; edits stay; stopped stays stopped; removed and "
          "installed again starts")


def flags(node, _):
    """Address and port without a drop-in: /etc/default/fettle."""
    machine = node.machine
    machine.write("/etc/default/fettle", 'ARGS="--web.listen-address=127.0.0.1:10911 --log.format=logfmt"\n')
    machine.run("systemctl", "restart", "fettle.service")
    lib.wait_for("the agent with its flags", node.ready, 60)
    assert command_line(machine)[2:4] == ["--web.listen-address=127.0.0.1:10911", "--log.format=logfmt"], command_line(machine)


def initial(node, _):
    """A first configuration of this node: root sees whose each port is; others see less, and are told so. An audit of it
    finds only what init cannot know."""
    machine = node.machine
    text = machine.run("fettle", "init", "-").stdout
    for words in ["  nginx:\n    unit: nginx.service\n", "    unit: order.service\n", "type: http, url: "]:
        assert words in text, (words, text)
    machine.write("/tmp/first.yml", text)
    machine.run("fettle", "check", "config", "/tmp/first.yml")
    other = machine.run("fettle", "init", "-", user="fettle").stdout
    assert "    unit: order.service\n" in other, other
    machine.write("/tmp/other.yml", other)
    machine.run("fettle", "check", "config", "/tmp/other.yml")
    # All that runs is watched by what init writes; a service that connects for each request may be seen later. Root's file
    # beside what another user sees has no gap of another kind.
    for user, file in ((None, "first"), ("fettle", "other"), ("fettle", "first")):
        found = json.loads(machine.run("fettle", "audit", f"--config.file=/tmp/{file}.yml", "-o", "json", user=user, check=False).stdout)
        gaps = collections.Counter(f["gap"] for f in found["findings"])
        assert gaps["no-receiver"] == 1 and set(gaps) <= {"no-receiver", "no-plan", "no-drain", "no-dependency"}, (user, file, found)
        print(f"audit of {file}.yml as {user or 'root'}: {dict(gaps)}")
    print(f"\ninit: {text.count('    unit: ')} units as root, {other.count('    unit: ')} as fettle")


def readme_steps():
    """What the README says from the first service on, in its order: ("file", path, text) or ("command", line)."""
    text = (lib.TOP / "README.md").read_text()
    part = text[text.index("## The first service"):text.index("## Where to read on")]
    for found in re.finditer(r"<!-- example: (\S+) -->\n```yaml\n(.*?)```|^    (\S[^\n]*)$", part, re.M | re.S):
        if found[1]:
            yield "file", found[1], found[2].replace("127.0.0.1:8081", f"127.0.0.1:{shop.PORTS['order']}")
        else:
            yield "command", re.sub(r" {2,}# .*", "", found[3]), ""


@contextlib.contextmanager
def alertmanager():
    """This host's Alertmanager where the README's receiver expects one; what it says of itself. None: there is no such program."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not program:
        print("no Alertmanager is installed: the README's receiver of that name has nobody to talk to")
        yield None
        return
    with lib.folder() as where:
        (where / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        argv = [program, f"--config.file={where}/alertmanager.yml", f"--storage.path={where}/data", "--web.listen-address=127.0.0.1:9093",
                "--cluster.listen-address="]
        with open(where / "log", "wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as running:
            try:
                lib.wait_for("Alertmanager", lambda: lib.get("http://127.0.0.1:9093/-/ready"))
                yield lambda: lib.get("http://127.0.0.1:9093/metrics")
            finally:
                running.terminate()


def readme(node, _):
    """The README's own files and commands, as they stand there: the service that is killed is active again, and a real
    Alertmanager has heard of it."""
    with alertmanager() as heard:
        walk(node, heard)


def walk(node, heard):
    machine = node.machine
    good = machine.file(CONFIGURATION).read_text()

    def recoveries():
        return json.loads(machine.run("fettle", "recoveries", "order", "-o", "json", check=False).stdout)["data"]["recoveries"]
    # As on a node where nothing has happened yet: other scenarios have spent the budget of order.
    machine.run("systemctl", "stop", "fettle.service")
    for file in machine.file("/var/lib/fettle").iterdir():
        file.unlink()
    machine.run("systemctl", "start", "fettle.service")
    before = {r["id"] for r in recoveries()}
    machine.write(CONFIGURATION, "include: [/etc/fettle/services.d/*.yml]\nrule_files: [/etc/fettle/rules/*.yml]\n")
    commands = 0
    for kind, what, text in readme_steps():
        if kind == "file":
            machine.write(what, text)
            continue
        done = machine.run("sh", "-c", what, check=False)
        # 1: a service is down, an incident is open, no recovery is under way.
        assert done.returncode in ((0, 1) if what.startswith("fettle") else (0,)), (what, done.stdout, done.stderr)
        commands += 1
        if what.startswith("systemctl kill"):
            # Soon, if the agent is up for a minute and order for half of one: its guards ask for that.
            lib.wait_for("the recovery of order", lambda: [
                r for r in recoveries() if r["id"] not in before and r["mode"] == "enforce" and r["state"] == "recovered"], 180)
    assert machine.show("order.service", "ActiveState") == "active"
    if heard:
        lib.wait_for("the alert and its end at Alertmanager", lambda: all(
            re.search(rf'^alertmanager_alerts_received_total{{status="{status}",version="v2"}} [1-9]', heard(), re.M)
            for status in ("firing", "resolved")), 60, heard)
    machine.file("/etc/fettle/services.d/order.yml").unlink()
    machine.file("/run/fettle/pause").unlink()
    machine.run("fettle", "maintenance", "off", "order")
    machine.write(CONFIGURATION, good)
    node.grant()
    machine.run("systemctl", "reload", "fettle.service")
    print(f"\nREADME: {commands} commands as written{', and Alertmanager heard of the alert and of its end' if heard else ''}")


CASES = [initial, readme, flags, upgraded]
