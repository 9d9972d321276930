#!/usr/bin/env python3
"""Marked secrets in every place of a configuration that may hold one, and peers that repeat whatever they are told: no page, no
answer of the API, no metric, no line of the log and no output of a command has one of them."""
import json
import socket
import subprocess
import threading

import lib
from echo_peers import PATHS, Echo, Leaks, Server, answer_datagrams, echo, events_of, paths_of, redis, serve

CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: node1}}
rule_files: [rules.yml]
blackbox: {{config_file: modules.yml, targets: ["*"]}}
fleet: {{consul: {{server: "127.0.0.1:{web}", authorization: {{credentials: SEKRET46}}}}}}
services:
  echo:
    probes:
      - {{name: url, type: http, url: "http://bob:SEKRET1@127.0.0.1:{web}/?token=SEKRET2&sig=SEKRET3", fail_if_body_not_matches_regexp: ["^nothing$"]}}
      - {{name: login, type: http, url: "http://127.0.0.1:{web}/", basic_auth: {{username: bob, password: SEKRET4}}, json: [{{path: authorization, equals: nothing}}]}}
      - {{name: bearer, type: json, url: "http://127.0.0.1:{web}/", authorization: {{credentials_file: "{where}/token"}}, json: [{{path: authorization, equals: nothing}}]}}
      - {{name: headers, type: json, url: "http://127.0.0.1:{web}/", headers: {{X-Auth: SEKRET6, X-Key: SEKRET7}}, json: [{{path: all, equals: nothing}}]}}
      - {{name: body, type: http, url: "http://127.0.0.1:{web}/", method: POST, body: '{{"password":"SEKRET8"}}', json: [{{path: body, equals: nothing}}]}}
      - {{name: reason, type: http, url: "http://127.0.0.1:{web}/refuse?key=SEKRET9"}}
      - {{name: oauth2, type: http, url: "http://127.0.0.1:{web}/", oauth2: {{client_id: a, client_secret: SEKRET10, token_url: "http://127.0.0.1:{web}/refuse", endpoint_params: {{assertion: SEKRET11}}}}}}
      - {{name: scraped, type: prometheus, url: "http://127.0.0.1:{web}/metrics", metrics: [".*"], headers: {{X-Auth: SEKRET12}}}}
      - {{name: redis, type: redis, port: {redis}, password: SEKRET13}}
      - {{name: redis_file, type: redis, port: {redis}, password_file: "{where}/password"}}
      - {{name: tcp, type: tcp, host: 127.0.0.1, port: {echo}, query_response: [{{send: "AUTH SEKRET15"}}, {{expect: "^nothing"}}]}}
      - {{name: labels, type: tcp, host: 127.0.0.1, port: {echo}, query_response: [{{send: "LOGIN bob SEKRET16"}}, {{expect: "^(.*)$", labels: [{{name: said, value: "$1"}}]}}]}}
      - {{name: cut, type: tcp, host: 127.0.0.1, port: {echo}, query_response: [{{send: "{long} AUTH SEKRET47{long}"}}, {{expect: "^nothing"}}]}}
      - {{name: udp, type: udp, host: 127.0.0.1, port: {udp}, send: "AUTH SEKRET17", expect: "^nothing"}}
      - {{name: unix, type: unix, path: "{where}/echo.sock", query_response: [{{send: "PASS SEKRET18"}}, {{expect: "^nothing"}}]}}
      - {{name: exec, type: exec, command: [/bin/sh, -c, 'echo "$0 $* $MYSQL_PWD"; exit 2', check, --password, SEKRET20, --token=SEKRET21], environment: {{MYSQL_PWD: SEKRET22}}}}
      - {{name: exec_input, type: exec, command: [/bin/sh, -c, "cat; exit 2"], input: "SEKRET23"}}
      - name: journey
        type: journey
        base_url: "http://bob:SEKRET24@127.0.0.1:{web}"
        variables: {{pin: SEKRET25}}
        variable_files: {{key: "{where}/variable"}}
        steps:
          - {{name: first, request: {{method: POST, url: "/?pin=${{pin}}", json: {{pin: "${{pin}}", key: "${{key}}"}}}}, expect: {{json: [{{path: body, equals: nothing}}]}}}}
      - {{name: refused, type: http, url: "http://bob:SEKRET27@127.0.0.1:{closed}/?auth=SEKRET28"}}
    recovery:
      when: {{alert: EchoDown}}
      mode: enforce
      guards: {{agent_uptime: 0s, cooldown: 0s, min_uptime: 0s}}
      steps:
        - do: {{command: {{argv: ["{where}/hook", --password, SEKRET29], environment: {{HOOK_KEY: SEKRET30}}}}}}
  listed:
    fleet: {{group: shop}}
    file_sd_configs: [{{files: [targets.json], probe: {{type: http, basic_auth: {{username: u, password: SEKRET31}}}}}}]
receivers:
  - {{name: hook, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{web}/services/SEKRET34", secret: SEKRET35, headers: {{X-Any: SEKRET36}}}}]}}
  - {{name: am, alertmanager_configs: [{{urls: ["http://bob:SEKRET37@127.0.0.1:{web}/refuse"]}}]}}
  - {{name: away, alertmanager_configs: [{{urls: ["http://bob:SEKRET38@127.0.0.1:{closed}"]}}]}}
"""
MODULES = """
modules:
  echo:
    prober: http
    http: {{headers: {{X-Auth: SEKRET39}}, basic_auth: {{username: bob, password: SEKRET40}}, body: SEKRET41, fail_if_body_not_matches_regexp: ["^nothing$"]}}
  dialogue:
    prober: tcp
    tcp: {{query_response: [{{send: "AUTH SEKRET42"}}, {{expect: "^(.*)$", labels: [{{name: said, value: "$1"}}]}}]}}
"""
RULES = """
groups:
  - name: shop
    rules: [{alert: EchoDown, expr: 'fettle_service_up{service="echo"} == 0'}]
"""
SECRETS = {"token": "SEKRET5", "password": "SEKRET14", "variable": "SEKRET26"}
TARGETS = [{"targets": ["http://127.0.0.1:%d/?token=SEKRET33"], "labels": {"team": "a"}}]


web = Server(("127.0.0.1", 0), Echo)
threading.Thread(target=web.serve_forever, daemon=True).start()
echo_port = serve(socket.create_server(("127.0.0.1", 0), backlog=128), echo)[1]
redis_port = serve(socket.create_server(("127.0.0.1", 0), backlog=128), redis)[1]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
threading.Thread(target=answer_datagrams, args=(udp,), daemon=True).start()
leaks = Leaks()
look = leaks.look

with lib.folder() as where:
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(where / "echo.sock"))
    unix.listen(128)
    serve(unix, echo)
    (where / "hook").write_text("#!/bin/sh\necho \"$0 $* $HOOK_KEY\"\necho \"$0 $* $HOOK_KEY\" >&2\nexit 1\n")
    (where / "hook").chmod(0o755)
    (where / "rules.yml").write_text(RULES)
    (where / "modules.yml").write_text(MODULES.format())
    (where / "targets.json").write_text(json.dumps(TARGETS) % web.server_port)
    for name, secret in SECRETS.items():
        (where / name).write_text(secret + "\n")
    closed = lib.free_ports(1)[0]
    config = CONFIG.format(where=where, web=web.server_port, echo=echo_port, redis=redis_port, udp=udp.getsockname()[1], closed=closed, long="x" * 60)
    check = where / "fettle.yml"
    check.write_text(config)
    done = lib.fettle("check", "config", check)
    assert done.returncode == 0, done
    look("check config", done.stdout + done.stderr)
    # Mistakes beside secrets, and in their place.
    for old, new in (("password: SEKRET4}}".replace("}}", "}"), "password: [SEKRET4]}"), ("X-Auth: SEKRET6", "X-Auth: {a: SEKRET6}"),
                     ("urls: [\"http://bob:SEKRET37", "urls: [\"ftp://bob:SEKRET37"), ("basic_auth: {username: bob, password: SEKRET4}", "basic_auth: SEKRET4")):
        assert old in config, old
        check.write_text(config.replace(old, new))
        done = lib.fettle("check", "config", check)
        assert done.returncode != 0, (new, done)
        look(f"check config with {new}", done.stdout + done.stderr)

    with lib.Agent(where, config, "--log.level=debug") as agent:
        probes = 19 + 1
        lib.wait_for("each probe to run twice", lambda: len(agent.query("fettle_probe_runs_total >= 2")) >= probes, 60)
        lib.wait_for("the hook's end", lambda: agent.logged("recovery action did not work"), 60)
        lib.wait_for("each receiver to be missed", lambda: len(agent.logged("notifications do not get through; they are kept and tried again")) >= 3, 60)
        paths = [*PATHS, *paths_of("echo"), *paths_of("listed")]
        for module in ("echo", "dialogue", "http_2xx"):
            target = f"bob:SEKRET43@127.0.0.1:{web.server_port}" if module == "echo" else f"127.0.0.1:{echo_port}"
            paths += [f"/probe?module={module}&target={target}&debug=true", f"/probe?module={module}&target={target}"]
        pages = {path: leaks.look_at(agent, path) for path in paths}
        said = events_of(agent)
        look("/api/v1/events", said)
        assert b"echo" in said, said[:300]

        # What is hidden is hidden, and the rest is there.
        shown = pages["/api/v1/status/config"]
        for word in ("bob", "127.0.0.1", "query_response", "fail_if_body_not_matches_regexp", "X-Auth", "MYSQL_PWD", "<secret>".replace("<", "\\u003c").replace(">", "\\u003e")):
            assert word in shown, (word, shown)
        texts = {p["name"]: p["text"] for p in agent.service("echo")["probes"]}
        assert "<secret>" in texts["redis"] and "<secret>" in texts["redis_file"], texts
        assert "<secret>" in texts["exec"], texts["exec"]
        assert "<secret>…" in texts["cut"], texts["cut"]
        fleet = json.loads(pages["/api/v1/fleet"])["data"]
        assert "it answered 403" in fleet["trouble"] and "<secret>" in fleet["trouble"], fleet

        for command in (["status"], ["alerts"], ["fleet"], ["explain", "echo"], ["query", '{__name__=~".+"}'], ["status", "-o", "json"]):
            done = lib.fettle(*command, f"--url={agent.url}")
            look(command, done.stdout + done.stderr)
        done = lib.fettle("status", f"--url=http://bob:SEKRET44@127.0.0.1:{closed}")
        assert done.returncode != 0 and "no answer from" in done.stderr, done
        look("a client that gets no answer", done.stdout + done.stderr)
        for name in texts:
            done = lib.fettle("probe", f"echo/{name}", f"--config.file={agent.config}")
            look(f"fettle probe echo/{name}", done.stdout + done.stderr)
        done = lib.fettle("probe", "redis", f"127.0.0.1:{redis_port}", "password=SEKRET45")
        look("fettle probe redis", done.stdout + done.stderr)
        for words in (["recover", "echo"], ["maintenance", "on", "echo"], ["ack", "echo"], ["silence", "list"]):
            done = subprocess.run([lib.FETTLE, *words, f"--admin.socket={agent.admin}"], capture_output=True)
            look(words, done.stdout + done.stderr)
        (where / "targets.json").write_text(json.dumps([{"targets": ["bob:SEKRET32@127.0.0.1:1"]}]))
        lib.wait_for("a target with a password to be refused", lambda: agent.logged("a target is not probed"))
        agent.config.write_text(config.replace("password: SEKRET4}", "password: [SEKRET4]}"))
        look("a reload that is refused", lib.fettle("reload", f"--admin.socket={agent.admin}").stderr)
    look("the log", (where / "agent.log").read_bytes())
leaks.judge()
