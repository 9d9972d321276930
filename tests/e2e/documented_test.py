#!/usr/bin/env python3
"""Pages taken at their word. packaging/doc/receivers.md: each block of YAML is accepted by fettle check config, the function in
Python verifies what the agent signs and refuses what was changed, and every integration that there is has its words.
packaging/doc/heartbeats.md: its function and its commands are beats of its example."""
import os
import re
import subprocess

import lib

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SERVICES = "services: {order: {probes: [{name: self, type: exec, command: [/bin/true]}]}}\n"
page = (lib.TOP / "packaging/doc/receivers.md").read_text()
blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)

with lib.folder() as where:
    config = where / "fettle.yml"
    yaml = [text for kind, text in blocks if kind == "yaml"]
    for text in yaml:
        # Rules of the package are those of the source here.
        text = text.replace("/etc/fettle/rules", f"{lib.TOP}/rules").replace("/usr/share/doc/fettle/examples", f"{lib.TOP}/rules")
        for secret in set(re.findall(r"/etc/fettle/([\w.-]+)", text)):
            (where / secret).write_text(SECRET + "\n")
            text = text.replace(f"/etc/fettle/{secret}", str(where / secret))
        config.write_text(SERVICES + text)
        checked = lib.fettle("check", "config", config)
        assert checked.returncode == 0, f"{text}\n{checked.stderr}"

    offered = (lib.TOP / "agent/notify/types.def").read_text()
    for name in re.findall(r"NOTIFIER_TYPE\((\w+)\)\n", offered.split("\n", 1)[1]):
        assert any(f"{name}_configs:" in text for text in yaml), f"{name}_configs has no example"

    (python,) = [text for kind, text in blocks if kind == "python"]
    functions = {}
    exec(python, functions)  # as a reader would
    verify, seen = functions["verify"], []
    hook = lib.Webhook(lambda headers, body: seen.append((dict(headers), body)) or 200)
    config.write_text(SERVICES + f'receivers: [{{name: ops, webhook_configs: [{{url: "http://127.0.0.1:{hook.port}/", secret: {SECRET}}}]}}]\n')
    sent = lib.fettle("notify", "test", "ops", f"--config.file={config}")
    assert sent.returncode == 0, sent
    headers, body = seen[0]
    headers = {name.lower(): value for name, value in headers.items()}
    assert verify(SECRET, headers, body)
    assert not verify(SECRET, headers, body + b" ")
    assert not verify(SECRET, {**headers, "webhook-id": "msg_other"}, body)
    assert not verify(SECRET, {**headers, "webhook-timestamp": "1"}, body)
    assert not verify("whsec_" + "QUJD" * 8, headers, body)
    print(f"{len(yaml)} examples are accepted, and the signature is verified")


# ---- heartbeats.md

page = (lib.TOP / "packaging/doc/heartbeats.md").read_text()
blocks = {kind: text for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)}
functions = {}
exec(blocks["python"], functions)
beat = functions["beat"]
with lib.folder() as where:
    (where / "tokens").write_text("billing s3cret\n")
    example = blocks["yaml"].replace("/run/fettle/heartbeat.sock", f"{where}/beat.sock").replace("/etc/fettle/heartbeat.tokens", f"{where}/tokens")
    beat("billing", to=f"{where}/beat.sock")  # nobody hears it, and nobody waits
    with lib.Agent(where, "global: {interval: 200ms, timeout: 200ms}\n" + example) as agent:
        def seen(health, text):
            found = agent.service("billing")
            return found["health"] == health and text in found["probes"][0]["text"]

        beat("billing", to=f"{where}/beat.sock")
        lib.wait_for("the first beat", lambda: seen("up", ""), 30, agent.text)
        beat("billing", "the disk is full", to=f"{where}/beat.sock")
        lib.wait_for("the word of the service", lambda: seen("down", "the disk is full"), 30, agent.text)
        for command in blocks["sh"].replace("http://127.0.0.1:10911", agent.url).splitlines():
            done = subprocess.run(["sh", "-c", command], env={**os.environ, "TOKEN": "s3cret"}, capture_output=True, text=True)
            assert done.returncode == 0, (command, done)
            want = ("down", "the disk is full") if "fail" in command else ("up", "17 invoices")
            lib.wait_for(f"{command} to count", lambda want=want: seen(*want), 30, agent.text)
print("heartbeats by datagram and over HTTP are as the page says")
