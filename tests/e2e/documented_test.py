#!/usr/bin/env python3
"""Pages taken at their word. packaging/doc/receivers.md: each block of YAML is accepted by fettle check config, the function in
Python verifies what the agent signs and refuses what was changed, and every integration that there is has its words.
packaging/doc/heartbeats.md: its function and its commands are beats of its example. packaging/doc/runbooks.md: each shipped alert
leads to a part of it. packaging/doc/prometheus.md: its way from an alert to a board of Grafana, and back."""
import html
import json
import os
import re
import subprocess
import urllib.parse

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


# ---- runbooks.md

def anchor(heading):
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


page = (lib.TOP / "packaging/doc/runbooks.md").read_text()
AT = "file:///usr/share/doc/fettle/doc/runbooks.md#"  # where the package has the page
parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^#|\Z)", page, re.M | re.S))
shipped = {}
for file in sorted((lib.TOP / "rules").rglob("*.yml")):
    if "tests" not in file.parts:
        for name, rule in re.findall(r"- alert: (\S+)\n(.*?)(?=^ +- (?:alert|record|name):|\Z)", file.read_text(), re.M | re.S):
            urls = re.findall(r'^ +runbook_url: "(.*)"$', rule, re.M)
            assert urls == [AT + anchor(name)], f"{file.name}: {name} has the runbook_url {urls}"
            shipped[name] = parts.get(name, "")
assert len(shipped) > 40 and set(parts) == {*shipped, "RecoveryRunning"}, set(parts) ^ set(shipped)
for name, text in parts.items():
    assert re.findall(r"^\*\*(.*?):\*\* \S", text, re.M) == ["Means", "Look at", "Do"], f"{name}: {text}"
# What is to be typed can be: each command is one of the program's.
commands = set(re.findall(r"`fettle ((?:[a-z-]+ ?)+)", page))
for command in commands:
    asked = lib.fettle(*command.split()[:1], "--help")
    assert asked.returncode == 0, (command, asked)
for command in {c.split()[0] + " " + c.split()[1] for c in commands if len(c.split()) > 1}:
    asked = lib.fettle(*command.split(), "--help")
    assert asked.returncode == 0 and "Usage: fettle" in asked.stdout, (command, asked)
# The recipe for a place of one's own, over copies.
(recipe,) = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
with lib.folder() as where:
    recipe = recipe.split("fettle check config")[0].replace("/usr/share/fettle/rules", f"{lib.TOP}/rules").replace("/etc/fettle/rules", str(where))
    subprocess.run(["sh", "-euc", recipe], check=True)
    made = sorted(where.glob("*.yml"))
    checked = lib.fettle("check", "rules", *made)
    assert checked.returncode == 0, checked
    urls = [url for file in made for url in re.findall(r'runbook_url: "(.*)"', file.read_text())]
    assert urls and all(url.startswith("https://wiki.example/fettle/runbooks.md#") for url in urls), urls
print(f"{len(shipped)} shipped alerts have a runbook, which names {len(commands)} commands that there are")


# ---- prometheus.md: from an alert to the board, and back

page = (lib.TOP / "packaging/doc/prometheus.md").read_text()
part = page[page.index("### From an alert to the board"):]
(recipe,) = re.findall(r"^```sh\n(.*?)^```$", part, re.M | re.S)[:1]
(slack,) = re.findall(r"^```yaml\n(.*?)^```$", part, re.M | re.S)[:1]
boards = {board["uid"]: board for board in (json.loads(file.read_text()) for file in (lib.TOP / "dashboards/boards").glob("*.json"))}


def links_of(board, title):
    """URLs of the links with this title, of graphs and of cells."""
    found = []
    for panel in board["panels"]:
        field = panel.get("fieldConfig", {})
        links = [*field.get("defaults", {}).get("links", []),
                 *(link for o in field.get("overrides", []) for p in o["properties"] if p["id"] == "links" for link in p["value"])]
        found += [link["url"] for link in links if link["title"] == title]
    return found


with lib.folder() as where:
    (where / "rules").mkdir()
    for file in (lib.TOP / "rules").glob("*.yml"):
        (where / "rules" / file.name).write_text(file.read_text())
    subprocess.run(["sh", "-euc", recipe.split("fettle check config")[0].replace("/etc/fettle/rules", f"{where}/rules")], check=True)
    hook = lib.Webhook()
    slack = slack.replace("api_url_file: /etc/fettle/slack.url", f'api_url: "http://127.0.0.1:{hook.port}/slack"')
    agent = lib.Agent(where, "")
    address = f"127.0.0.1:{agent.port}"
    agent.config.write_text(f"""global: {{interval: 200ms, timeout: 100ms, instance: "{address}"}}
rule_files: ["{where}/rules/*.yml"]
services: {{order.v2-eu_1: {{probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {lib.free_ports(1)[0]}, failure_threshold: 1}}]}}}}
{slack}""")
    with agent:
        def buttons():
            return [action["url"] for body in list(hook.messages) for one in body.get("attachments", []) for action in one.get("actions", [])]
        (url, *_) = lib.wait_for("a message with a button", buttons, 30, agent.text)
        uid, _, query = url.removeprefix("https://grafana.example/d/").partition("?")
        chosen = urllib.parse.parse_qs(query, strict_parsing=True)
        assert chosen == {"var-job": ["fettle"], "var-instance": [address], "var-service": ["order.v2-eu_1"]}, url
        variables = {variable["name"] for variable in boards[uid]["templating"]["list"]}
        assert {name.removeprefix("var-") for name in chosen} <= variables, variables
        link = f'<a href="{html.escape(url)}" rel="noreferrer">dashboard</a>'
        lib.wait_for("the link on the status page", lambda: link in lib.get(agent.url + "/"))
        incident = lib.wait_for("the incident", lambda: lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"])[0]["id"]
        lib.wait_for("the link on the incident's page", lambda: link in lib.get(f"{agent.url}/incidents/{incident}"))
        # And back.
        back = {url for board in boards.values() for url in links_of(board, "The agent's page of it")}
        assert links_of(boards[uid], "The agent's page of it"), f"{uid} has no link to the agent"
        for url in back:
            for name, value in (("Node", address), ("instance", address), ("Service", "order.v2-eu_1"), ("service", "order.v2-eu_1")):
                url = re.sub(r"\$\{__(data\.fields|field\.labels)\.%s\}" % name, urllib.parse.quote(value, safe=":"), url)
            assert "order.v2-eu_1" in lib.get(url), url
print(f"an alert leads to {uid} with {len(chosen)} variables, and {len(back)} kinds of links lead back")
