#!/usr/bin/env python3
"""Five agents with a store of three etcd members on loopback, one service each, all in one group with one slot. All services
are killed at once: never more than one agent may act, by what the commands themselves wrote down and by what the agents
report, and in the end all services are up. Then the store goes: nobody acts who knows that others are not well."""
import contextlib
import datetime
import json
import sys
import time

import lib

AGENTS = 5
CONFIG = """
global: {{interval: 200ms, timeout: 150ms, evaluation_interval: 200ms, node: {node}}}
rule_files: [rules.yml]
fleet: {{etcd: {{endpoints: [{endpoints}]}}, ttl: 10s}}
services:
  order:
    fleet: {{group: order, max_concurrent: 1, panic_threshold: 100%}}
    probes: [{{name: up, type: exec, command: [/usr/bin/test, -e, {where}/up], failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 20, within: 1h, backoff: {{initial: 1s}}}}
      steps: [{{do: {{command: {{argv: ["{where}/restart"]}}}}, verify: {{success_threshold: 1, within: 10s}}}}]
"""
RULES = "groups: [{name: fleet, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"
RESTART = """#!/bin/sh
echo "$(date +%s.%N) begin {node}" >> {trail}
sleep 0.3
touch {where}/up
echo "$(date +%s.%N) end {node}" >> {trail}
"""


def etcd(where, stack):
    program = lib.need("etcd")
    ports = lib.free_ports(6)
    clients = [f"http://127.0.0.1:{p}" for p in ports[:3]]
    peers = [f"http://127.0.0.1:{p}" for p in ports[3:]]
    cluster = ",".join(f"e{i}={peer}" for i, peer in enumerate(peers))
    members = [stack.enter_context(lib.Process(where, f"etcd{i}", [
        program, "--name", f"e{i}", "--data-dir", where / f"e{i}", "--listen-client-urls", clients[i], "--advertise-client-urls", clients[i],
        "--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i], "--initial-cluster", cluster,
        "--initial-cluster-state", "new", "--logger", "zap", "--log-level", "error"])) for i in range(3)]
    lib.wait_for("etcd to have a leader", lambda: all(lib.get_json(c + "/health")["health"] == "true" for c in clients), 60)
    return members, clients


def start_agent(top, node, endpoints, stack):
    where = top / node
    where.mkdir()
    (where / "rules.yml").write_text(RULES)
    (where / "up").touch()
    hook = where / "restart"
    hook.write_text(RESTART.format(where=where, node=node, trail=top / "trail"))
    hook.chmod(0o755)
    quoted = ", ".join(f'"{e}"' for e in endpoints)
    agent = stack.enter_context(lib.Agent(where, CONFIG.format(where=where, node=node, endpoints=quoted)))
    agent.up = where / "up"
    agent.node = node
    return agent


def fleet(agent):
    return lib.get_json(agent.url + "/api/v1/fleet")["data"]


def members(agent):
    groups = fleet(agent)["groups"]
    return {m["node"]: m for m in groups[0]["members"]} if groups else {}


def healths(agent):
    return sorted(m["health"] for m in members(agent).values())


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def overlaps(intervals):
    ordered = sorted(intervals)
    return [(a, b) for a, b in zip(ordered, ordered[1:]) if b[0] < a[1]]


def by_trail(path):
    open_since, intervals = {}, []
    for line in path.read_text().splitlines():
        at, what, node = line.split()
        if what == "begin":
            open_since[node] = float(at)
        else:
            intervals.append((open_since.pop(node), float(at), node))
    assert not open_since, open_since
    return intervals


def by_reports(agents):
    """From the first action of a run to its end: a run holds its slot for all of that."""
    intervals = []
    for agent in agents:
        for run in lib.get_json(agent.url + "/api/v1/recoveries")["data"]["recoveries"]:
            actions = [a for a in run["actions"] if a["result"] != "dry_run"]
            if actions:
                intervals.append((instant(actions[0]["started"]), instant(run["ended"]), agent.node))
    return intervals


def guard(agent, name):
    explained = lib.get_json(agent.url + "/api/v1/explain/order")["data"]
    return next((g for g in explained["plan"]["guards"] if g["name"] == name), None)


def main():
    with lib.folder() as top, contextlib.ExitStack() as stack:
        stores, endpoints = etcd(top, stack)
        agents = [start_agent(top, f"node{i}", endpoints, stack) for i in range(1, AGENTS + 1)]
        for agent in agents:
            lib.wait_for("all to see all up", lambda: healths(agent) == ["up"] * AGENTS, 60, lambda: fleet(agent))

        began = time.time()
        for agent in agents:
            agent.up.unlink()
        for agent in agents:
            lib.wait_for("all to be healed", lambda: agent.up.exists() and agent.service("order")["health"] == "up", 120,
                         lambda: fleet(agent))
        took = time.time() - began
        for agent in agents:
            lib.wait_for("nobody to act or wait", lambda: not any("actsSince" in m or "waitsSince" in m for m in members(agent).values()), 60,
                         lambda: fleet(agent))
            assert healths(agent) == ["up"] * AGENTS, fleet(agent)
        trail, reports = by_trail(top / "trail"), by_reports(agents)
        assert len(trail) >= AGENTS and len(reports) >= AGENTS, (trail, reports)
        assert not overlaps(trail), overlaps(trail)
        assert not overlaps(reports), overlaps(reports)
        print(f"{AGENTS} services killed at once: healed one after the other in {took:.1f} s by {len(trail)} restarts, never two at a time")

        shown = lib.fettle("fleet", "--url", agents[0].url)
        assert shown.returncode == 0 and all(a.node in shown.stdout for a in agents), shown

        # Two that are down, held back by maintenance so that they stay so; then the store is gone.
        for agent in agents[:2]:
            assert lib.fettle("maintenance", "on", "order", "--admin.socket", agent.admin).returncode == 0
            agent.up.unlink()
        for agent in agents:
            lib.wait_for("all to see two down", lambda: healths(agent).count("down") == 2, 60, lambda: fleet(agent))
        for store in stores:
            store.kill()
        before = len(by_trail(top / "trail"))
        for agent in agents:
            lib.wait_for("the agent to be out of its fleet", lambda: not fleet(agent)["joined"], 60, lambda: fleet(agent))
        agents[2].up.unlink()
        lib.wait_for("fleet_unknown to hold it back", lambda: agents[2].service("order")["recovery"]["reason"] == "fleet_unknown", 60,
                     lambda: agents[2].service("order"))
        closed = guard(agents[2], "fleet_unknown")
        assert not closed["open"] and "others were not up" in closed["text"], closed
        assert len(by_trail(top / "trail")) == before
        assert 'reason="fleet_unknown"' in lib.get(agents[2].url + "/metrics")
        shown = lib.fettle("fleet", "--url", agents[2].url)
        assert shown.returncode == 1 and "does not answer" in shown.stdout, shown

        # It comes back, and with it the recovery.
        for store in stores:
            store.start()
        lib.wait_for("the third to be healed", lambda: agents[2].service("order")["health"] == "up", 120, lambda: fleet(agents[2]))
        print("without the store: fleet_unknown, nobody acts; with it: healed")


if __name__ == "__main__":
    sys.exit(main())
