#!/usr/bin/env python3
"""fettle silence against a running agent: nobody hears of a silenced alert, everybody can see it, recovery goes on all the
same, kill -9 changes nothing, and when the silence ends the alert is told."""
import json
import subprocess

import lib

CONFIG = """
global: {{interval: 1s, timeout: 500ms}}
rule_files: [rules.yml]
services:
  order:
    probes: [{{name: self, type: exec, command: [/bin/false], failure_threshold: 1}}]
    recovery:
      when: {{alert: OrderDown}}
      steps: [{{do: {{systemd: restart}}}}]
    unit: order.service
receivers:
  - {{name: ops, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{port}/hook"}}]}}
"""

RULES = """
groups:
  - name: shop
    rules: [{alert: OrderDown, expr: 'fettle_service_up{service="order"} == 0'}]
"""


hook = lib.Webhook()


def fettle(*words, code=0):
    done = lib.fettle(*words)
    assert done.returncode == code, done
    return done.stdout if code == 0 or done.stdout else done.stderr


def alerts_told():
    return [a["labels"]["alertname"] for a in hook.alerts()]


def silenced_count(agent):
    found = agent.query('fettle_notifications_total{receiver="ops",result="silenced"}')
    return float(found[0]["value"][1]) if found else 0



with lib.folder() as where:
    (where / "rules.yml").write_text("groups: []\n")
    with lib.Agent(where, CONFIG.format(port=hook.port)) as agent:
        socket = f"--admin.socket={agent.admin}"
        ident = fettle("silence", "add", socket, "--duration=2h", "--author=alice", "--comment=noisy, INC-7", "service=order", 'alertname=~"Order.*"').strip()

        listed = json.loads(fettle("silence", "list", socket, "-o", "json"))
        assert [s["id"] for s in listed] == [ident], listed
        assert listed[0]["createdBy"] == "alice" and listed[0]["comment"] == "noisy, INC-7", listed
        assert listed[0]["status"]["state"] == "active", listed
        assert listed[0]["matchers"] == [{"name": "service", "value": "order", "isRegex": False, "isEqual": True},
                                         {"name": "alertname", "value": "Order.*", "isRegex": True, "isEqual": True}], listed
        table = fettle("silence", "list", socket)
        assert ident in table and 'service="order" alertname=~"Order.*"' in table, table
        assert fettle("silence", "list", socket, "--expired") == "no silence expired lately\n"
        assert fettle("silence", "list", socket, "-q") == ident + "\n"

        agent.kill()  # at once after the answer
        (where / "rules.yml").write_text(RULES)
        agent.start()
        assert fettle("silence", "list", socket, "-q") == ident + "\n"

        lib.wait_for("the alert to be held back", lambda: silenced_count(agent) > 0)
        assert hook.messages == [], hook.messages
        lib.wait_for("the alert to name its silence", lambda: [a["silencedBy"] for a in agent.alerts()] == [[ident]])
        seen = lib.fettle("alerts", f"--url={agent.url}")
        assert "firing, silenced" in seen.stdout, seen
        page = lib.get(agent.url)
        assert "no receiver hears of it; recovery goes on" in page and "noisy, INC-7" in page, page
        public = lib.get_json(f"{agent.url}/api/v1/silences")["data"]["silences"]
        assert [s["id"] for s in public] == [ident], public
        assert agent.query('fettle_silences{state="active"}')[0]["value"][1] == "1"

        # A silence is no maintenance: the plan went its way (in dry run, as it is configured).
        lib.wait_for("the recovery of a silenced service",
                     lambda: lib.get_json(f"{agent.url}/api/v1/recoveries")["data"]["recoveries"])

        # Over TCP nothing is changed.
        for method, path in (("POST", "silences?matcher=a%3Db&comment=x"), ("DELETE", f"silence/{ident}")):
            answer = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, f"{agent.url}/api/v1/{path}"],
                                    capture_output=True, text=True)
            assert answer.stdout == "403", (method, answer)

        fettle("silence", "expire", socket, ident)
        lib.wait_for("the alert to be told after its silence", alerts_told)
        assert set(alerts_told()) == {"OrderDown"}, hook.messages
        assert json.loads(fettle("silence", "list", socket, "--expired", "-o", "json"))[0]["id"] == ident
        assert fettle("silence", "list", socket) == "no silence is active or pending\n"
        assert "already expired" in fettle("silence", "expire", socket, ident, code=1)
        assert "there is no silence nonsense" in fettle("silence", "expire", socket, "nonsense", code=1)

        assert "bad matcher service~order (column 8)" in fettle("silence", "add", socket, "--comment=x", "service~order", code=2)
        assert "would match every alert" in fettle("silence", "add", socket, "--comment=x", "service=~.*", code=1)
        assert "comment" in fettle("silence", "add", socket, "service=order", code=2)
        assert "which is past" in fettle("silence", "add", socket, "--comment=x", "--end=2020-01-01T00:00:00Z", "a=b", code=1)
print("a silence held over kill -9, hid nothing from those who look, left recovery alone, and ended")
