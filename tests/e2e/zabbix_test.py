#!/usr/bin/env python3
"""A real Zabbix server with PostgreSQL and its API, from an empty folder: the shipped template is imported, discovers services
and probes, brings values, a trigger fires when a service is killed and is over when it is back, and nothing is told twice. What
fettle says of incidents comes to the trapper item, in the clear, over TLS with a certificate and with a pre-shared key. A host that Zabbix does not know is an error in
words. An agent that is gone is seen."""
import json
import socket
import struct
import subprocess
import time

import lib
import zabbix_server

zabbix_server.need()
TEMPLATE = lib.TOP / "packaging/zabbix/zabbix-template.yaml"
EXAMPLE = lib.TOP / "packaging/zabbix/zabbix-receiver.yml"
CONFIG = """
global: {{interval: 500ms, timeout: 300ms, evaluation_interval: 500ms}}
rule_files: [rules.yml, "{top}/rules/optional/watchdog.yml"]
services:
  order:
    probes: [{{name: healthz, type: http, url: "http://127.0.0.1:{port}/healthz"}}]
  cart:
    healthy_when: any
    probes:
      - {{name: fine, type: exec, command: [/bin/true]}}
      - {{name: "bad one", type: exec, command: [/bin/false]}}
{rest}"""
RULES = """
groups:
- name: services
  rules:
  - {alert: ServiceDown, expr: 'fettle_service_up == 0', labels: {severity: page}, annotations: {summary: "{{ $labels.service }} is down"}}
"""
KEY = "0123456789abcdef" * 4
began = time.monotonic()


def say(what, since):
    print(f"{what}: {time.monotonic() - since:.1f} s", flush=True)


def certificates(where):
    """An authority, and certificates of it for the server and for fettle: of RSA, as Zabbix over GnuTLS knows no other."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=where)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", "/CN=authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    (where / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "fettle"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2,
                "-extfile", "san", "-out", f"{name}.pem")
        (where / f"{name}.key").chmod(0o644)  # the user zabbix reads it


def value_of(host, key, value, clock):
    data = json.dumps({"request": "sender data", "data": [{"host": host, "key": key, "value": value, "clock": clock, "ns": 7}]}).encode()
    return b"ZBXD\x01" + struct.pack("<II", len(data), 0) + data


def exchange(port, packet):
    with socket.create_connection(("127.0.0.1", port), 5) as server:
        server.sendall(packet)
        answer = b""
        while more := server.recv(4096):
            answer += more
    return answer[13:].decode()


with lib.folder() as where:
    where.chmod(0o755)  # other users go through it
    certificates(where)
    tls = "".join(f"{key}={where}/{name}\n" for key, name in (("TLSCAFile", "ca.pem"), ("TLSCertFile", "server.pem"), ("TLSKeyFile", "server.key")))
    with zabbix_server.Zabbix(where, tls) as zabbix, lib.Shop(where, "order") as shop:
        say("database, server and API are up", began)
        (where / "rules.yml").write_text(RULES)
        (where / "psk").write_text(KEY + "\n")
        rest = EXAMPLE.read_text().replace("zabbix.shop.example", f"127.0.0.1:{zabbix.port}")
        rest += f"""
  - name: secure
    zabbix_configs: [{{server: "127.0.0.1:{zabbix.port}", tls_config: {{ca_file: {where}/ca.pem, cert_file: {where}/fettle.pem, key_file: {where}/fettle.key}}}}]
  - name: keyed
    zabbix_configs: [{{server: "127.0.0.1:{zabbix.port}", tls_psk_identity: fettle, tls_psk_file: {where}/psk}}]
  - name: unknown
    zabbix_configs: [{{server: "127.0.0.1:{zabbix.port}", host: not-there}}]
"""
        agent = lib.Agent(where, CONFIG.format(port=shop.port, top=lib.TOP, rest=rest))
        with agent:
            at = time.monotonic()
            template = zabbix.import_template(TEMPLATE)
            zabbix.import_template(TEMPLATE)  # as an update
            say("the template is imported, twice", at)
            at = time.monotonic()
            group = zabbix.call("hostgroup.get", filter={"name": "Linux servers"})[0]["groupid"]
            macros = {"{$FETTLE.PORT}": str(agent.port), "{$FETTLE.INTERVAL}": "1s", "{$FETTLE.AWAY.FOR}": "30s", "{$FETTLE.HEARTBEAT}": "1"}
            host = zabbix.call("host.create", host=socket.gethostname(), groups=[{"groupid": group}], templates=[{"templateid": template}],
                               tls_accept=7, tls_psk_identity="fettle", tls_psk=KEY, macros=[{"macro": name, "value": value} for name, value in macros.items()],
                               interfaces=[{"type": 1, "main": 1, "useip": 1, "ip": "127.0.0.1", "dns": "", "port": "10050"}])["hostids"][0]

            def values(**wanted):
                items = zabbix.items(host)
                return all(items[key]["lastvalue"] == value for key, value in wanted.items()) and items

            up = {"fettle.service.up[order]": "1", "fettle.service.up[cart]": "1", "fettle.probe.up[order,healthz]": "1", "fettle.probe.up[cart,fine]": "1",
                  "fettle.probe.up[cart,bad one]": "0", "fettle.service.maintenance[order]": "0", "fettle.services.down": "0",
                  "fettle.config.ok": "1", "fettle.state.durable": "1"}
            items = lib.wait_for("services and probes to be discovered, with values", lambda: values(**up), 60)
            say("host with discovered items and values", at)
            for key in ("fettle.started", "fettle.version", "fettle.memory", "fettle.probe.duration[order,healthz]"):
                lib.wait_for(f"a value of {key}", lambda: zabbix.items(host)[key]["lastclock"] != "0")
            wrong = {key: item["error"] for key, item in zabbix.items(host).items() if item["state"] != "0"}
            assert not wrong, wrong
            beside = "fettle: Probe bad one of cart is down"
            lib.wait_for("the probe that fails beside one that does not", lambda: zabbix.problems(host) == {beside}, 30, lambda: zabbix.problems(host))

            at = time.monotonic()
            shop.kill()
            lib.wait_for("the trigger to fire", lambda: "fettle: order is down" in zabbix.problems(host), 30)
            say("killed to PROBLEM", at)
            lib.wait_for("the incident's note", lambda: any("[PAGE] order is down" in text for text in zabbix.history(host, "fettle.incident")))
            say("killed to the incident's note", at)
            lib.wait_for("the probe to be down there, too", lambda: values(**{"fettle.probe.up[order,healthz]": "0"}))
            assert zabbix.problems(host) == {"fettle: order is down", beside}, zabbix.problems(host)
            at = time.monotonic()
            shop.start()
            lib.wait_for("the trigger to be over", lambda: zabbix.problems(host) == {beside}, 30)
            say("started to OK", at)

            # Zabbix answers "success" for a host that it does not know, too.
            def test_message(receiver):
                done = lib.fettle("notify", "test", receiver, f"--config.file={agent.config}")
                return done.returncode, done.stdout + done.stderr

            code, text = test_message("unknown")
            assert code == 1 and "did not take the value (processed: 0; failed: 1; total: 1" in text, text
            # In the clear and over TLS, then over TLS only.
            for receiver in ("secure", "keyed"):
                code, text = test_message(receiver)
                assert code == 0, text
            zabbix.call("host.update", hostid=host, tls_accept=6)
            lib.wait_for("values in the clear to be refused", lambda: test_message("zabbix")[0] == 1)
            for receiver in ("secure", "keyed"):
                code, text = test_message(receiver)
                assert code == 0, text
            (where / "psk").write_text("ff" * 32)
            code, text = test_message("keyed")
            assert code == 1 and "TLS handshake" in text, text
            zabbix.call("host.update", hostid=host, tls_accept=7)
            # The same value twice, as after an answer that was lost, is one in the history.
            packet = value_of(socket.gethostname(), "fettle.incident", "twice", int(time.time()))
            lib.wait_for("a value to be taken", lambda: "failed: 0" in exchange(zabbix.port, packet))
            assert "failed: 0" in exchange(zabbix.port, packet)
            lib.wait_for("the value in the history", lambda: "twice" in zabbix.history(host, "fettle.incident"))
            at = time.monotonic()
            lib.wait_for("the incident's end", lambda: any("[RESOLVED] order was down" in text for text in zabbix.history(host, "fettle.incident")), 60)
            say("waited for the incident's end", at)
            assert zabbix.history(host, "fettle.incident").count("twice") == 1
            told = [text.split("\n")[0] for text in zabbix.history(host, "fettle.incident")]
            assert len([line for line in told if line.startswith("[PAGE] order")]) == 1, told
            # One that came while values in the clear were refused is tried again later.
            lib.wait_for("the heartbeat", lambda: any("Watchdog" in text for text in zabbix.history(host, "fettle.heartbeat")), 90)

            at = time.monotonic()
            agent.kill()
            lib.wait_for("the agent to be missed", lambda: "fettle: No metrics of the agent for 30s" in zabbix.problems(host), 90)
            say("killed agent to PROBLEM", at)
            assert "fettle: order is down" not in zabbix.problems(host)
            agent.start()
            lib.wait_for("the agent to be back", lambda: "fettle: No metrics of the agent for 30s" not in zabbix.problems(host), 60)
        print(f"all of it took {time.monotonic() - began:.0f} s")
