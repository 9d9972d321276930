#!/usr/bin/env python3
"""Every link that the agent prints or sends leads somewhere: a service fails, messages go to receivers of several kinds, and
each URL of our own in them, on the pages, in the answers of the API and in what the commands print is followed, and what
that links to as well. It must answer 200, and what stands behind # must be there."""
import html.parser
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import lib

RULES = """
groups:
  - name: shop
    rules:
      - alert: ServiceDown
        expr: 'fettle_service_up == 0 and fettle_service_up{service=~".+|\\\\+&#"} < 1'
        labels: {severity: "a b&c"}
        annotations: {summary: "{{ $labels.service }} is down", graph: "{{ $externalURL }}{{ graphLink \\"up == 0\\" }}",
                      table: "{{ $externalURL }}{{ tableLink \\"sum(up) by (job)\\" }}", page: "{{ $externalURL }}/explain/{{ $labels.service }}"}
      - {record: "shop:up", expr: sum(fettle_service_up)}
"""
CONFIG = """
global: {{interval: 200ms, timeout: 100ms, evaluation_interval: 200ms}}
rule_files: ["{where}/rules.yml"]
services:
  order.v2-eu_1:
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {closed}, failure_threshold: 1}}]
    recovery: {{when: {{alert: ServiceDown}}, steps: [{{do: {{command: {{argv: [/bin/true]}}}}}}]}}
  redis:
    depends_on: [order.v2-eu_1]
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {open}}}]
route: {{receiver: all, group_by: [alertname], group_wait: 100ms, group_interval: 200ms}}
receivers:
  - name: all
    tell: all
    webhook_configs: [{{url: "{hook}/webhook"}}]
    slack_configs: [{{api_url: "{hook}/slack"}}]
    msteams_configs: [{{webhook_url: "{hook}/teams"}}]
    pagerduty_configs: [{{routing_key: k, url: "{hook}/pagerduty"}}]
    alertmanager_configs: [{{urls: ["{hook}"]}}]
"""


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids = [], set()

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key in ("href", "src", "action") and value is not None:
                self.links.append(value)
            elif key == "id":
                self.ids.add(value)


def fetch(url):
    """Status, and what the page links to and has of ids; of what goes on for ever the head only."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            kind = answer.headers.get_content_type()
            text = answer.read().decode() if kind != "text/event-stream" else ""
            page = Links()
            if kind == "text/html":
                page.feed(text)
            return answer.status, page, text
    except urllib.error.HTTPError as error:
        return error.code, Links(), ""


def own_urls(base, text):
    """URLs of ours in any text; in JSON they are escaped as its strings are."""
    text = text.replace("\\u0026", "&").replace("\\/", "/").replace("&amp;", "&")
    return set(re.findall(re.escape(base) + r"""(?:/[^\s"'<>|)\\`]*)?""", text))


def followed(base, first):
    """What is wrong with a link, of all that can be reached from the first ones; and how many there are."""
    wrong, pages, todo = [], {}, [(url, "sent or printed") for url in sorted(first)]
    while todo:
        url, origin = todo.pop()
        plain, fragment = urllib.parse.urldefrag(url)
        if not plain.startswith(base):
            continue
        if plain not in pages:
            pages[plain] = fetch(plain)
            status, page, text = pages[plain]
            if status == 200 and "g0.end_input=" not in plain:  # from there it goes on to what was before, without an end
                todo += [(urllib.parse.urljoin(plain, link), plain) for link in page.links]
                todo += [(found, plain) for found in own_urls(base, text)]
        status, page, _ = pages[plain]
        if status != 200:
            wrong.append(f"{url} ({origin}) answers {status}")
        elif fragment and page.ids and fragment not in page.ids:
            wrong.append(f"{url} ({origin}): nothing there has the id {fragment}")
    return sorted(set(wrong)), pages


def kinds(hook):
    """Of what a receiver took: one word for each kind of message."""
    seen = set()
    for body in list(hook.messages):
        text = json.dumps(body)
        seen |= {kind for kind, mark in (("webhook", '"groupKey"'), ("slack", '"attachments"'), ("teams", "MessageCard"),
                                         ("pagerduty", '"routing_key"'), ("alertmanager", '[{"')) if mark in text[:20] or (kind != "alertmanager" and mark in text)}
    return seen


with lib.folder() as where:
    hook = lib.Webhook()
    peer = lib.Webhook()
    (where / "rules.yml").write_text(RULES)
    agent = lib.Agent(where, CONFIG.format(where=where, closed=lib.free_ports(1)[0], open=peer.port, hook=f"http://127.0.0.1:{hook.port}"))
    agent.argv.append(f"--web.external-url={agent.url}")
    with agent:
        wanted = {"webhook", "slack", "teams", "pagerduty", "alertmanager"}
        lib.wait_for("a message of each kind", lambda: kinds(hook) >= wanted, state=lambda: kinds(hook))
        lib.wait_for("the incident", lambda: lib.get_json(f"{agent.url}/api/v1/incidents")["data"])
        sent = set().union(*(own_urls(agent.url, json.dumps(body)) for body in list(hook.messages)))
        assert any("/graph?g0.expr=fettle_service_up" in url for url in sent), sent
        printed = set()
        for words in (["status"], ["explain", "order.v2-eu_1"], ["incidents"], ["alerts"], ["recoveries"]):
            done = lib.fettle(*words, f"--admin.socket={agent.admin}")
            printed |= own_urls(agent.url, done.stdout + done.stderr)
        printed |= own_urls(agent.url, agent.text())
        api = {f"{agent.url}/api/v1/{path}" for path in ("alerts", "rules", "services", "incidents", "recoveries", "targets", "status/config",
                                                        "status/flags", "status/runtimeinfo", "status/tsdb", "status/buildinfo")}
        wrong, pages = followed(agent.url, sent | printed | api | {agent.url + "/"})
        assert not wrong, "\n".join(wrong)
print(f"{len(pages)} pages answer 200: {len(sent)} links were sent, {len(printed)} printed")
sys.exit(0)
