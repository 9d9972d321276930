#!/usr/bin/env python3
"""A real Docker engine: a container is restarted through a socket that lets only that through.

The engine is this test's own, with its folders below a temporary one, without a network of its own. The proxy is HAProxy
with packaging/haproxy/docker-proxy.cfg. Skipped where no engine starts; its last words are the reason.
"""
import subprocess
import sys

import lib
from docker_engine import Engine, make_image

CONFIG = """
global: {{interval: 1s, timeout: 500ms, evaluation_interval: 1s}}
rule_files: [rules.yml]
services:
  order:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{order}/", failure_threshold: 2}}]
    recovery: {{{plan} steps: [{{do: {{docker: {{verb: restart, container: order-1, socket: {proxy}}}}}, timeout: 30s,
                                verify: {{success_threshold: 2, within: 20s}}}}]}}
  other:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{other}/", failure_threshold: 2}}]
    recovery: {{{plan} steps: [{{do: {{docker: {{verb: restart, container: other-1, socket: {proxy}}}}}, timeout: 30s}}]}}
"""
PLAN = """when: {alert: ServiceDown}, mode: enforce, guards: {min_uptime: 0s, cooldown: 0s, agent_uptime: 0s},
      budget: {attempts: 3, within: 15m, backoff: {initial: 300ms, factor: 1, jitter: 0}},"""
RULES = "groups: [{name: trading, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"


def proxy_of(where, engine):
    text = (lib.TOP / "packaging/haproxy/docker-proxy.cfg").read_text()
    for old, new in [("/run/docker-proxy.sock user fettle", f"{where}/proxy.sock"), ("/run/docker.sock", str(engine.socket))]:
        assert text.count(f"unix@{old}") == 1, old
        text = text.replace(f"unix@{old}", f"unix@{new}")
    (where / "proxy.cfg").write_text(text)
    return lib.Process(where, "haproxy", [lib.need("haproxy"), "-db", "-f", where / "proxy.cfg"])


def recoveries(agent, service):
    return lib.get_json(f"{agent.url}/api/v1/recoveries?service={service}")["data"]["recoveries"]


def check(where):
    ports = dict(zip(("order", "other"), lib.free_ports(2)))
    with Engine(where) as engine:
        make_image(engine, where)
        for name, port in ports.items():
            ran = engine.run("run", "--detach", f"--name={name}-1", "--network=host", "service", "/service", str(port),
                             check=False)
            if ran.returncode != 0:
                print(f"skipped: the engine runs no container here: {ran.stderr.strip()}")
                sys.exit(lib.SKIPPED)
        (where / "rules.yml").write_text(RULES)
        config = CONFIG.format(plan=PLAN, proxy=where / "proxy.sock", **ports)
        with proxy_of(where, engine), lib.Agent(where, config) as agent:
            for name in ports:
                lib.wait_for(f"{name} to be up", lambda: agent.service(name)["health"] == "up")
            began = engine.run("inspect", "--format={{.State.StartedAt}}", "order-1").stdout
            engine.run("kill", "order-1")
            lib.wait_for("a recovery", lambda: any(r["state"] == "recovered" for r in recoveries(agent, "order")), 60)
            report = recoveries(agent, "order")[0]
            assert report["actions"][0]["result"] == "ok", report
            assert engine.run("inspect", "--format={{.State.StartedAt}}", "order-1").stdout != began
            print(f"a container that was killed: {report['actions'][0]['text']}, healthy again")
            engine.run("kill", "other-1")
            refused = lib.wait_for("a refusal", lambda: next((r for r in recoveries(agent, "other") if r["actions"]), None), 60)
            assert refused["actions"][0]["result"] == "refused", refused
            assert "GET /containers/other-1/json" in refused["actions"][0]["text"], refused
            print(f"another container: refused by the proxy: {refused['actions'][0]['text']}")
            listed = engine.run("-H", f"unix://{where}/proxy.sock", "ps", check=False)
            assert listed.returncode != 0, "the proxy lets more through than a restart"


with lib.folder() as folder:
    check(folder)
