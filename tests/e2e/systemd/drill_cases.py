"""Faults that are rehearsed: what a drill finds, and that nothing of one stays, whenever the agent is killed. Each takes
the Node and the Scene class of systemd_test."""
import json
import pathlib
import random
import signal
import time

import lib
import node as shop

DRILLED = ("order", "checkout")  # their plans have attempts for more than one
FAULTS = ("hang", "kill", "refuse", "slow")
KILLS = 2  # of the agent, in the last scenario; `agent_killed_in_drills=50` for more


def unit_of(service):
    return "checkout-a.service" if service == "checkout" else f"{service}.service"


def configured():
    """In a window that is days away, so that nothing begins by itself."""
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    day = days[(time.gmtime().tm_wday + 3) % 7]
    return "drills:\n" + "".join(
        f'  {service}-{fault}: {{service: {service}, fault: {fault}, windows: "{day} 02:00-02:30"}}\n'
        for service in (*DRILLED, "inventory") for fault in FAULTS)


def prepare(node):
    """An agent whose store has not seen the scenarios before: after them ServiceFlapping fires, and no drill begins."""
    node.configure(stranger=False, drills=configured())
    node.grant()
    node.machine.run("systemctl", "restart", "fettle.service")
    for service in (*DRILLED, "inventory"):
        node.machine.run("fettle", "ack", service, check=False)
        node.health(service, "up")


def drills(node):
    found = lib.get_json(f"{node.url}/api/v1/drills")["data"]["faultDrills"]
    return {(drill["service"], drill["fault"]): drill for drill in found}


def open_incidents(node, service):
    found = lib.get_json(f"{node.url}/api/v1/incidents?service={service}")["data"]["incidents"]
    return [incident["headline"] for incident in found if incident["ended"] is None and not incident["end"]]


def begin(node, service, fault):
    """Until it is taken, for the incident of the drill before has to be over; when it was asked for."""
    def asked():
        last[:] = [time.time(), ""]
        answer = node.machine.run("fettle", "drill", service, "--fault", fault, "--yes", check=False)
        last[1] = answer.stdout + answer.stderr
        assert answer.returncode in (0, 1, 3), last[1]
        return answer.returncode == 0
    last = [0, ""]
    node.machine.run("fettle", "ack", service, check=False)
    lib.wait_for(f"incidents of {service} to end", lambda: not open_incidents(node, service), 120,
                 lambda: str(open_incidents(node, service)))
    lib.wait_for(f"a drill {fault} of {service} to begin", asked, 120, lambda: last[1])
    return last[0]


def ended(node, service, fault, since, limit=150):
    def found():
        drill = drills(node)[service, fault]
        return drill if not drill["doing"] and drill.get("ended") and shop.seconds(drill["ended"]) >= since else None
    return lib.wait_for(f"the end of the drill {fault} of {service}", found, limit, lambda: str(drills(node)[service, fault]))


def drill(node, scene, service, fault):
    began = begin(node, service, fault)
    scene.broken(f"fettle drill {service} --fault {fault}", began)
    result = ended(node, service, fault, began)
    stages = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in result["stageSeconds"].items())
    scene.note(f"{fault}: {result['result']}: {result['text']} ({stages})")
    return result


def is_whole(node, service):
    """Its unit runs, none of its processes stands still, nginx serves from it."""
    machine = node.machine
    unit = unit_of(service)
    if machine.show(unit, "ActiveState") != "active" or machine.show(unit, "FreezerState") not in ("running", ""):
        return False
    state = pathlib.Path(f"/proc/{machine.pid_of(unit)}/stat").read_text().rpartition(")")[2].split()[0]
    if state in "Tt":
        return False
    return service != "checkout" or " down;" not in machine.file("/etc/nginx/fettle/checkout.conf").read_text()


def drills_pass(node, scene_of):
    """Each fault: found, cured by the plan, told to the receiver, measured."""
    machine = node.machine
    with scene_of(node, "drills: hang, kill, refuse, slow", "checkout") as scene:
        prepare(node)
        asked = machine.run("fettle", "drill", "order", "--fault", "kill", check=False)
        assert asked.returncode == 2 and "--yes" in asked.stderr, asked
        for number, fault in enumerate(FAULTS):
            service = DRILLED[number % 2]
            result = drill(node, scene, service, fault)
            assert result["result"] == "passed", result
            wanted = {"detect", "cure", "verify", "deliver", "recover"} | ({"drain", "undrain"} if service == "checkout" else set())
            assert wanted <= set(result["stageSeconds"]), result
            assert is_whole(node, service), service
        result = drill(node, scene, "inventory", "refuse")  # it has no plan: the drill starts it again
        assert result["result"] == "passed" and "undone by the drill, for there is no plan" in result["text"], result
        assert is_whole(node, "inventory")
        page = lib.get(f"{node.url}/metrics")
        assert 'fettle_drill_last_success_timestamp_seconds{fault="slow",service="checkout"}' in page, page
        told = [json.dumps(d["payload"]) for d in node.deliveries("checkout")]
        assert any("DRILL: slow is rehearsed at checkout" in each for each in told), told[-3:]
        assert any("DRILL: " in each and "ServiceDown" in each for each in told), told[-3:]


def drills_find(node, scene_of):
    """A receiver that is dead, a polkit rule that is not there: named. Maintenance ends a drill."""
    machine = node.machine
    with scene_of(node, "drills: dead receiver, no polkit rule, maintenance", "order") as scene:
        prepare(node)
        machine.run("systemctl", "stop", "hooks.service")
        result = drill(node, scene, "order", "kill")
        assert result["result"] == "not_delivered" and "hooks" in result["text"], result
        machine.run("systemctl", "start", "hooks.service")
        machine.file("/etc/polkit-1/rules.d/60-fettle.rules").unlink()
        result = lib.wait_for("polkit to forget its rule", lambda: refused(node, scene))
        assert "polkit" in result["text"], result
        node.grant()
        machine.file(shop.HOLD).write_text("")
        began = begin(node, "checkout", "kill")
        node.health("checkout", "down")
        machine.run("fettle", "maintenance", "on", "checkout", "--comment", "a person looks")
        machine.file(shop.HOLD).unlink()
        result = ended(node, "checkout", "kill", began)
        assert result["result"] == "interrupted" and "maintenance" in result["text"], result
        machine.run("fettle", "maintenance", "off", "checkout")
        lib.wait_for("checkout to be whole", lambda: is_whole(node, "checkout"), 60)
        scene.note("maintenance: " + result["text"])


def refused(node, scene):
    result = drill(node, scene, "checkout", "hang")
    return result if result["result"] == "not_injected" else None


def agent_killed_in_drills(node, scene_of, kills=KILLS):
    """The agent is killed at a random moment of each: nothing is left frozen, stopped or drained."""
    machine = node.machine
    prepare(node)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    left = 0
    for number in range(kills):
        service, fault = DRILLED[number % 2], chance.choice(FAULTS)
        with scene_of(node, f"drill {number + 1} of {kills}: {fault}, agent killed (seed {seed})", service) as scene:
            scene.broken(f"fettle drill {service} --fault {fault}", begin(node, service, fault))
            after = chance.uniform(0, 2.5 if service == "checkout" else 1)
            time.sleep(after)  # the moment is what is tried
            before = drills(node)[service, fault]["doing"]
            machine.signal("fettle.service", signal.SIGKILL)
            scene.note(f"SIGKILL to the agent after {after:.3f} s, while it did: {before or 'nothing'}")
            left += bool(before)
            lib.wait_for("the agent to be back", node.ready, 60)
            lib.wait_for("no drill to be under way", lambda: not any(d["doing"] for d in drills(node).values()), 60)
            scene.note("nothing of it is under way")
            lib.wait_for(f"{service} to be whole", lambda: is_whole(node, service), 90,
                         lambda: machine.run("systemctl", "status", unit_of(service), check=False).stdout)
            node.health(service, "up")
            scene.note("active, not stopped, not drained, up")
    print(f"\n{kills} drills with the agent killed, {left} in the middle: nothing was left frozen, stopped or drained")


CASES = [drills_pass, drills_find, agent_killed_in_drills]
