#!/usr/bin/env python3
"""A real Consul: targets from its catalogue, its checks as probes, our services registered with a TTL check that says why they
are down, and maintenance on both sides. With access lists; the token is in a file. Skipped where no consul is installed."""
import json
import time
import urllib.request

import lib

TOKEN = "5f1ac7a4-0000-4000-8000-000000000001"
CONFIG = """
global: {{interval: 200ms, timeout: 200ms, evaluation_interval: 1s}}
services:
  order:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{order}/healthz", failure_threshold: 2}}]
    traffic: {{consul: {{server: "127.0.0.1:{consul}", {login}, port: {order}, ttl: 3s, deregister_critical_service_after: 1m}}}}
    recovery: {{when: {{alert: Never}}, mode: enforce, guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}},
                steps: [{{do: drain, timeout: 10s}}, {{do: {{command: {{argv: [/bin/sleep, "1"]}}}}, timeout: 5s}}],
                finally: [{{do: undrain, timeout: 10s}}]}}
  disk:
    probes: [{{name: consul, type: consul, server: "127.0.0.1:{consul}", {login}}}]
  found:
    consul_sd_configs:
      - server: 127.0.0.1:{consul}
        {login}
        tags: [trading]
        refresh_interval: 10s
        probe: {{type: tcp, labels: {{consul_service: "${{__meta_consul_service}}"}}}}
    consul_kv_configs:
      - {{server: "127.0.0.1:{consul}", {login}, prefix: shop/targets/, probe: {{type: tcp, name: kv}}}}
"""


class Consul(lib.Process):
    def __init__(self, where):
        self.where = where
        http, server, serf = lib.free_ports(3)
        self.port = http
        (where / "consul.json").write_text(json.dumps({
            "server": True, "bootstrap_expect": 1, "datacenter": "shop", "node_name": "n1", "data_dir": str(where / "consul"),
            "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "disable_update_check": True, "check_update_interval": "1s",
            "ports": {"http": http, "https": -1, "dns": -1, "server": server, "serf_lan": serf, "serf_wan": -1, "grpc": -1},
            "performance": {"raft_multiplier": 1},
            "acl": {"enabled": True, "default_policy": "deny", "tokens": {"master": TOKEN, "agent": TOKEN}}}))
        super().__init__(where, "consul", [lib.need("consul"), "agent", f"-config-file={where}/consul.json"])

    def start(self):
        super().start()
        lib.wait_for("a leader", lambda: self.ask("GET", "/v1/status/leader"), 60)
        lib.wait_for("the node in the catalogue", lambda: self.ask("GET", "/v1/catalog/node/n1"), 60)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, headers={"X-Consul-Token": TOKEN},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"null")

    def put(self, key, text):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/kv/{key}", method="PUT", headers={"X-Consul-Token": TOKEN},
                                         data=text.encode())
        urllib.request.urlopen(request, timeout=5).read()

    def check(self, name):
        return self.ask("GET", "/v1/agent/checks").get(name, {})

    def passing(self, service):
        return [e["Service"]["ID"] for e in self.ask("GET", f"/v1/health/service/{service}?passing")]


def check_registration(consul, agent, shop):
    lib.wait_for("order to pass in Consul", lambda: consul.passing("order") == ["fettle-order"])
    shop.stop()
    down = lib.wait_for("the check to be critical", lambda: (c := consul.check("fettle:fettle-order"))["Status"] == "critical" and c)
    assert down["Output"].startswith("down: "), down
    print("what Consul shows of a service that is down:", down["Output"])
    assert consul.passing("order") == []
    shop.start()
    lib.wait_for("order to pass again", lambda: consul.passing("order") == ["fettle-order"])


def check_maintenance(consul, agent):
    """A drain of ours is Consul's maintenance; maintenance of people holds our plans back."""
    done = lib.fettle("recover", "order", f"--admin.socket={agent.admin}")
    assert done.returncode == 0, done
    lib.wait_for("the drain in Consul", lambda: consul.check("_service_maintenance:fettle-order"))
    assert consul.passing("order") == []
    lib.wait_for("the end of the drain", lambda: consul.passing("order") == ["fettle-order"])
    consul.ask("PUT", "/v1/agent/service/maintenance/fettle-order?enable=true&reason=new+disks")
    lib.wait_for("Consul's own maintenance", lambda: consul.passing("order") == [])
    consul.ask("PUT", "/v1/agent/service/maintenance/fettle-order?enable=false")
    lib.wait_for("order to pass again", lambda: consul.passing("order") == ["fettle-order"])


def check_memory(consul, agent):
    """A Consul agent with an empty data folder is told again; one without us is told by the TTL."""
    consul.ask("PUT", "/v1/agent/service/deregister/fettle-order")
    lib.wait_for("order to be registered again", lambda: consul.passing("order") == ["fettle-order"])
    agent.stop()
    late = lib.wait_for("the TTL to be over", lambda: (c := consul.check("fettle:fettle-order"))["Status"] == "critical" and c)
    assert "TTL expired" in late["Output"], late
    print("what Consul shows without the agent:", late["Output"])


def check_probe(consul, agent):
    assert agent.service("disk")["health"] == "up", agent.service("disk")
    consul.ask("PUT", "/v1/agent/check/fail/space?note=97+%25+used")
    lib.wait_for("disk to be down", lambda: agent.service("disk")["health"] == "down")
    assert "check space is critical: 97 % used" in json.dumps(agent.service("disk")), agent.service("disk")
    consul.ask("PUT", "/v1/agent/check/pass/space")
    lib.wait_for("disk to be up", lambda: agent.service("disk")["health"] == "up")


def check_keys(consul, agent, port):
    """A list in the key-value store: it comes, a broken one keeps what was good, it goes."""
    def listed():
        return agent.query(f'probe_success{{service="found",probe="kv@127.0.0.1:{port}"}} == 1')
    consul.put("shop/targets/a", f"- targets: ['127.0.0.1:{port}']\n")
    lib.wait_for("the target of the key", listed)
    consul.put("shop/targets/a", "- target: []\n")
    lib.wait_for("the mistake", lambda: "shop/targets/a:1:3: [0].target: unknown key" in agent.text())
    assert listed(), "what was good before does not go on"
    consul.ask("DELETE", "/v1/kv/shop/targets/a")
    lib.wait_for("the target of the key to be gone", lambda: not listed())


def check_discovery(consul, agent, port):
    def found():
        return {s["metric"]["target"]: s["metric"]["consul_service"]
                for s in agent.query('probe_success{service="found",consul_service!=""} == 1')}

    assert found() == {}, found()
    consul.ask("PUT", "/v1/agent/service/register", {"Name": "stock", "ID": "stock-1", "Port": port, "Tags": ["trading"]})
    consul.ask("PUT", "/v1/agent/service/register", {"Name": "report", "Port": port})
    began = time.monotonic()
    lib.wait_for("the target", lambda: found() == {f"127.0.0.1:{port}": "stock"})
    print(f"a service that was registered is probed after {time.monotonic() - began:.1f} s")
    consul.ask("PUT", "/v1/agent/service/deregister/stock-1")
    lib.wait_for("the target to be gone", lambda: found() == {})


def main():
    with lib.folder() as where:
        lib.need("consul")
        (where / "token").write_text(TOKEN + "\n")
        login = f"authorization: {{credentials_file: {where}/token}}"
        with Consul(where) as real, lib.Shop(where, "order") as shop:
            real.ask("PUT", "/v1/agent/service/register", {"Name": "disk", "Check": {"CheckID": "space", "Name": "space", "TTL": "1h", "Status": "passing"}})
            with lib.Agent(where, CONFIG.format(order=shop.port, consul=real.port, login=login)) as agent:
                lib.wait_for("order to be up", lambda: agent.service("order")["health"] == "up")
                lib.wait_for("disk to be up", lambda: agent.service("disk")["health"] == "up")
                check_registration(real, agent, shop)
                check_maintenance(real, agent)
                check_probe(real, agent)
                check_discovery(real, agent, shop.port)
                check_keys(real, agent, shop.port)
                check_memory(real, agent)


if __name__ == "__main__":
    main()
