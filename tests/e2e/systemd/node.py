"""A node of the demo shop in a container: its units, nginx, the agent from its package, and the agent's own account."""
import calendar
import json
import pathlib
import re
import shutil
import subprocess
import time

import lib

PORTS = {"order": 8081, "payment": 8082, "inventory": 8083, "gateway": 8084, "catalog": 8085, "checkout-a": 8086,
         "checkout-b": 8087, "stranger": 8088, "hooks": 8089, "front": 8090}
ROLES = {"catalog": "payment", "checkout-a": "payment", "checkout-b": "payment", "stranger": "payment"}
NO_START = "/run/no-start"  # while it is there, gateway cannot start
SHORT_LIFE = "/run/short-life"  # while it is there, payment ends 0.2 s after each start
HOLD = "/run/hold"  # while it is there, checkout-a does not get ready

BEFORE = {"checkout-a": f"ExecStartPre=/bin/sh -c 'while [ -e {HOLD} ]; do sleep 0.05; done'\n",
          "gateway": f"ExecStartPre=/bin/sh -c '! test -e {NO_START}'\n"}
SHELL = {"payment": f"test ! -e {SHORT_LIFE} || {{ sleep 0.2; exit 1; }}; exec "}
UNIT = """\
[Unit]
Description=demo shop, {name}
After=network.target
StartLimitIntervalSec=0
[Service]
Type=exec
{before}ExecStart={shell}/usr/bin/fettle-shop {role} --listen=127.0.0.1:{port} --run=/run/{name}{options}{end}
User=shop
RuntimeDirectory={name}
[Install]
WantedBy=multi-user.target
"""
NGINX = """\
upstream checkout {{ include /etc/nginx/fettle/checkout.conf; }}
server {{
  listen 127.0.0.1:{front};
  location / {{ proxy_pass http://checkout; add_header X-Served-By $upstream_addr; }}
}}
"""
CONFIG = """\
# Short times and a wide budget, because the test waits for nothing else; see README.md for those of a real shop.
global:
  {{interval: 250ms, timeout: 200ms, evaluation_interval: 1s, node: shop, recovery: {{actions_per_hour: 1000}}}}
rule_files: [/etc/fettle/rules/services.yml]
services:
  inventory:
    unit: inventory.service
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{inventory}/healthz"}}
      - {asked}
  order:
    unit: order.service
    depends_on: [inventory]
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{order}/order"}}
      - {asked}
    recovery: {{{many} steps: [{restart}]}}
  payment:
    unit: payment.service
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{payment}/healthz"}}
      - {asked}
    recovery: {{{plan} steps: [{{do: {{systemd: restart}}, timeout: 10s, verify: {{success_threshold: 4, within: 2s}}}}]}}
  gateway:
    unit: gateway.service
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{gateway}/healthz"}}
      - {{name: unit, type: systemd, failure_threshold: 20}}
    recovery: {{{plan} steps: [{restart}, {{do: {{alert: page}}}}]}}
  catalog:
    unit: catalog.service
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{catalog}/healthz"}}
      - {asked}
    recovery: {{{plan} steps: [{restart}]}}
  checkout:
    unit: checkout-a.service
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{checkout-a}/healthz"}}
      - {asked}
    traffic:
      nginx: {{upstream: checkout, file: /etc/nginx/fettle/checkout.conf, self: "127.0.0.1:{checkout-a}",
              peers: [{{server: "127.0.0.1:{checkout-b}"}}], pid_file: /run/nginx.pid}}
    recovery: {{{many} steps: [{{do: drain, timeout: 10s}}, {restart}], finally: [{{do: undrain}}]}}
"""
STRANGER = """\
  stranger:
    unit: stranger.service
    probes: [{asked}]
    recovery: {{{plan} steps: [{restart}]}}
"""
RECEIVERS = """\
receivers:
  - {{name: hooks, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{hooks}/hook", secret_file: /etc/fettle/hook.key}}]}}
"""
PLAN = """when: {alert: ServiceDown}, mode: enforce,
      guards: {min_uptime: 1s, cooldown: 0s, agent_uptime: 0s},
      budget: {attempts: %d, within: 15m, backoff: {initial: 300ms, factor: 1, jitter: 0}},"""
RESTART = "{do: {systemd: restart}, timeout: 60s, verify: {success_threshold: 2, within: 30s}}"
# A daemon-reload keeps systemd from answering, longer than these timeouts; that a process is gone still counts at once.
ASKED = "{name: process, type: process, failure_threshold: 20}"
WORDS = {**PORTS, "asked": ASKED, "plan": PLAN % 3, "many": PLAN % 20,
         "restart": RESTART}


def entries(text):
    """The lines of the agent's log, which is logfmt, as dictionaries."""
    for line in text.splitlines():
        fields = {}
        for key, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line):
            fields[key] = json.loads(value, strict=False) if value.startswith('"') else value
        if "ts" in fields and "msg" in fields:
            yield fields


class Node:
    """The shop on a Machine. Every question about what the agent did is answered by its own log and API."""

    def __init__(self, machine):
        self.machine = machine
        self.url = "http://127.0.0.1:10911"

    # ---- making it

    def install(self, deb, shop):
        """The package as an operator would install it, and a shop that runs."""
        shutil.copy(deb, self.machine.file("/fettle.deb"))
        self.machine.run("dpkg", "--install", "/fettle.deb")
        lib.wait_for("the agent, as it comes out of the package", self.ready, 60)
        shutil.copy(shop, self.machine.file("/usr/bin/fettle-shop"))
        self.machine.write("/usr/lib/sysusers.d/shop.conf", "u shop - \"demo shop\"\n")
        self.machine.run("systemd-sysusers", "shop.conf")
        key = "whsec_" + "c2hvcCBrZXkgb2YgdGhlIGVuZC10by1lbmQgdGVzdHM="
        for path, owner in [("/etc/fettle/hook.key", "fettle"), ("/etc/shop.key", "shop")]:
            self.machine.write(path, key + "\n")
            self.machine.run("install", "-o", "root", "-g", owner, "-m", "640", path, path + ".new")
            self.machine.run("mv", path + ".new", path)
        options = {"order": " --peer=inventory=127.0.0.1:%d" % PORTS["inventory"],
                   "hooks": " --file=/run/hooks/deliveries.jsonl --secret-file=/etc/shop.key"}
        for name in PORTS:
            if name == "front":
                continue
            shell, end = ("/bin/sh -c '", "'") if name in SHELL else ("", "")
            self.machine.write(f"/etc/systemd/system/{name}.service", UNIT.format(
                name=name, role=ROLES.get(name, name), port=PORTS[name], options=options.get(name, ""), before=BEFORE.get(name, ""),
                shell=shell + SHELL.get(name, ""), end=end))
        self.set_up_nginx()
        units = [f"{name}.service" for name in PORTS if name != "front"]
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "enable", "--now", *units)

    def set_up_nginx(self):
        """As README.md says it: a folder that the agent may write into, with a file of servers that it owns."""
        self.machine.run("install", "-d", "-o", "fettle", "-g", "fettle", "/etc/nginx/fettle")
        self.machine.write("/etc/nginx/fettle/checkout.conf", "".join(
            f"server 127.0.0.1:{PORTS[name]};\n" for name in ["checkout-a", "checkout-b"]))
        self.machine.run("chown", "fettle:fettle", "/etc/nginx/fettle/checkout.conf")
        self.machine.write("/etc/nginx/conf.d/checkout.conf", NGINX.format(**PORTS))
        self.machine.file("/etc/nginx/sites-enabled/default").unlink(missing_ok=True)
        self.machine.run("systemctl", "restart", "nginx.service")

    def configure(self, *, stranger, drills=""):
        text = (CONFIG + (STRANGER if stranger else "") + RECEIVERS).format(**WORDS) + drills
        self.machine.write("/etc/fettle/fettle.yml", text)
        self.machine.run("fettle", "check", "config", "/etc/fettle/fettle.yml")

    def grant(self):
        """The polkit step of README.md."""
        rule = self.machine.run("fettle", "check", "config", "--print-polkit", "/etc/fettle/fettle.yml").stdout
        self.machine.write("/etc/polkit-1/rules.d/60-fettle.rules", rule)
        return rule

    # ---- breaking it

    def drop_in(self, unit, text):
        self.machine.write(f"/run/systemd/system/{unit}.d/bad.conf", "[Service]\n" + text)
        self.machine.run("systemctl", "daemon-reload")

    def mend(self, unit):
        shutil.rmtree(self.machine.file(f"/run/systemd/system/{unit}.d"))
        self.machine.run("systemctl", "daemon-reload")

    # ---- what the agent says

    def ready(self):
        return lib.get(f"{self.url}/-/ready")

    def services(self):
        return {s["name"]: s for s in lib.get_json(f"{self.url}/api/v1/services")["data"]["services"]}

    def recoveries(self, service, since=0.0):
        """Oldest first."""
        found = lib.get_json(f"{self.url}/api/v1/recoveries?service={service}")["data"]["recoveries"]
        return [r for r in reversed(found) if r["started"] is not None and seconds(r["started"]) >= since - 0.001]

    def actions(self, service, since=0.0):
        return [(a["action"], a["result"]) for r in self.recoveries(service, since) for a in r["actions"]]

    def log(self, since):
        text = self.machine.run("journalctl", "--unit=fettle.service", "--output=cat", f"--since=@{since:.3f}").stdout
        return [entry for entry in entries(text) if seconds(entry["ts"]) >= since - 0.001]

    def deliveries(self, service):
        """Signed webhooks that told of the service."""
        path = self.machine.file("/run/hooks/deliveries.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        return [d for d in map(json.loads, lines) if d["verified"] and service in json.dumps(d["payload"])]

    def starts(self, unit, since):
        """How often systemd started it."""
        text = self.machine.run("journalctl", "_PID=1", f"--since=@{since:.3f}", "--output=json", f"UNIT={unit}").stdout
        return sum(1 for line in text.splitlines() if json.loads(line).get("JOB_TYPE") in ("start", "restart")
                   and json.loads(line)["MESSAGE"].startswith("Starting"))

    def servers(self):
        """The addresses behind nginx that answer, seen from its front."""
        seen = set()
        for _ in range(8):
            with lib.urllib.request.urlopen(f"http://127.0.0.1:{PORTS['front']}/healthz", timeout=5) as answer:
                seen.add(answer.headers["X-Served-By"])
        return seen

    # ---- waiting for it

    def health(self, service, want, limit=60):
        lib.wait_for(f"{service} to be {want}", lambda: self.services()[service]["health"] == want, limit)

    def recovery(self, service, since, state, limit=60):
        """A recovery of the service, started after `since`, once it is in that state."""
        def found():
            return next((r for r in self.recoveries(service, since) if r["state"] == state), None)
        return lib.wait_for(f"a recovery of {service} that is {state}", found, limit)

    def waits(self, service, reason, limit=60):
        """Until the plan of the service is held back, for this reason."""
        def found():
            return self.services()[service]["recovery"]["reason"] == reason
        lib.wait_for(f"{service}: {reason}", found, limit)


def seconds(time_text):
    """Since the epoch, of ISO 8601 in UTC with a fraction."""
    whole, _, fraction = time_text.rstrip("Z").partition(".")
    parts = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(parts) + float(f"0.{fraction or 0}")


def build_deb(build, folder):
    """The .deb of what lies in a build folder, made by cpack as for a release."""
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run([lib.need("cpack"), "-G", "DEB", "-B", str(folder), "--config", f"{build}/CPackConfig.cmake"],
                          cwd=build, capture_output=True, text=True)
    found = list(pathlib.Path(folder).glob("fettle_*.deb"))
    assert made.returncode == 0 and len(found) == 1, f"cpack made no package:\n{made.stdout}{made.stderr}"
    return found[0]
