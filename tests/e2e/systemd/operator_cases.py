"""Scenarios in which people work on units while plans could act on them: what they do is left alone, and they can stop
a plan. Each takes the Node and the Scene class of systemd_test."""
import contextlib
import json
import signal
import time

import lib
from node import HOLD


def slow_restart(node, scene_of):
    """An operator's restart whose ExecStartPre takes longer than the alert: never ended by the agent."""
    machine = node.machine
    with scene_of(node, "an operator's slow restart: not fought", "catalog") as scene:
        node.drop_in("catalog.service", "ExecStartPre=/bin/sleep 6\n")
        scene.broken("systemctl restart catalog, whose ExecStartPre takes 6 s")
        machine.run("systemctl", "restart", "--no-block", "catalog.service")
        node.waits("catalog", "unit_starting")
        told = machine.run("fettle", "explain", "catalog", check=False).stdout
        assert "catalog.service is activating (start-pre), which TimeoutStartSec lets take 1m30s" in told, told
        node.health("catalog", "up")
        assert node.actions("catalog", scene.fault) == [], node.recoveries("catalog", scene.fault)
        assert node.starts("catalog.service", scene.fault) == 1, "somebody else restarted it"
        node.mend("catalog.service")


def own_restart(node, scene_of):
    """RestartSec= is running: systemd starts it again by itself, and is not overtaken."""
    machine = node.machine
    with scene_of(node, "systemd's own Restart=: not overtaken", "catalog") as scene:
        node.drop_in("catalog.service", "Restart=always\nRestartSec=4\n")
        scene.broken("SIGKILL to catalog, which systemd restarts after 4 s",
                     machine.signal("catalog.service", signal.SIGKILL))
        node.waits("catalog", "unit_starting")
        node.health("catalog", "up")
        assert node.actions("catalog", scene.fault) == [], node.recoveries("catalog", scene.fault)
        node.mend("catalog.service")


def start_limit(node, scene_of):
    """A unit that was started too often: the limit is named, reset-failed goes before another try."""
    machine = node.machine
    with scene_of(node, "start limit: reset-failed, then restart", "catalog") as scene:
        node.drop_in("catalog.service", "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=3\n")
        for _ in range(3):
            machine.run("systemctl", "restart", "catalog.service")
        node.health("catalog", "up")
        scene.broken("SIGKILL to catalog, which was started three times in a minute",
                     machine.signal("catalog.service", signal.SIGKILL))
        report = node.recovery("catalog", scene.fault, "recovered")
        text = report["actions"][0]["text"]
        assert "its start limit (3 starts in 1m) was hit and reset-failed was done" in text, report
        node.mend("catalog.service")


def masked(node, scene_of):
    """What an operator masks is his wish."""
    machine = node.machine
    unit = "/etc/systemd/system/catalog.service"
    with scene_of(node, "systemctl mask by an operator: not fought", "catalog") as scene:
        machine.run("mv", unit, "/usr/catalog.kept")
        machine.run("systemctl", "mask", "catalog.service")
        scene.broken("catalog is masked, and killed", machine.signal("catalog.service", signal.SIGKILL))
        node.waits("catalog", "unit_masked")
        assert node.actions("catalog", scene.fault) == [], node.recoveries("catalog", scene.fault)
        machine.run("systemctl", "unmask", "catalog.service")
        machine.run("mv", "/usr/catalog.kept", unit)
        machine.run("systemctl", "daemon-reload")
        scene.note("systemctl unmask catalog")
        node.recovery("catalog", scene.fault, "recovered")
        node.health("catalog", "up")


def stopped_runs(node, scene_of):
    """A plan is stopped while its restart is under way: that ends by itself, and the traffic comes back."""
    machine = node.machine

    def abort():
        answer = json.loads(machine.run("fettle", "recover", "abort", "checkout", "--comment", "alice", "-o", "json").stdout)
        assert "systemd restart checkout-a.service is running and comes to its end; what follows is undrain" in \
            answer["data"], answer

    def maintenance():
        told = machine.run("fettle", "maintenance", "on", "checkout", "--comment", "bob").stdout
        assert "systemd restart checkout-a.service is running and comes to its end" in told, told

    def pause():
        machine.run("mkdir", "-p", "/run/fettle/pause.d")
        machine.write("/run/fettle/pause.d/checkout", "")

    for stop, reason in [(abort, "aborted by operator: alice"), (maintenance, "maintenance: on: bob"),
                         (pause, "paused: on: /run/fettle/pause.d/checkout exists: remove it to go on")]:
        stopped_run(node, scene_of, stop, reason)


def stopped_run(node, scene_of, stop, reason):
    machine = node.machine
    drained = lambda: " down;" in machine.file("/etc/nginx/fettle/checkout.conf").read_text()  # noqa: E731
    lib.wait_for("checkout to be in nginx", lambda: not drained())
    node.health("checkout", "up")
    with scene_of(node, f"stopped in mid-plan: {stop.__name__}", "checkout") as scene:
        machine.write(HOLD, "")
        scene.broken("SIGKILL to checkout-a, whose start will take its time",
                     machine.signal("checkout-a.service", signal.SIGKILL))
        lib.wait_for("the restart to be under way", lambda: drained()
                     and machine.show("checkout-a.service", "ActiveState") == "activating", 60)
        stop()
        scene.note(stop.__name__)
        machine.file(HOLD).unlink()
        report = node.recovery("checkout", scene.fault, "aborted")
        assert report["reason"] == reason, report
        assert [a["action"] for a in report["actions"]] == ["drain", "systemd restart checkout-a.service", "undrain"], report
        lib.wait_for("checkout-a to be in nginx again", lambda: not drained())
        node.health("checkout", "up")
        machine.run("fettle", "maintenance", "off", "checkout")
        with contextlib.suppress(FileNotFoundError):
            machine.file("/run/fettle/pause.d/checkout").unlink()


BEATS = """
heartbeat: {socket: /run/fettle/heartbeat.sock}
"""
BEATING = """\
  beats:
    unit: stranger.service
    probes: [{name: beat, type: heartbeat, every: 1h}]
receivers:
"""
SEND = ('socket(S, AF_UNIX, SOCK_DGRAM, 0) or die "$!\\n"; connect(S, sockaddr_un("/run/fettle/heartbeat.sock")) or die "$!\\n";'
        ' defined send(S, "beats ok", 0) or die "$!\\n";')
CHANGES = [["maintenance", "on", "catalog"], ["silence", "add", "-c", "why", "service=catalog"], ["recover", "catalog"],
           ["recover", "abort", "catalog"], ["ack", "catalog"], ["reload"]]


def other_users(node, _):
    """Users of the node: who is in no group changes nothing and reads nothing, who may read changes nothing, who may
    change is named in the log; and heartbeats are those of the service's own user."""
    machine = node.machine
    began = time.time()
    machine.write("/usr/lib/sysusers.d/people.conf",
                  "u mallory -\nu reader -\nu alice -\nm reader fettle\nm alice fettle-admin\nm shop fettle\n")
    machine.run("systemd-sysusers", "people.conf")
    path = machine.file("/etc/fettle/fettle.yml")
    kept = path.read_text()
    path.write_text(BEATS.lstrip() + kept.replace("receivers:\n", BEATING, 1))
    machine.run("fettle", "check", "config", "/etc/fettle/fettle.yml")
    machine.run("systemctl", "restart", "fettle.service")
    lib.wait_for("the agent", node.ready, 60)
    node.health("catalog", "up")

    def silences():
        return json.loads(machine.run("fettle", "silence", "list", "-o", "json").stdout)

    def audited(**fields):
        return [e for e in node.log(began) if e["msg"] == "asked over the admin socket" and fields.items() <= e.items()]

    def uid(user):
        return machine.run("id", "--user", user).stdout.strip()

    for user in ("mallory", "reader"):
        for words in CHANGES:
            done = machine.run("fettle", *words, user=user, check=False)
            assert done.returncode != 0, (user, words, done.stdout)
    assert machine.run("fettle", "silence", "list", user="mallory", check=False).returncode != 0
    assert json.loads(machine.run("fettle", "silence", "list", "-o", "json", user="reader").stdout) == []
    assert silences() == [] and not audited(), audited()
    assert node.recoveries("catalog", began) == [], node.recoveries("catalog")

    for words in CHANGES[:2]:
        machine.run("fettle", *words, user="alice")
    machine.run("fettle", "maintenance", "off", "catalog", user="alice")
    machine.run("fettle", "silence", "expire", silences()[0]["id"], user="alice")
    lines = audited(user="alice", uid=uid("alice"), status="200")
    assert len(lines) == len(audited()) == 4 and all(line["pid"].isdigit() for line in lines), audited()

    for user in ("mallory", "reader"):
        machine.run("perl", "-MSocket", "-e", SEND, user=user, check=False)
    lib.wait_for("the strange heartbeat to be named", lambda: [
        e for e in node.log(began) if e["msg"] == "heartbeats of a user who is not the service's are dropped"
        and e["uid"] == uid("reader")])
    assert node.services()["beats"]["health"] != "up", node.services()["beats"]
    machine.run("perl", "-MSocket", "-e", SEND, user="shop")
    node.health("beats", "up")
    print("\nother users of the node: nothing changed by mallory and reader, four lines about alice, heartbeats of shop only")
    path.write_text(kept)
    machine.run("systemctl", "restart", "fettle.service")
    lib.wait_for("the agent", node.ready, 60)


CASES = [slow_restart, own_restart, start_limit, masked, stopped_runs, other_users]
