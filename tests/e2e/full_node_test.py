#!/usr/bin/env python3
"""Everything is full at once: no file may grow (RLIMIT_FSIZE, as LimitFSIZE= of a unit or a full disk), neither the state nor the log,
and the store has no room for another series. The agent lives, probes, keeps the health and the alerts, tells people, takes no
action that could not be written down, and says all of this; with room again it goes on as if nothing had been."""
import re
import resource

import lib

CONFIG = """
global: {{interval: 200ms, timeout: 150ms, evaluation_interval: 200ms}}
storage: {{max_series: 1500}}
rule_files: [{where}/rules.yml]
services:
  wide:
    probes: [{{name: app, type: prometheus, url: "http://127.0.0.1:{port}/", metrics: [queue_length], sample_limit: 5000}}]
  order:
    probes: [{{name: file, type: file, path: "{where}/order.up", failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      steps: [{{do: {{command: {{argv: [/usr/bin/touch, "{where}/order.up"]}}}}, timeout: 10s, verify: {{within: 10s}}}}]
receivers:
  - {{name: ops, webhook_configs: [{{url: "http://127.0.0.1:{hook}/hook"}}]}}
"""
RULES = "groups: [{name: shop, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"
hook = lib.Webhook()


def application_page(_):
    return "".join(f'queue_length{{id="{i}"}} 1\n' for i in range(3000))


def runs(agent):
    return sum(map(float, re.findall(r'^fettle_probe_runs_total{[^}]*service="order"[^}]*} (\S+)$', lib.get(f"{agent.url}/metrics"), re.M)))


def may_grow(agent, most):
    """Of each file of the agent, from now on."""
    _, hard = resource.prlimit(agent.child.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(agent.child.pid, resource.RLIMIT_FSIZE, (most, hard))


application = lib.application(application_page)
with lib.folder() as where:
    up = where / "order.up"
    up.touch()
    (where / "rules.yml").write_text(RULES)
    with lib.Agent(where, CONFIG.format(where=where, port=application, hook=hook.port)) as agent:
        lib.wait_for("health", lambda: agent.service("order")["health"] == "up")
        lib.wait_for("the store to be full", lambda: lib.metric(agent, 'fettle_store_refused_total{reason="limit"}') > 0)
        added = lib.fettle("silence", "add", "-c", "something to write down", "service=none", f"--admin.socket={agent.admin}")
        assert added.returncode == 0, added
        lib.wait_for("a change that is durable", lambda: lib.metric(agent, "fettle_state_commit_seconds_count") > 0)
        assert lib.metric(agent, "fettle_state_durable") == 1
        may_grow(agent, 0)

        up.unlink()
        lib.wait_for("the service to be down", lambda: agent.service("order")["health"] == "down")
        lib.wait_for("its alert", lambda: any(a["state"] == "firing" and a["labels"]["service"] == "order" for a in agent.alerts()))
        lib.wait_for("people to be told", lambda: any(a["labels"]["service"] == "order" for a in hook.alerts("firing")))
        lib.wait_for("the agent to say that nothing is durable", lambda: lib.metric(agent, "fettle_state_durable") == 0)
        lib.wait_for("the recovery to be refused", lambda: "state" in lib.fettle("explain", "order", f"--url={agent.url}").stdout)
        assert not up.exists(), "an action was taken although its intent is not durable"
        for query in ('ALERTS{alertname="ServiceDown",alertstate="firing",service="order"}', 'probe_success{service="order"} == 0',
                      'fettle_service_up{service="order"} == 0'):
            lib.wait_for(query, lambda: agent.query(query))
        for text in ("do not become durable", "The store is full"):  # the store is looked at each second
            lib.wait_for(f"the page to say {text}", lambda: text in lib.get(agent.url + "/"))
        before = runs(agent)
        lib.wait_for("it to go on probing", lambda: runs(agent) > before + 5)

        may_grow(agent, resource.RLIM_INFINITY)
        lib.wait_for("the recovery, now that its intent is durable", up.exists, 60)
        lib.wait_for("the service", lambda: agent.service("order")["health"] == "up")
        lib.wait_for("people to be told", lambda: any(a["labels"]["service"] == "order" for a in hook.alerts("resolved")), 90)
        lib.wait_for("the metric", lambda: lib.metric(agent, "fettle_state_durable") == 1)
        agent.stop()
        assert agent.child.returncode == 0, agent.child.returncode
print("with nothing that can grow: probed, alerted, told, not acted; and all of it again with room")
