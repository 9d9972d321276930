#!/usr/bin/env python3
"""Marked secrets in what sources of targets, stores, backup tools, drills, actions and receivers of all kinds are told, with proxies
between, and peers and tools that repeat whatever they are told: no page, no answer of the API, no metric, no live update, no line of the
log, no record of an incident or of the audit trail and no output of a command has one of them."""
import sqlite3
import threading

import lib
from echo_peers import PATHS, Echo, Leaks, Server, events_of, paths_of

HTTP = """proxy_url: "http://bob:SEKRET{n}1@127.0.0.1:{web}", authorization: {{credentials: SEKRET{n}2}}, proxy_connect_header: {{X-Proxy: [SEKRET{n}3]}}"""
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: node1}}
rule_files: [rules.yml]
services:
  backup:
    objectives: {{rpo: 1h, rto: 1h}}
    probes:
      - {{name: shell, type: exec, command: [/bin/sh, -c, "echo mysql -pSEKRET117 -H 'X-Auth-Token: SEKRET118'; env; exit 2"], environment: {{MYSQL_PWD: SEKRET119}}}}
      - {{name: restic, type: restic, program: "{where}/tool", repository: "rest:http://bob:SEKRET101@127.0.0.1:{web}/r?key=SEKRET102", environment: {{AWS_SECRET_ACCESS_KEY: SEKRET103, RESTIC_PASSWORD: SEKRET104}}}}
      - {{name: restic_s3, type: restic, program: "{where}/tool", repository: "s3:https://host/bucket?X-Amz-Signature=SEKRET105", password_file: "{where}/restic.password"}}
      - {{name: borg, type: borg, program: "{where}/tool", repository: "ssh://bob:SEKRET107@127.0.0.1/./repo", passphrase_file: "{where}/borg.passphrase", environment: {{BORG_RSH: "ssh -o SEKRET109"}}}}
      - {{name: pgbackrest, type: pgbackrest, program: "{where}/tool", stanza: shop, environment: {{PGBACKREST_REPO1_S3_KEY: SEKRET110}}}}
      - {{name: container, type: container, container: order, socket: "{where}/engine.sock"}}
      - {{name: consul, type: consul, server: "127.0.0.1:{web}", {http2}}}
    recovery:
      when: {{alert: BackupDown}}
      mode: enforce
      guards: {{agent_uptime: 0s, cooldown: 0s, min_uptime: 0s}}
      budget: {{attempts: 1, within: 24h}}
      steps:
        - {{do: {{marathon: {{url: "http://bob:SEKRET111@127.0.0.1:{web}/", restart: /shop/order, {http3}}}}}, timeout: 5s}}
        - {{do: {{kubernetes: {{cordon: n1, api_server: "http://127.0.0.1:{web}", {http4}}}}}, timeout: 5s}}
        - {{do: {{docker: {{verb: restart, container: order, socket: "{where}/engine.sock"}}}}, timeout: 5s}}
        - {{do: {{command: {{argv: ["{where}/tool", --token=SEKRET112, -u, "bob:SEKRET113", "https://u:SEKRET114@h/", -H, "X-Api-Key: SEKRET116"], environment: {{KEY: SEKRET115}}}}}}, timeout: 5s}}
  found:
    healthy_when: any
    consul_sd_configs: [{{server: "127.0.0.1:{web}", services: [a], {http5}, probe: {{type: tcp}}}}]
    consul_kv_configs: [{{server: "127.0.0.1:{web}", prefix: a/, basic_auth: {{username: bob, password: SEKRET121}}, probe: {{type: http}}}}]
    etcd_kv_configs: [{{endpoints: ["http://127.0.0.1:{web}"], prefix: a/, probe: {{type: redis, password: SEKRET123}}}}]
    kubernetes_sd_configs: [{{role: pod, api_server: "http://127.0.0.1:{web}", authorization: {{credentials_file: "{where}/kubernetes.token"}}, probe: {{type: http, headers: {{X-Auth: SEKRET125}}}}}}]
    docker_sd_configs: [{{host: "http://127.0.0.1:{web}", basic_auth: {{username: bob, password: SEKRET126}}, probe: {{type: tcp}}}}]
    static_configs: [{{targets: ["127.0.0.1:{web}"], probe: {{type: http, fail_if_body_not_matches_regexp: [nothing], oauth2: {{client_id: a, client_secret_file: "{where}/oauth.secret", token_url: "http://bob:SEKRET129@127.0.0.1:{web}/refuse"}}}}}}]
drills:
  files:
    service: backup
    scratch: "{where}/scratch-files"
    restic: {{program: "{where}/tool", repository: "rest:http://bob:SEKRET131@127.0.0.1:{web}/", environment: {{RESTIC_PASSWORD: SEKRET132}}}}
  archive:
    service: backup
    scratch: "{where}/scratch-archive"
    borg: {{program: "{where}/tool", repository: "ssh://bob:SEKRET133@127.0.0.1/./repo", passphrase_file: "{where}/borg.passphrase"}}
  command:
    service: backup
    scratch: "{where}/scratch-command"
    command: {{argv: ["{where}/restore", --password, SEKRET134, "postgres://u:SEKRET135@h/d"], environment: {{PGPASSWORD: SEKRET136}}}}
    verify: {{postgres: {{dump: dump.sql, live: "host=127.0.0.1 port=1 password=SEKRET137 user=u", queries: ["SELECT 1"], newest: "SELECT now()"}}}}
  command_url:
    service: backup
    scratch: "{where}/scratch-url"
    command: {{argv: ["{where}/restore"]}}
    verify: {{postgres: {{dump: dump.sql, live: "postgresql://u:SEKRET139@127.0.0.1:1/d", queries: ["SELECT 1"]}}}}
receivers:
  - {{name: hook, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{web}/services/SEKRET141?t=SEKRET142", http_config: {{{http6}}}}}]}}
  - {{name: slack, tell: all, slack_configs: [{{api_url: "http://127.0.0.1:{web}/services/SEKRET144", text: "x"}}, {{api_url_file: "{where}/slack.url"}}]}}
  - {{name: pagerduty, tell: all, pagerduty_configs: [{{routing_key: SEKRET145, url: "http://127.0.0.1:{web}/refuse"}}]}}
  - {{name: telegram, tell: all, telegram_configs: [{{api_url: "http://127.0.0.1:{web}/refuse", bot_token: "123:SEKRET146", chat_id: 1}}]}}
  - {{name: teams, tell: all, msteams_configs: [{{webhook_url: "http://127.0.0.1:{web}/services/SEKRET147"}}], msteamsv2_configs: [{{webhook_url: "http://127.0.0.1:{web}/refuse?sig=SEKRET148"}}]}}
  - {{name: wechat, tell: all, wechat_configs: [{{api_url: "http://127.0.0.1:{web}/refuse/", corp_id: a, agent_id: "1", api_secret: SEKRET149, to_user: a}}]}}
  - {{name: robots, tell: all, wecom_robot_configs: [{{url: "http://127.0.0.1:{web}/refuse?key=SEKRET150"}}, {{url_file: "{where}/robot.url"}}], dingtalk_configs: [{{url: "http://127.0.0.1:{web}/refuse?access_token=SEKRET151", secret: SEKRET152}}], feishu_configs: [{{url: "http://127.0.0.1:{web}/services/SEKRET153", secret: SEKRET154}}]}}
  - {{name: mail, tell: all, email_configs: [{{to: a@b.example, from: c@d.example, smarthost: "127.0.0.1:{closed}", auth_username: bob, auth_password: SEKRET155, require_tls: false, headers: {{X-Api-Key: SEKRET156}}}}]}}
  - {{name: zabbix, tell: all, zabbix_configs: [{{server: "127.0.0.1:{closed}", tls_psk_identity: me, tls_psk_file: "{where}/psk"}}]}}
  - {{name: program, tell: all, exec_configs: [{{argv: ["{where}/tool", --password, SEKRET158], environment: {{KEY: SEKRET159}}}}]}}
  - {{name: am, alertmanager_configs: [{{urls: ["http://bob:SEKRET160@127.0.0.1:{web}/refuse"], http_config: {{{http7}}}}}]}}
"""
RULES = """
groups:
  - name: shop
    rules: [{alert: BackupDown, expr: 'fettle_service_up{service="backup"} == 0'}]
"""
SECRETS = {"restic.password": "SEKRET106", "borg.passphrase": "SEKRET108", "kubernetes.token": "SEKRET124", "oauth.secret": "SEKRET128", "psk": "53454b52455431353753454b52455431"}
TOOL = """#!/bin/sh
for file in $RESTIC_PASSWORD_FILE; do cat "$file"; done
echo "$0 $*"; env; [ -n "$BORG_PASSCOMMAND" ] && sh -c "$BORG_PASSCOMMAND"
echo "$0 $*" >&2; env >&2; [ -n "$RESTIC_PASSWORD_FILE" ] && cat "$RESTIC_PASSWORD_FILE" >&2
exit 1
"""
RESTORE = """#!/bin/sh
echo "SELECT '$* $PGPASSWORD';" >dump.sql
echo "$0 $* $PGPASSWORD" >&2
"""

RECEIVERS = ["hook", "slack", "pagerduty", "telegram", "teams", "wechat", "robots", "mail", "zabbix", "program", "am"]


def drills(agent):
    return lib.get_json(agent.url + "/api/v1/drills")["data"]["drills"]


web = Server(("127.0.0.1", 0), Echo)
threading.Thread(target=web.serve_forever, daemon=True).start()
leaks = Leaks()
look = leaks.look

with lib.folder() as where:
    for name, text in {"tool": TOOL, "restore": RESTORE}.items():
        (where / name).write_text(text)
        (where / name).chmod(0o755)
    (where / "rules.yml").write_text(RULES)
    for name, secret in SECRETS.items():
        (where / name).write_text(secret + "\n")
    for name, path in {"slack.url": "services/SEKRET143", "robot.url": "refuse?key=SEKRET161"}.items():
        (where / name).write_text(f"http://127.0.0.1:{web.server_port}/{path}\n")
    closed = lib.free_ports(1)[0]
    http = {f"http{n}": HTTP.format(n=n, web=web.server_port) for n in range(2, 8)}
    config = CONFIG.format(where=where, web=web.server_port, closed=closed, **http)
    check = where / "fettle.yml"
    check.write_text(config)
    done = lib.fettle("check", "config", check)
    look("check config", done.stdout + done.stderr)
    assert done.returncode == 0, done
    with lib.Agent(where, config, "--log.level=debug") as agent:
        lib.wait_for("each probe to run twice", lambda: len(agent.query('fettle_probe_runs_total{service="backup"} >= 2')) >= 7, 60)
        lib.wait_for("the plan to give up", lambda: agent.logged("recovery exhausted"), 60)
        lib.wait_for("the sources to fail", lambda: len(agent.query("fettle_sd_last_refresh_successful == 0")) >= 2, 60,
                     lambda: agent.query("fettle_sd_last_refresh_successful"))
        lib.wait_for("the end of all drills", lambda: [bool(d.get("ended")) for d in drills(agent)] == [True] * 4, 60, lambda: drills(agent))
        done = lib.fettle("drill", "run", "files", f"--admin.socket={agent.admin}")
        assert done.returncode == 0, done
        look("drill run", done.stdout + done.stderr)
        lib.wait_for("each receiver to be missed", lambda: len(agent.logged("notifications do not get through; they are kept and tried again")) >= len(RECEIVERS), 60)
        for path in [*PATHS, *paths_of("backup"), *paths_of("found")]:
            leaks.look_at(agent, path)
        incidents = lib.get_json(agent.url + "/api/v1/incidents")["data"]["incidents"]
        assert incidents
        for incident in incidents:
            leaks.look_at(agent, "/incidents/" + incident["id"])
            leaks.look_at(agent, "/api/v1/incidents/" + incident["id"])
        look("/api/v1/events", events_of(agent))
        for command in (["status"], ["alerts"], ["fleet"], ["explain", "backup"], ["incidents"], ["incident", incidents[0]["id"]], ["recoveries"],
                        ["drills"], ["dr"], ["audit-log"], ["status", "-o", "json"]):
            done = lib.fettle(*command, f"--url={agent.url}")
            look(command, done.stdout + done.stderr)
        for probe in agent.service("backup")["probes"]:
            done = lib.fettle("probe", f"backup/{probe['name']}", f"--config.file={agent.config}")
            look(f"fettle probe backup/{probe['name']}", done.stdout + done.stderr)
        for name in RECEIVERS:
            done = lib.fettle("notify", "test", name, f"--config.file={agent.config}")
            assert done.returncode != 0 and "not taken" in done.stdout, done
            look(f"fettle notify test {name}", done.stdout + done.stderr)
    look("the log", (where / "agent.log").read_bytes())
    # What is kept of drills, incidents and the audit trail is shown by the next agent, and by copies of the file. What waits for a
    # receiver is what it is told.
    state = sqlite3.connect(f"file:{where}/fettle.db?mode=ro", uri=True)
    for table, in state.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in state.execute(f'SELECT * FROM "{table}"'):
            if not any("queue/" in str(cell) for cell in row):
                look(f"the state's table {table}", " ".join(str(cell) for cell in row))
    state.close()
leaks.judge()
