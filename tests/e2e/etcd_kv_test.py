#!/usr/bin/env python3
"""A real etcd with lists of targets below a prefix: they come, change, break and go, and what is in them sets nothing that only
the configuration may."""
import json

import lib
from real_etcd import Etcd

CONFIG = """
global: {{interval: 200ms, timeout: 200ms}}
services:
  edge:
    healthy_when: any
    etcd_kv_configs:
      - endpoints: ["http://127.0.0.1:{closed}", "http://127.0.0.1:{client}"]
        prefix: /shop/targets/
        refresh_interval: 1s
        probe: {{type: tcp}}
"""


with lib.folder() as where, Etcd(where) as etcd:
    target = f"127.0.0.1:{etcd.client}"
    etcd.ask("kv/put", key="/shop/targets/a", value=json.dumps([{"targets": [target], "labels": {"zone": "eu"}}]))
    with lib.Agent(where, CONFIG.format(client=etcd.client, closed=lib.free_ports(1)[0])) as agent:

        def found(zone):
            return agent.query(f'probe_success{{service="edge",zone="{zone}"}} == 1')

        lib.wait_for("the target", lambda: found("eu"))
        etcd.ask("kv/put", key="/shop/targets/a", value=f"- targets: ['{target}']\n  labels: {{zone: us}}\n")
        lib.wait_for("the other label", lambda: found("us"))
        etcd.ask("kv/put", key="/shop/targets/a", value=f"- target: ['{target}']\n")
        lib.wait_for("the mistake", lambda: "/shop/targets/a:1:3: [0].target: unknown key" in agent.text())
        assert found("us"), "what was good before does not go on"
        pwned = where / "pwned"
        steal = {"targets": ["steal:1"], "labels": {"__probe_type": "exec", "__probe_command": f"[/usr/bin/touch, {pwned}]"}}
        etcd.ask("kv/put", key="/shop/targets/a", value=json.dumps([steal, {"targets": [target], "labels": {"zone": "asia"}}]))
        lib.wait_for("the refusal", lambda: "a target is not probed" in agent.text() and found("asia"))
        assert not pwned.exists()
        etcd.ask("kv/deleterange", key="/shop/targets/a")
        lib.wait_for("the targets to be gone", lambda: not agent.service("edge")["probes"])
print("lists in etcd came, changed, broke and went")
