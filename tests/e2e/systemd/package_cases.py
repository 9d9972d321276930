"""What the package does beside its first installation, and what `fettle init` sees of a node that systemd runs."""
import pathlib

import lib

CONFIGURATION = "/etc/fettle/fettle.yml"


def command_line(machine):
    return pathlib.Path(f"/proc/{machine.pid_of('fettle.service')}/cmdline").read_text().split("\0")


def upgraded(node, _):
    """An upgrade restarts the agent, but not into a configuration with mistakes; one that was stopped stays stopped."""
    machine = node.machine
    good = machine.file(CONFIGURATION).read_text()
    before = machine.pid_of("fettle.service")
    machine.write(CONFIGURATION, good + "nonsense: 1\n")
    said = machine.run("dpkg", "--install", "/fettle.deb").stderr
    assert f"{CONFIGURATION}:{len(good.splitlines()) + 1}:1: nonsense: unknown key" in said, said
    assert f"fettle check config {CONFIGURATION} && systemctl restart fettle" in said, said
    assert machine.pid_of("fettle.service") == before, "the agent was restarted with a mistake in its configuration"
    machine.write(CONFIGURATION, good)
    machine.run("dpkg", "--install", "/fettle.deb")
    assert machine.pid_of("fettle.service") != before, "the agent was not restarted"
    machine.run("systemctl", "stop", "fettle.service")
    machine.run("dpkg", "--install", "/fettle.deb")
    assert machine.show("fettle.service", "ActiveState") == "inactive", "an agent that was stopped was started"
    machine.run("dpkg", "--remove", "fettle")
    machine.run("dpkg", "--install", "/fettle.deb")
    lib.wait_for("the agent, installed again", node.ready, 60)
    assert machine.file(CONFIGURATION).read_text() == good
    print("\nupgrade: a mistake holds back the restart; stopped stays stopped; removed and installed again starts")


def flags(node, _):
    """Address and port without a drop-in: /etc/default/fettle."""
    machine = node.machine
    machine.write("/etc/default/fettle", 'ARGS="--web.listen-address=127.0.0.1:10911 --log.format=logfmt"\n')
    machine.run("systemctl", "restart", "fettle.service")
    lib.wait_for("the agent with its flags", node.ready, 60)
    assert command_line(machine)[2:4] == ["--web.listen-address=127.0.0.1:10911", "--log.format=logfmt"], command_line(machine)


def initial(node, _):
    """A first configuration of this node: root sees whose each port is; others see less, and are told so."""
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
    print(f"\ninit: {text.count('    unit: ')} units as root, {other.count('    unit: ')} as fettle")


CASES = [initial, flags, upgraded]
