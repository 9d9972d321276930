#!/usr/bin/env python3
"""The pages in a real Chromium: a service dies, and the page shows it without being loaded again, with its incident and the
timeline of it; the agent stands still, and the page says so within three seconds; every page fits phones, tablets and screens in
both themes. The events of a page of 40 services are counted. SHOTS=FOLDER keeps pictures, AXE=axe.min.js checks accessibility."""
import os
import signal
import socket
import time

import browser
import lib

SERVICES = 40
TABS = 8
BYTES = 100_000  # of events in ten seconds
RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: page}, annotations: {summary: 'it is down'}}]}]\n"
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, evaluation_interval: 500ms}}
rule_files: ["{where}/rules.yml"]
services:
  order:
    labels: {{tier: trading, team: "<b>core</b>"}}
    depends_on: [cache-01]
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{shop}/healthz", interval: 100ms, timeout: 90ms, failure_threshold: 2}}
      - {{name: tcp, type: tcp, host: 127.0.0.1, port: {shop}}}
    recovery: {{when: {{alert: ServiceDown}}, steps: [{{do: {{command: {{argv: [/bin/true]}}}}}}]}}
"""
OTHER = """  cache-{number:02}:
    labels: {{tier: {tier}, team: core}}
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {port}}}]
"""
WATCH = """
window.marker = true;
window.seen = {};
new MutationObserver(() => {
  const card = document.querySelector('#cards > [id="s-order"] > .card.down');
  if (card && !window.seen.down) window.seen.down = Date.now();
  const live = document.getElementById('live');
  if (live.className.includes('stale') && !window.seen.stale) window.seen.stale = live.textContent;
}).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
"""


def events(agent, seconds):
    """What a page is sent in this time, after its first event."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=5) as stream:
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        first = b""
        while b"\r\n\r\n" not in first or not first.endswith(b"\n\n"):
            first += stream.recv(65536)
        end, rest = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            rest += stream.recv(65536)
        return len(first), rest


with lib.folder() as where:
    peer = lib.Webhook()
    (where / "rules.yml").write_text(RULES)
    shop = lib.Shop(where, "inventory")
    config = CONFIG.format(where=where, shop=shop.port)
    config += "".join(OTHER.format(number=i, tier="data" if i % 3 else "web", port=peer.port) for i in range(1, SERVICES))
    with browser.Browser(where) as page, shop, lib.Agent(where, config) as agent:
        lib.wait_for("all to be up", lambda: all(s["health"] == "up" for s in lib.get_json(f"{agent.url}/api/v1/services")["data"]["services"]))
        first, rest = events(agent, 10)
        assert b"alive" in rest, rest
        assert len(rest) <= BYTES, f"{len(rest)} bytes of events in 10 s, at most {BYTES} are wanted"
        size = len(lib.get(agent.url + "/"))

        page.open(agent.url + "/")
        state = lambda: page.run("return document.getElementById('live').textContent")
        lib.wait_for("the page to be live", lambda: state() == "Live")
        assert page.run("return document.querySelectorAll('.lines li').length") == SERVICES
        page.run(WATCH)
        shop.kill()
        seen = lib.wait_for("the page to show it", lambda: page.run("return window.seen.down"))
        since = lib.wait_for("the agent to see it", lambda: agent.service("order")["health"] == "down" and agent.service("order")["since"])
        shown_after = seen / 1000 - lib.wall(since)
        lib.wait_for("its incident on the page", lambda: page.run("return document.querySelector('#incidents a[href^=incidents]') !== null"))
        assert page.run("return window.marker"), "the page was loaded again"
        assert "1 service is down" in page.run("return document.querySelector('#summary h2').textContent")
        assert page.run("return document.title").startswith("1 down")
        incident = page.run("return document.querySelector('#incidents a[href^=incidents]').href")

        wrong, checked = [], 0
        pages = {"status": "/", "service": "/services/order", "up": "/services/cache-01", "incidents": "/incidents", "explain": "/explain/order",
                 "graph": "/graph?g0.expr=fettle_service_up", "search": "/?q=tier%3Dweb", "incident": incident.removeprefix(agent.url)}
        for name, path in pages.items():
            page.open(agent.url + path)
            for view, found in page.views(name):
                checked += 1
                wrong += [f"{path} on a {view}: {each}" for each in found]
        wrong += page.complaints()
        assert "order is down" in page.run("return document.querySelector('#timeline').textContent")
        assert not wrong, "\n".join(wrong)

        page.open(agent.url + "/")
        lib.wait_for("the page to be live", lambda: state() == "Live")
        first_tab = page.call("/window", method="GET")
        for number in range(2, TABS + 1):  # a browser has six connections to a server
            page.call("/window", {"handle": page.call("/window/new", {"type": "tab"})["handle"]})
            page.open(agent.url + "/")
            lib.wait_for(f"tab {number} to be live", lambda: state() == "Live" and page.run("return document.querySelectorAll('#cards .card').length == 1"))
        assert lib.metric(agent, "fettle_event_streams") == 1
        page.call("/window", {"handle": first_tab})
        lib.wait_for("the first tab to be live still", lambda: state() == "Live")
        page.run(WATCH)
        agent.kill(signal.SIGSTOP)
        words = lib.wait_for("the page to say that the agent is silent", lambda: page.run("return window.seen.stale"))
        agent.kill(signal.SIGCONT)
        assert words in ("No word from the agent for 2 s", "No word from the agent for 3 s"), words
        lib.wait_for("the page to be live again", lambda: state() == "Live")
        agent.stop()
        lib.wait_for("the page to say that the agent is gone", lambda: state().startswith("No word"))
print(f"shown {shown_after * 1000:.0f} ms after the verdict; {words!r}; page of {SERVICES} services {size} bytes, first event {first}, "
      f"{len(rest)} bytes in the 10 s after it; {checked} views fit, {TABS} tabs are live" + (", axe finds nothing" if "AXE" in os.environ else ", AXE is not set: axe was not run"))
