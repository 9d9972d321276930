"""Scenarios in which people work on units while plans could act on them: what they do is left alone, and they can stop
a plan. Each takes the Node and the Scene class of systemd_test."""
import contextlib
import json
import signal

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


CASES = [slow_restart, own_restart, start_limit, masked, stopped_runs]
