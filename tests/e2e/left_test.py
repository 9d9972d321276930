#!/usr/bin/env python3
"""A service leaves the configuration while the agent is away, killed or stopped: at the next start no alert of it is left, receivers hear of
its end once, its incident ends as gone, and what stays is as it was."""
import sys

import lib

# The end of an incident waits for half a minute without anything: with an argument that is waited for as well.
WHOLE = len(sys.argv) > 1
CONFIG = """
global: {{interval: 200ms, timeout: 100ms, evaluation_interval: 1s}}
rule_files: [rules.yml]
services:
{services}
receivers:
  - {{name: all, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
  - {{name: oncall, webhook_configs: [{{url: "http://127.0.0.1:{port}/oncall"}}]}}
"""
RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"


def config(where, names, port):
    services = "\n".join(f"  {name}: {{probes: [{{name: file, type: file, path: '{where}/{name}', failure_threshold: 1}}]}}" for name in names)
    return CONFIG.format(services=services, port=port)


with lib.folder() as where:
    hook = lib.Webhook()
    (where / "rules.yml").write_text(RULES)

    def told(service, status):
        """By receiver: how often."""
        return {name: sum(a["labels"]["service"] == service and a["status"] == status for m in hook.messages if m["receiver"] == name for a in m["alerts"])
                for name in ("all", "oncall")}

    agent = lib.Agent(where, config(where, ["stays", "killed", "stopped"], hook.port))
    with agent:
        lib.wait_for("all to be told", lambda: all(set(told(s, "firing").values()) == {1} for s in ("stays", "killed", "stopped")))
        agent.kill()
        agent.config.write_text(config(where, ["stays", "stopped"], hook.port))
        agent.start()
        lib.wait_for("the end of the first", lambda: told("killed", "resolved")["all"] == 1)
    agent.config.write_text(config(where, ["stays"], hook.port))
    with agent:
        lib.wait_for("the end of the second", lambda: told("stopped", "resolved")["all"] == 1)
        lib.wait_for("what stays", lambda: [a["labels"]["service"] for a in agent.alerts() if a["state"] == "firing"] == ["stays"])
        assert agent.query('ALERTS{service=~"killed|stopped"}') == []

        def ends():
            return {i["service"]: i["end"] for i in lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"]}

        if WHOLE:
            lib.wait_for("the incidents to be over", lambda: ends() == {"stays": None, "killed": "gone", "stopped": "gone"}, 60, ends)
            lib.wait_for("people to be told", lambda: all(told(s, "resolved") == {"all": 1, "oncall": 1} for s in ("killed", "stopped")))
        assert set(told("stays", "resolved").values()) == {0} and set(told("stays", "firing").values()) == {1}, hook.messages
        assert all(told(s, "resolved")["all"] == 1 for s in ("killed", "stopped")), hook.messages
print("two services left while the agent was away: no alert of them is left, and each end was told once")
