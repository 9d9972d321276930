#!/usr/bin/env python3
"""fettle notify test sends one message by each integration of a receiver, says of each whether it was taken, and needs no agent."""
import lib

CONFIG = """
services:
  order: {{probes: [{{name: self, type: exec, command: [/bin/true]}}]}}
route: {{receiver: ops}}
receivers:
  - name: ops
    webhook_configs: [{{url: "http://127.0.0.1:{good}/hook"}}]
    slack_configs: [{{api_url: "http://127.0.0.1:{good}/slack", channel: "#ops"}}]
    exec_configs: [{{argv: [/bin/cat]}}]
  - {{name: am, alertmanager_configs: [{{urls: ["http://127.0.0.1:{good}", "http://127.0.0.1:{closed}"]}}]}}
  - {{name: none}}
"""

with lib.folder() as where:
    hook, closed = lib.Webhook(), lib.free_ports(1)[0]
    config = where / "fettle.yml"
    config.write_text(CONFIG.format(good=hook.port, closed=closed))

    def test(receiver):
        return lib.fettle("notify", "test", receiver, f"--config.file={config}")

    ops = test("ops")
    assert ops.returncode == 0, ops
    assert sorted(line.split(":")[0] for line in ops.stdout.splitlines()) == ["exec /bin/cat", "slack http", "webhook http"], ops.stdout
    assert ops.stdout.count(": taken: ") == 3, ops.stdout
    webhook, slack = sorted(hook.messages, key=lambda message: "attachments" in message)
    assert webhook["alerts"][0]["annotations"]["summary"] == "A test of the receiver ops: nothing is wrong.", webhook
    assert slack["channel"] == "#ops" and slack["attachments"][0]["title"] == "[FIRING:1] FettleTest", slack

    am = test("am")
    assert am.returncode == 1, am
    assert f"alertmanager http://127.0.0.1:{hook.port}: taken: " in am.stdout, am.stdout
    assert f"alertmanager http://127.0.0.1:{closed}: not taken: refused: " in am.stdout, am.stdout
    assert hook.messages[-1][0]["labels"]["alertname"] == "FettleTest", hook.messages[-1]

    none = test("none")
    assert none.returncode == 0 and "has no integration" in none.stdout, none
    other = test("opps")
    assert other.returncode == 1 and "there is no receiver opps" in other.stderr and "ops, am, none" in other.stderr, other
    print(ops.stdout + am.stdout, end="")
