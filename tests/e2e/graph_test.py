#!/usr/bin/env python3
"""GET /graph in a real Chromium: the link of a real alert draws the outage, with axes in UTC and a legend; another range and end
come by the keyboard alone and without a script; mistakes are shown where they are; a service's page leads to the same drawing.
SHOTS=FOLDER keeps pictures, AXE=axe.min.js checks accessibility."""
import os
import re
import time
import urllib.parse

import browser
import lib

TAB, ENTER = "\ue004", "\ue007"
RULES = "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'fettle_service_up < 1', annotations: {summary: 'it is down'}}]}]\n"
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, evaluation_interval: 500ms}}
rule_files: ["{where}/rules.yml"]
route: {{receiver: hook, group_wait: 0s}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{hook}/"}}]}}]
services:
  order:
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{shop}/healthz", interval: 100ms, timeout: 90ms, failure_threshold: 2}}
      - {{name: tcp, type: tcp, host: 127.0.0.1, port: {shop}}}
  redis:
    probes: [{{name: tcp, type: tcp, host: 127.0.0.1, port: {hook}}}]
"""

with lib.folder() as where:
    hook = lib.Webhook()
    (where / "rules.yml").write_text(RULES)
    shop = lib.Shop(where, "inventory")
    agent = lib.Agent(where, CONFIG.format(where=where, hook=hook.port, shop=shop.port))
    agent.argv.append(f"--web.external-url={agent.url}")
    with browser.Browser(where) as page, shop, agent:
        lib.wait_for("all to be up", lambda: all(s["health"] == "up" for s in lib.get_json(f"{agent.url}/api/v1/services")["data"]["services"]))
        text = lambda selector: page.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        count = lambda selector: page.run("return document.querySelectorAll(arguments[0]).length", selector)
        loads = lambda: page.run("return document.readyState === 'complete' && document.querySelector('#query') !== null && !window.asked")
        graph = lambda expr, **fields: page.open(f"{agent.url}/graph?" + urllib.parse.urlencode({"g0.expr": expr} | {f"g0.{k}": v for k, v in fields.items()}))
        shop.kill()
        link = lib.wait_for("the alert", lambda: next((a["generatorURL"] for a in hook.alerts("firing")), None))
        assert link.startswith(f"{agent.url}/graph?g0.expr=fettle_service_up"), link
        lib.wait_for("its samples", lambda: agent.query("count_over_time((fettle_service_up{service='order'} == 0)[1m:100ms]) > 10"))

        wrong, checked = [], 0
        def looked_at(name):
            global checked
            for view, found in page.views(name):
                checked += 1
                wrong.extend(f"{name} on a {view}: {each}" for each in found)

        page.open(link)
        assert text("#expr") == "fettle_service_up < 1"
        assert count("#result path.line[class*=' l']") >= 2 and count("#result .values tbody tr") == 1, text("#result")
        assert 'service="order"' in text("#result tbody th"), text("#result")
        looked_at("alert")

        # Both services: one line falls to the bottom of the graph, the other stays at its top.
        graph("fettle_service_up", range_input="1m")
        ends = page.run("return [...document.querySelectorAll('#result .curve .line[class*=\" l\"]')].map((l) => Number(l.getAttribute('d').match(/[\\d.]+$/)[0]))")
        assert sorted(ends) == [0, 200], ends
        assert count("#result tbody tr") == 2 and count("#result .key") == 2
        labels = page.run("return [...document.querySelectorAll('#result .curve text')].map((t) => t.textContent)")
        assert labels and all(re.fullmatch(r"\d\d:\d\d:\d\d", each) for each in labels), labels
        assert text("#result .scale") == "10.50", text("#result .scale")
        shown = re.match(r"(\S+ \S+) to (\S+ \S+) UTC", text("#result .axis span"))
        times = [time.mktime(time.strptime(each, "%Y-%m-%d %H:%M:%S")) for each in shown.groups()]
        assert times[1] - times[0] == 60, shown
        looked_at("services")

        # By the keyboard alone: the range, the end, Enter. The pages have no script at all.
        assert count("script") == 0
        end = shown.group(2)
        page.run("document.getElementById('expr').focus(); window.asked = true")
        page.press(TAB, "3", "0", "s", TAB, *end, ENTER)
        lib.wait_for("the other graph", loads)
        assert page.run("return new URL(location.href).searchParams.get('g0.range_input')") == "30s", page.run("return location.href")
        assert f"to {end} UTC" in text("#result .axis"), text("#result .axis")
        assert count("#query .ranges a") >= 3
        page.run("window.asked = true; [...document.querySelectorAll('#query .ranges a')].find((a) => a.textContent === 'earlier').click()")
        lib.wait_for("what was before", loads)
        assert page.run("return new URL(location.href).searchParams.get('g0.end_input')") < end
        assert "UTC" in text("#result") and f"to {end} UTC" not in text("#result"), text("#result")

        graph("sum(fettle_service_up", range_input="soon", end_input="never")
        said = text("#result")
        assert "1:22: parse error" in said and '"soon" is no range' in said and '"never" is no end' in said, said
        assert text("#result pre") == "sum(fettle_service_up\n" + " " * 21 + "^", text("#result pre")
        looked_at("mistakes")
        graph("nothing_here")
        assert "The result is empty" in text("#result"), text("#result")
        looked_at("empty")
        graph("label_replace(vector(1), 'a', '<img src=x>', '', '')")
        assert count("#result img") == 0 and "<img src=x>" in text("#result tbody th")
        graph("probe_duration_seconds > 1e9 or vector(NaN)")
        assert "None of the values can be drawn" in text("#result"), text("#result")
        graph(" or ".join(f"label_replace(vector({i}), 'n', '{i:02}', '', '')" for i in range(30)))
        assert count("#result .values tbody tr") == 24 and "The first 24 of 30 series" in text("#result"), text("#result")
        looks = page.run("return [...document.querySelectorAll('#result .curve .line[class*=\" l\"]')].map((l) => l.getAttribute('class'))")
        assert len(set(looks)) == 24, looks
        looked_at("many")

        # The durations of a service's probes, from the same drawing, and its way to the query.
        page.open(f"{agent.url}/services/order?range=15m")
        assert count("#recent .curve .line[class*=' l']") == 2 and count("#recent .values tbody tr") == 2, text("#recent")
        names = text("#recent .values")
        page.run("window.asked = true; [...document.querySelectorAll('#recent a')].find((a) => a.textContent === 'as a query').click()")
        lib.wait_for("the query of it", loads)
        assert count("#result .values tbody tr") == 2 and 'probe="http"' in text("#result .values"), text("#result")
        wrong += page.complaints()
        assert not wrong, "\n".join(wrong)
print(f"the link of the alert draws the outage; {checked} views fit" + (", axe finds nothing" if "AXE" in os.environ else ", AXE is not set: axe was not run"))
