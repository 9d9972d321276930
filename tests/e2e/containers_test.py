#!/usr/bin/env python3
"""Containers of a real Docker engine: found by docker_sd_configs, probed with the cause of their end, restarted; and a real
Swarm: what it owns is not restarted behind its back, a forced update and another number of tasks are proven, a number that
cannot be had is taken back, and a bad image is rolled back."""
import collections
import json
import sys

import lib
from docker_engine import Engine, make_image

CONFIG = """
global: {{interval: 1s, timeout: 500ms, evaluation_interval: 1s}}
services:
  order:
    probes: [{{name: container, type: container, container: order-1, socket: {socket}, interval: 30s, timeout: 5s, failure_threshold: 1}}]
    recovery: {{{plan} steps: [{{do: {{docker: {{verb: restart, container: order-1, socket: {socket}, stop_timeout: 1s}}}}, timeout: 30s}}]}}
  hungry:
    probes: [{{name: container, type: container, container: hungry-1, socket: {socket}, interval: 1s, timeout: 500ms}}]
  found:
    docker_sd_configs:
      - host: unix://{socket}
        refresh_interval: 1s
        host_networking_host: "127.0.0.1:{port}"
        filters: [{{name: label, values: [fettle.probe=tcp]}}]
        probe: {{type: tcp, interval: 200ms, timeout: 200ms, labels: {{container: "${{__meta_docker_container_name}}"}}}}
{swarm}
"""
SWARM = """  {name}:
    probes: [{{name: fine, type: exec, command: [/bin/true]}}]
    recovery: {{{plan} steps: [{{do: {{{action}}}, timeout: {timeout}}}]}}
"""
PLAN = """when: {alert: Never}, mode: enforce, guards: {min_uptime: 0s, cooldown: 0s, agent_uptime: 0s},
      budget: {attempts: 9, within: 15m, backoff: {initial: 100ms, factor: 1, jitter: 0}},"""
CHECKED = 'FROM service\nHEALTHCHECK --interval=1s --timeout=1s --retries=2 CMD ["/service","check"]\nENTRYPOINT ["/service"]\n'


def swarm_services(socket):
    """Each is recovered by hand, so that each action is seen alone."""
    task = f'docker: {{verb: restart, container: TASK, socket: {socket}}}'
    change = lambda words: f"swarm: {{{words}, socket: {socket}}}"
    rows = [("task", task, "10s"), ("forced", change("update: shop, force: true"), "30s"),
            ("more", change("scale: shop, replicas: 3"), "30s"), ("toomany", change("scale: shop, replicas: 5"), "8s"),
            ("back", change("rollback: shop"), "30s")]
    return "".join(SWARM.format(name=name, plan=PLAN, action=action, timeout=timeout) for name, action, timeout in rows)


class Site:
    def __init__(self, engine, agent):
        self.engine, self.agent, self.runs = engine, agent, collections.Counter()

    def probe(self, service):
        return self.agent.service(service)["probes"][0]

    def wait_for_text(self, service, *words):
        def said():
            text = json.dumps(self.probe(service))
            return text if all(word in text for word in words) else None
        return lib.wait_for(f"{service} to say {words}", said, 30, lambda: json.dumps(self.probe(service)))

    def begin(self, service):
        done = lib.fettle("recover", service, f"--admin.socket={self.agent.admin}")
        assert done.returncode == 0, done
        self.runs[service] += 1

    def end(self, service):
        def ended():
            runs = lib.get_json(f"{self.agent.url}/api/v1/recoveries?service={service}")["data"]["recoveries"]
            actions = [a for r in runs for a in r["actions"]]
            return actions[0] if len(actions) == self.runs[service] else None  # the newest first
        return lib.wait_for(f"the recovery of {service}", ended, 60)

    def recover(self, service):
        self.begin(service)
        return self.end(service)

    def tasks(self):
        """Image and state of those that should run."""
        listed = self.engine.run("service", "ps", "shop", "--filter=desired-state=running", "--format={{.Image}} {{.CurrentState}}")
        return [line.split()[:2] for line in listed.stdout.splitlines()]


def check_containers(site):
    engine, agent = site.engine, site.agent
    lib.wait_for("order to be up", lambda: agent.service("order")["health"] == "up")
    found = lib.wait_for("the target of the engine", lambda: agent.query('probe_success{service="found"} == 1'))
    assert [s["metric"]["container"] for s in found] == ["/order-1"], found
    # Its runs are 30 s apart: what is seen before is seen by events.
    engine.run("exec", "order-1", "/service", "break")
    text = site.wait_for_text("order", "exit_code", "its health check failed")
    assert "the queue is stuck" in text, text
    action = site.recover("order")
    assert action["result"] == "ok", action
    engine.run("kill", "order-1")
    text = site.wait_for_text("order", "exit code 1")
    assert "was told to send it signal 9" in text or "137" in text, text
    print("a container that hangs in its health check, and one that is killed:", site.probe("order")["text"])
    action = site.recover("order")
    assert action["result"] == "ok", action
    engine.run("rm", "--force", "order-1")
    lib.wait_for("its target to be gone", lambda: not agent.query('probe_success{service="found"}'))


def start_hungry(engine):
    ran = engine.run("run", "--detach", "--name=hungry-1", "--memory=16m", "--memory-swap=16m", "--network=none", "service", "/service",
                     "eat", check=False)
    return "" if ran.returncode == 0 else ran.stderr.strip()[-200:]


def check_memory(site, refused):
    if refused:
        print(f"not shown, the engine limits no memory here: {refused}")
        return
    site.wait_for_text("hungry", "signal", "it ran out of memory")
    print("a container without memory:", site.probe("hungry")["text"])


def check_swarm(site):
    engine = site.engine
    action = site.end("toomany")  # no node may have more than three
    assert action["result"] == "failed" and "rolled back" in action["text"], action
    assert len(site.tasks()) == 2, site.tasks()
    print("a number of tasks that cannot be had:", action["text"])
    action = site.recover("task")
    assert action["result"] == "refused" and "{swarm: {update: shop, force: true}}" in action["text"], action
    print("a task of Swarm:", action["text"])
    before = set(engine.run("ps", "--quiet").stdout.split())
    action = site.recover("forced")
    assert action["result"] == "ok" and "2 of 2 tasks run" in action["text"], action
    assert before.isdisjoint(engine.run("ps", "--quiet").stdout.split()), "the tasks are the old ones"
    action = site.recover("more")
    assert action["result"] == "ok" and "3 of 3 tasks run" in action["text"], action
    assert len(site.tasks()) == 3, site.tasks()
    engine.run("service", "update", "--detach", "--no-resolve-image", "--image=bad", "shop")
    lib.wait_for("the bad image to be tried", lambda: any("bad" in task[0] for task in site.tasks()))
    action = site.recover("back")
    assert action["result"] == "ok" and "3 of 3 tasks run" in action["text"], action
    assert [task[0].split(":")[0] for task in site.tasks()] == ["checked"] * 3, site.tasks()
    print("a bad image:", action["text"])


def build(engine, where, name, dockerfile):
    context = where / name
    context.mkdir()
    (context / "Dockerfile").write_text(dockerfile)
    engine.run("build", "--quiet", f"--tag={name}", str(context))


def check(where):
    port = lib.free_ports(1)[0]
    with Engine(where) as engine:
        make_image(engine, where)
        build(engine, where, "checked", CHECKED)
        build(engine, where, "bad", 'FROM service\nENTRYPOINT ["/service","fail"]\n')
        ran = engine.run("run", "--detach", "--name=order-1", "--network=host", "--label=fettle.probe=tcp", "checked", str(port), check=False)
        if ran.returncode != 0:
            print(f"skipped: the engine runs no container here: {ran.stderr.strip()}")
            sys.exit(lib.SKIPPED)
        refused = start_hungry(engine)
        swarm = engine.run("swarm", "init", "--advertise-addr=127.0.0.1", f"--listen-addr=127.0.0.1:{lib.free_ports(1)[0]}", check=False)
        services = ""
        if swarm.returncode == 0:
            engine.run("service", "create", "--detach", "--name=shop", "--network=host", "--replicas=2", "--no-resolve-image",
                       "--replicas-max-per-node=3", "--update-parallelism=0", "--update-monitor=1s", "--rollback-monitor=1s",
                       "--rollback-parallelism=0", "--restart-delay=200ms", "--stop-grace-period=1s", "checked", "idle")
            task = lib.wait_for("a task", lambda: engine.run("ps", "--quiet", "--filter=label=com.docker.swarm.task").stdout.split())[0]
            services = swarm_services(engine.socket).replace("TASK", task)
        with lib.Agent(where, CONFIG.format(plan=PLAN, socket=engine.socket, port=port, swarm=services)) as agent:
            site = Site(engine, agent)
            if services:
                site.begin("toomany")  # it takes its time: beside the others
            check_containers(site)
            check_memory(site, refused)
            if swarm.returncode == 0:
                check_swarm(site)
            else:
                print(f"not shown, no Swarm starts here: {swarm.stderr.strip()[-300:]}")


with lib.folder() as folder:
    check(folder)
