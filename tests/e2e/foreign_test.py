#!/usr/bin/env python3
"""Bytes that others choose: services, plugins, targets and people that say what is no UTF-8, escape codes, NUL, overlong forms,
surrogates and a megabyte. Prometheus scrapes the page, promtool has nothing to say, and neither pages nor JSON nor logs nor
terminals carry one of these bytes."""
import json
import socket
import subprocess
import threading
import urllib.parse

import lib

promtool = lib.need("promtool")
prometheus = lib.need("prometheus")

HOSTILE = {
    "latin": b"caf\xe9",
    "escape": b"\x1b[2J\x1b]0;owned\x07",
    "c1": "\u009b2J".encode(),
    "nul": b"a\x00b",
    "overlong": b"\xc0\xaf\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "override": "\u202egnp.exe".encode(),
    "carriage": b"a\rb",
    "long": b"x" * (1 << 20) + b"\xff",
}

# What a peer sends for each hostile text: HTTP with it in reason, header and body, a banner, or an exposition.
CONFIG = """
global: {{interval: 500ms, timeout: 400ms, node: node1}}
heartbeat: {{socket: "{where}/beat.sock"}}
services:
"""
PROBES = """
  {name}:
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:{http}/", body_limit: 4000000, fail_if_body_not_matches_regexp: ["^nothing$"]}}
      - {{name: header, type: http, url: "http://127.0.0.1:{http}/", fail_if_header_not_matches: [{{header: X-Said, regexp: "^nothing$"}}]}}
      - {{name: tcp, type: tcp, host: 127.0.0.1, port: {banner}, query_response: [{{expect: "^banner (.*)", labels: [{{name: said, value: "$1"}}]}}]}}
      - {{name: mismatch, type: tcp, host: 127.0.0.1, port: {banner}, query_response: [{{expect: "^nothing"}}]}}
      - {{name: redis, type: redis, port: {redis}, password: x}}
      - {{name: smtp, type: smtp, port: {banner}}}
      - {{name: memcached, type: memcached, port: {banner}}}
      - {{name: mysql, type: mysql, port: {mysql}, username: u}}
      - {{name: json, type: json, url: "http://127.0.0.1:{json}/", json: [{{path: said, equals: nothing}}]}}
      - {{name: prometheus, type: prometheus, url: "http://127.0.0.1:{metrics}/", metrics: [".*"], body_limit: 4000000}}
      - {{name: exec, type: exec, command: [/bin/cat, "{where}/{name}.plugin"]}}
      - {{name: exec_fails, type: exec, command: [/bin/sh, -c, "cat {where}/{name}.plugin; cat {where}/{name}.plugin >&2; exit 2"]}}
      - {{name: file, type: file, path: "{where}/{name}.plugin", matches: "^nothing$"}}
      - {{name: beat, type: heartbeat, from: {name}, every: 1h}}
"""


def serve(reply):
    """A listener that answers each connection with reply(first bytes) and closes; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def answer(connection):
        with connection:
            connection.settimeout(2)
            try:
                connection.sendall(reply(connection))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def http(body, said=b"", reason=b"OK"):
    def reply(connection):
        connection.recv(65536)
        line = said.replace(b"\r", b"").replace(b"\x00", b"")[:2000]
        return b"HTTP/1.1 200 %s\r\nX-Said: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (line or reason, line, len(body), body)
    return serve(reply)


def banner(line):
    return serve(lambda connection: line)


def redis(text):
    return serve(lambda connection: (connection.recv(65536), b"-ERR " + text.replace(b"\r", b"")[:30000] + b"\r\n")[1])


def mysql(text):
    packet = b"\xff\x10\x04" + text[:30000]  # an error in place of the greeting
    return serve(lambda connection: len(packet).to_bytes(3, "little") + b"\x00" + packet)


def peers_of(said):
    metrics = b'app_info{said="%s"} 1\napp_twice{said="%s"} 1\nbad{bad:name="x"} 1\n' % (said.replace(b"\n", b""), said.replace(b"\n", b""))
    return {"http": http(said, said), "banner": banner(b"banner " + said + b"\r\n"), "redis": redis(said), "mysql": mysql(said),
            "json": http(b'{"said": "%s"}' % said), "metrics": http(metrics)}


def clean(what, page):
    """Fails if a page has a byte that no reader may meet."""
    text = page.decode("utf-8") if isinstance(page, bytes) else page
    bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7f <= ord(c) <= 0x9f or c in "\u202e\u2028\u2029"]
    assert not bad, (what, bad[:5], text[max(0, text.index(bad[0]) - 200):][:400])


def fetch(url):
    with lib.urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


with lib.folder() as where:
    config = CONFIG.format(where=where)
    for name, said in HOSTILE.items():
        (where / f"{name}.plugin").write_bytes(b"said " + said + b" | '" + said.replace(b"'", b"")[:3000] + b"'=1 two=2\nmore " + said)
        config += PROBES.format(name=name, where=where, **peers_of(said))
    targets = [{"targets": ["127.0.0.1:9"], "labels": {"said": "\x1b[2J\u202e", "long": "x" * 100_000}}]
    (where / "targets.json").write_text(json.dumps(targets))
    config += """
  listed:
    file_sd_configs: [{files: [targets.json], probe: {type: tcp}}]
"""
    agent = lib.Agent(where, config, "--log.level=debug")
    prom_port = lib.free_ports(1)[0]
    (where / "prometheus.yml").write_text(f"""
scrape_configs: [{{job_name: fettle, scrape_interval: 1s, static_configs: [{{targets: ["127.0.0.1:{agent.port}"]}}]}}]
""")
    with agent, lib.Process(where, "prometheus", [prometheus, f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/tsdb",
                                                  f"--web.listen-address=127.0.0.1:{prom_port}"]):
        beats = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for name, said in HOSTILE.items():
            beats.sendto(name.encode() + b" fail " + said[:2000], f"{where}/beat.sock")
        probes = len(HOSTILE) * 14
        lib.wait_for("each probe to run twice", lambda: len(agent.query("fettle_probe_runs_total >= 2")) >= probes, 60)

        # People's words, over the admin socket.
        comment = "by \x1b[2J\u202eme\nand you"
        for words in (["maintenance", "on", "latin"], ["silence", "add", "--duration=1h", "--author=a\x1bb", "service=latin"]):
            done = lib.fettle(*words, f"--admin.socket={agent.admin}", f"--comment={comment}")
            assert done.returncode == 0, done
            clean(words, done.stdout)
            done = lib.fettle(*words, f"--admin.socket={agent.admin}", "--comment=" + "x" * 20_000)
            assert done.returncode != 0 and "the comment has 20000 bytes; it may have 1024" in done.stderr, done
        # A request that the command line would not make.
        request = b"x" * 900_000
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(agent.admin))
            body = b"comment=" + request
            admin.sendall(b"POST /api/v1/maintenance/escape?on=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                          b"Content-Length: %d\r\n\r\n" % len(body))
            try:
                admin.sendall(body)
            except OSError:
                pass
            answer = admin.recv(65536)
        assert b" 4" in answer.split(b"\r\n")[0], answer[:200]
        fetch_refused = subprocess.run(["curl", "-s", f"{agent.url}/probe?target=%1b%5b2J%ff%00&module=a%1b", "-o", "-"], capture_output=True)
        clean("/probe", fetch_refused.stdout)

        page = fetch(agent.url + "/metrics")
        clean("/metrics", page)
        lint = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
        assert lint.returncode != 1 and b"error while linting" not in lint.stderr, lint.stderr[-2000:]
        own = lib.fettle("check", "metrics", input=page.decode())
        assert own.returncode == 0, own
        assert max(len(line) for line in page.splitlines()) < 3 * 4096, "a label that is too long"
        for path in ("/", "/api/v1/services", "/api/v1/status/config", "/api/v1/silences", "/api/v1/incidents", "/api/v1/alerts", "/explain/escape", "/services/escape", "/incidents", "/api/v1/services/escape", "/api/v1/explain/escape",
                     "/explain/override", "/api/v1/query?query=" + urllib.parse.quote('{__name__=~".+",service!=""}')):
            clean(path, fetch(agent.url + path))
        assert '"comment"' in lib.get(agent.url + "/api/v1/silences")

        left_out = {r["metric"]["service"] for r in agent.query('fettle_probe_samples_left_out_total{probe="prometheus"} > 0')}
        assert left_out == set(HOSTILE) - {"nul", "long"} or left_out >= {"latin", "escape"}, left_out
        said = {r["metric"]["service"]: r["metric"]["said"] for r in agent.query('probe_expect_info')}
        assert said["latin"] == "caf\ufffd" and said["surrogate"] == "\ufffd" * 3, said
        assert said["escape"] == "\\x1b[2J\\x1b]0;owned\\x07", said
        info = {r["metric"]["service"]: r["metric"]["said"] for r in agent.query("app_info")}
        assert info["latin"] == "caf\ufffd" and len(info["long"].encode()) <= 4096 if "long" in info else True, info

        up = lib.wait_for("two scrapes by Prometheus", lambda: lib.get_json(f"http://127.0.0.1:{prom_port}/api/v1/query?query=count_over_time(up[1m])>1")["data"]["result"])
        state = lib.get_json(f"http://127.0.0.1:{prom_port}/api/v1/targets")["data"]["activeTargets"][0]
        assert state["health"] == "up" and not state["lastError"], state
        scraped = lib.get_json(f"http://127.0.0.1:{prom_port}/api/v1/query?query=probe_expect_info")["data"]["result"]
        assert {"caf\ufffd"} <= {r["metric"]["said"] for r in scraped}, scraped

        for command in (["status"], ["alerts"], ["explain", "escape"], ["explain", "override"], ["query", '{__name__=~"probe_.+"}']):
            done = subprocess.run([lib.FETTLE, *command, f"--url={agent.url}"], capture_output=True)
            clean(command, done.stdout + done.stderr)
        for name in HOSTILE:
            for probe in ("http", "header", "tcp", "mismatch", "redis", "smtp", "mysql", "json", "prometheus", "exec", "exec_fails", "file"):
                if name in ("escape", "latin", "override", "nul"):
                    done = subprocess.run([lib.FETTLE, "probe", f"{name}/{probe}", f"--config.file={agent.config}"], capture_output=True)
                    clean((name, probe), done.stdout + done.stderr)
                    assert done.returncode in (0, 2), (name, probe, done)
    for line in (where / "agent.log").read_bytes().splitlines():
        clean("log", line)
        assert len(line) < 48 * 1024, line[:200]
print("no byte of theirs is one of ours")
