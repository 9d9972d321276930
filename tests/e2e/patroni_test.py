#!/usr/bin/env python3
"""Two PostgreSQL servers under a real Patroni with a real etcd, and two agents. A plan with the action `patroni` hands the primary over,
where its node has it, and does nothing elsewhere; what Patroni refuses is told in its words; in its pause nothing is done. A `standby:`
beside Patroni promotes nothing: when the primary dies, Patroni does."""
import contextlib
import json
import signal
import time
import urllib.request

import fleet_test
import lib
import patroni_pair
import standby_members
from postgres_pair import ask

CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: {name}}}
fleet: {{etcd: {{endpoints: [{endpoints}]}}, ttl: 10s}}
services:
  shop:
    probes: [{{name: postgres, type: postgres, host: 127.0.0.1, port: {port}, username: fettle, database: postgres, failure_threshold: 2}}]
    standby:
      kind: postgres
      members: {{a: "127.0.0.1:{a}", b: "127.0.0.1:{b}"}}
      mode: enforce
      cooldown: 0s
      fence: [/bin/false]
  hand-over:
    probes: [{{name: fine, type: exec, command: [/bin/true]}}]
    recovery:
      when: {{alert: Never}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 9, within: 15m, backoff: {{initial: 100ms, factor: 1, jitter: 0}}}}
      steps: [{{do: {{patroni: {{url: "{url}"{login}}}}}, timeout: 40s}}]
"""
LOGIN = ", basic_auth: {username: fettle, password: patroni-secret}"


class Node(standby_members.Member):
    def __init__(self, member, top, endpoints, members, login=LOGIN):
        self.member, self.name, self.where = member, member.name, top / f"agent-{member.name}"
        self.where.mkdir()
        self.site, self.endpoints, self.members, self.login = self, endpoints, members, login

    def config(self, _):
        a, b = self.members
        return CONFIG.format(name=self.name, port=self.member.port, url=self.member.url, a=a.port, b=b.port, login=self.login,
                             endpoints=", ".join(f'"{e}"' for e in self.endpoints))

    def hand_over(self):
        """What became of the step."""
        before = len(self.recoveries())
        told = lib.fettle("recover", "hand-over", f"--admin.socket={self.agent.admin}")
        assert told.returncode == 0, told
        lib.wait_for("the recovery to end", lambda: len(self.recoveries()) > before and self.recoveries()[0]["ended"], 60,
                     lambda: self.recoveries()[:1])
        return json.dumps(self.recoveries()[0])

    def recoveries(self):
        return lib.get_json(self.agent.url + "/api/v1/recoveries")["data"]["recoveries"]


def pause(member, on):
    request = urllib.request.Request(member.url + "/config", json.dumps({"pause": on}).encode(), {
        "Content-Type": "application/json", "Authorization": "Basic ZmV0dGxlOnBhdHJvbmktc2VjcmV0"}, method="PATCH")
    urllib.request.urlopen(request, timeout=5).close()
    lib.wait_for("the pause to be there", lambda: bool(member.get("/cluster")[1].get("pause")) == on, 20)


def main():
    lib.need("etcd", "patroni")
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(lib.folder())
        _, endpoints = fleet_test.etcd(stack.enter_context(lib.folder()), stack)
        a, b = members = stack.enter_context(patroni_pair.cluster(top, endpoints))
        ask(a.port, "CREATE ROLE fettle LOGIN IN ROLE pg_monitor")
        nodes = [Node(member, top, endpoints, members) for member in members]
        for node in nodes:
            node.start_agent()
            stack.callback(node.agent.stop)
        for node in nodes:
            lib.wait_for("Patroni to be left in charge", lambda: node.refusals() == ["managed_by_patroni"], 30, node.standby)

        idle = nodes[1].hand_over()
        assert "the server here is not the primary" in idle, idle
        since = time.monotonic()
        done = nodes[0].hand_over()
        took = time.monotonic() - since
        assert "b is the primary now, a was it" in done, done
        lib.wait_for("a to follow", a.is_replica, 60)
        assert b.is_primary()
        print(f"switchover by Patroni: {took:.1f} s for the plan")

        pause(b, True)
        held = nodes[1].hand_over()
        assert "Patroni is paused" in held, held
        pause(b, False)
        assert b.is_primary()

        (top / "other").mkdir()
        stranger = Node(b, top / "other", endpoints, members, login="")
        stranger.start_agent()
        stack.callback(stranger.agent.stop)
        denied = stranger.hand_over()
        assert "no auth header received" in denied and b.is_primary(), denied
        stranger.agent.stop()

        a.process.kill(signal.SIGSTOP)
        refused = nodes[1].hand_over()
        assert "no good candidates" in refused, refused
        a.process.kill(signal.SIGCONT)
        lib.wait_for("a to follow", a.is_replica, 60)

        b.process.kill(signal.SIGKILL)
        since = time.monotonic()
        b.end_server(signal.SIGKILL)
        lib.wait_for("Patroni to promote a", a.is_primary, 60)
        print(f"node killed: Patroni made a the primary after {time.monotonic() - since:.1f} s; fettle promoted nothing beside it")
        for node in nodes:
            assert "was promoted" not in node.agent.text() and "took the right" not in node.agent.text()


if __name__ == "__main__":
    main()
