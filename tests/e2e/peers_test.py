#!/usr/bin/env python3
"""Five agents on loopback without a store, one service each, all in one group with one slot: they ask each other before they
act. Two services are killed at once: both are healed, one after the other. Three of five are killed: that is beyond the
panic threshold: no agent restarts anything, and people get one page. With "full" also: three of five agents stand still, so
the others are cut off from the majority and none acts; when they go on, the service is healed."""
import contextlib
import signal
import sys
import time

import fleet_test as fleets
import lib

AGENTS = 5
# That of a fleet with a store, but for the store.
CONFIG = (fleets.CONFIG.replace("fleet: {{etcd: {{endpoints: [{endpoints}]}}", "fleet: {{peers: {{urls: [{urls}]}}")
          .replace("panic_threshold: 100%", "panic_threshold: 50%") + """receivers:
  - {{name: people, webhook_configs: [{{url: "http://127.0.0.1:{people}/"}}]}}
""")
assert "peers:" in CONFIG and "50%" in CONFIG


RESTART = """#!/bin/sh
echo "$(date +%s.%N) begin {node}" >> {trail}
sleep 0.3
[ -e {top}/broken ] || touch {where}/up
echo "$(date +%s.%N) end {node}" >> {trail}
"""


def make_agent(top, node):
    where = top / node
    where.mkdir()
    (where / "rules.yml").write_text(fleets.RULES)
    (where / "up").touch()
    hook = where / "restart"
    hook.write_text(RESTART.format(where=where, node=node, top=top, trail=top / "trail"))
    hook.chmod(0o755)
    agent = lib.Agent(where, "")
    agent.where, agent.up, agent.node = where, where / "up", node
    return agent


def start(agents, people, stack):
    urls = ", ".join(f'"{a.url}"' for a in agents)
    for agent in agents:
        agent.config.write_text(CONFIG.format(where=agent.where, node=agent.node, urls=urls, people=people.port))
        stack.enter_context(agent)


def one_after_the_other(agents, trail):
    began = time.time()
    for agent in agents[1:3]:
        agent.up.unlink()
    for agent in agents[1:3]:
        lib.wait_for("both to be healed", lambda: agent.up.exists() and agent.service("order")["health"] == "up", 60,
                     lambda: fleets.fleet(agent))
    done = fleets.by_trail(trail)
    assert len(done) >= 2 and not fleets.overlaps(done), done
    print(f"two services killed at once: healed one after the other in {time.time() - began:.1f} s by {len(done)} restarts")


def panic(agents, people, top):
    """A restart may begin before the others are seen down; it does not help, so the group comes to its panic all the same."""
    assert not people.messages, people.messages
    (top / "broken").touch()
    for agent in agents[:3]:
        agent.up.unlink()

    def known():
        groups = [fleets.fleet(a)["groups"][0] for a in agents]
        return all("panic" in g and "toldBy" in g for g in groups) and len({g["toldBy"] for g in groups}) == 1
    lib.wait_for("all to know who tells people", known, 60, lambda: [fleets.fleet(a)["groups"] for a in agents])
    for agent in agents[:3]:
        lib.wait_for("fleet_panic to hold it back", lambda: agent.service("order")["recovery"]["reason"] == "fleet_panic", 60,
                     lambda: agent.service("order"))
    before = fleets.by_trail(top / "trail")
    lib.wait_for("a page", lambda: people.messages, 60, lambda: [fleets.fleet(a) for a in agents])

    def told():
        found = [i for a in agents[:3] for i in lib.get_json(a.url + "/api/v1/incidents")["data"]["incidents"] if not i["ended"]]
        return found if len(found) == 3 and sum("tells people, for all" in i["standing"] for i in found) == 2 else None
    found = lib.wait_for("two incidents to refer to the third", told, 60, lambda: people.messages)
    assert sum(i["told"] is not None for i in found) == 1, found
    assert len(people.messages) == 1, people.messages
    assert fleets.by_trail(top / "trail") == before, "a restart beyond the panic threshold"
    shown = lib.fettle("fleet", "--url", agents[4].url)
    assert shown.returncode == 1 and "people are told by order on node" in shown.stdout, shown
    print(f"three of five down: no restart, one page: {[i['standing'] for i in found]}")
    (top / "broken").unlink()
    for agent in agents[:3]:
        agent.up.touch()


def cut_off(agents, trail):
    for agent in agents:
        lib.wait_for("all to be up again", lambda: fleets.healths(agent) == ["up"] * AGENTS, 60, lambda: fleets.fleet(agent))
    before = len(fleets.by_trail(trail))
    for agent in agents[2:]:
        agent.kill(signal.SIGSTOP)
    for agent in agents[:2]:
        lib.wait_for("the agent to be out of its fleet", lambda: not fleets.fleet(agent)["joined"], 60, lambda: fleets.fleet(agent))
    agents[0].up.unlink()
    lib.wait_for("fleet_unknown to hold it back", lambda: agents[0].service("order")["recovery"]["reason"] == "fleet_unknown", 60,
                 lambda: agents[0].service("order"))
    closed = fleets.guard(agents[0], "fleet_unknown")
    assert not closed["open"] and "2 of 5 agents answer, and more than half must" in closed["text"], closed
    assert len(fleets.by_trail(trail)) == before
    for agent in agents[2:]:
        agent.kill(signal.SIGCONT)
    lib.wait_for("it to be healed", lambda: agents[0].service("order")["health"] == "up", 120, lambda: fleets.fleet(agents[0]))
    print("three of five agents stand still: none acts; when they go on: healed")


def main():
    with lib.folder() as top, contextlib.ExitStack() as stack:
        people = lib.Webhook()
        agents = [make_agent(top, f"node{i}") for i in range(1, AGENTS + 1)]
        start(agents, people, stack)
        for agent in agents:
            lib.wait_for("all to see all up", lambda: fleets.healths(agent) == ["up"] * AGENTS, 60, lambda: fleets.fleet(agent))
        one_after_the_other(agents, top / "trail")
        panic(agents, people, top)
        if sys.argv[1:] == ["full"]:
            cut_off(agents, top / "trail")


if __name__ == "__main__":
    sys.exit(main())
