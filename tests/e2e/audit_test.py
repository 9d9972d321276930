#!/usr/bin/env python3
"""fettle audit beside real programs: nginx that sends to a service with a pool of connections to a real Redis, a process of the
demo shop, a client. A configuration with planted gaps, what init writes of the same node, and one
that has everything; as root and as a user who sees less.

It runs in a network of its own, so that nothing else listens there. Skipped where none is to be had; the reason is printed.
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys

import lib

OWN = "FETTLE_TEST_OWN_NETWORK"
NGINX_PORT, ORDER_PORT, METRICS_PORT, PAYMENT_PORT, REDIS_PORT = 8080, 8081, 9100, 8082, 6379
NGINX = """
pid {where}/nginx.pid;
{user}worker_processes 2;
events {{}}
http {{
  access_log off;
  client_body_temp_path {where}/body; proxy_temp_path {where}/proxy;
  fastcgi_temp_path {where}/fastcgi; uwsgi_temp_path {where}/uwsgi; scgi_temp_path {where}/scgi;
  upstream order {{ server 127.0.0.1:8081; keepalive 4; keepalive_timeout 1h; }}
  server {{
    listen 127.0.0.1:8080;
    location / {{ proxy_pass http://order; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
# A server with a pool of connections, as applications have them; a page of metrics on a port of its own.
ORDER = """
import http.server, socket, sys, threading
pool = [socket.create_connection(("127.0.0.1", int(port))) for port in sys.argv[2:]]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
metrics = http.server.ThreadingHTTPServer(("127.0.0.1", 9100), Handler)
threading.Thread(target=metrics.serve_forever, daemon=True).start()
debug = socket.create_server(("127.0.0.1", 0))
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WHOLE = """
rule_files: [{rules}/services.yml, {rules}/agent.yml]
services:
  nginx:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:8080/"}}]
    recovery: &plan {{when: {{alert: ServiceDown}}, steps: [{{do: {{command: {{argv: [/bin/true]}}}}}}]}}
  order:
    depends_on: [redis]
    probes:
      - {{name: http, type: http, url: "http://localhost:8081/"}}
      - {{name: metrics, type: tcp, host: 127.0.0.1, port: 9100}}
    traffic: {{file: {{path: {where}/order.down}}}}
    recovery: *plan
  payment:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:8082/healthz"}}]
    recovery: *plan
  redis:
    probes: [{{name: redis, type: redis, host: 127.0.0.1, port: 6379}}]
    recovery: *plan
route:
  receiver: ops
  routes: [{{receiver: ops, matchers: ['severity="critical"']}}]
receivers:
  - {{name: ops, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}
  - {{name: void}}
"""
# Gap and path of what each change plants, with words of its line.
PLANTED = [
    ("no-dependency", "services.order.depends_on", "order is connected to redis on port 6379", "    depends_on: [redis]\n", ""),
    ("no-probe", "services.order.probes", "listens on 127.0.0.1:9100 too", "      - {{name: metrics, type: tcp, host: 127.0.0.1, port: 9100}}\n", ""),
    ("no-drain", "services.order.traffic", "nginx sends requests to order", "    traffic: {{file: {{path: {where}/order.down}}}}\n", ""),
    ("no-plan", "services.payment.recovery", "payment is watched, and nothing mends it", "8082/healthz\"}}]\n    recovery: *plan\n", "8082/healthz\"}}]\n"),
    ("no-receiver", "route", "ServiceSlow", "  receiver: ops\n  routes", "  receiver: void\n  routes"),
    ("unreachable", "receivers[2]", "old hears of no alert", "  - {{name: void}}\n", "  - {{name: void}}\n  - {{name: old, webhook_configs: [{{url: \"http://127.0.0.1:1/\"}}]}}\n"),
]
SERVICE_OF_REDIS = "  redis:\n    probes: [{{name: redis, type: redis, host: 127.0.0.1, port: 6379}}]\n    recovery: *plan\n"


def audit(*words, code=None, **options):
    """What `fettle audit` finds; both forms say the same."""
    done = lib.fettle("audit", *words, "-o", "json", **options)
    found = json.loads(done.stdout)
    assert done.stderr == "" and not found["mistakes"], (done.stderr, found)
    assert done.returncode == (1 if found["findings"] else 0) and found["ok"] == (not found["findings"]), found
    return found


def planted_gaps(where):
    """Each planted gap is found, with its place, and none is invented."""
    text, wanted = WHOLE, set()
    for gap, path, _, old, new in PLANTED:
        assert old in text, old
        text = text.replace(old, new)
        wanted.add((gap, path))
    file = where / "gaps.yml"
    file.write_text(text.format(where=where, rules=lib.TOP / "rules"))
    found = audit(f"--config.file={file}")["findings"]
    # Two severities of the alerts that the root loses: each has its line.
    assert {(f["gap"], f["path"]) for f in found} == wanted, found
    for gap, path, words, _, _ in PLANTED:
        lines = [f for f in found if (f["gap"], f["path"]) == (gap, path)]
        assert any(words in f["what"] + f["fix"] for f in lines), (words, lines)
        assert all(f["file"] == str(file) and f["line"] > 0 and f["fix"] for f in lines), lines
    order = [("critical", "warning", "info").index(f["severity"]) for f in found]
    assert order == sorted(order), found
    done = lib.fettle("audit", f"--config.file={file}")
    assert done.returncode == 1 and len(done.stdout.splitlines()) == len(found) + 1, done.stdout
    assert f"{file}:" in done.stdout and "; fix: depends_on: [redis] [no-dependency]" in done.stdout, done.stdout
    kept = audit(f"--config.file={file}", "--skip", "no-plan", "--skip", "no-receiver")["findings"]
    assert {f["gap"] for f in kept} == {gap for gap, _ in wanted} - {"no-plan", "no-receiver"}, kept
    print(f"{len(found)} findings for {len(PLANTED)} planted gaps")


def redis_unwatched(where):
    file = where / "unwatched.yml"
    file.write_text(WHOLE.replace(SERVICE_OF_REDIS, "").replace("    depends_on: [redis]\n", "").format(where=where, rules=lib.TOP / "rules"))
    found = audit(f"--config.file={file}")["findings"]
    assert [(f["gap"], f["severity"]) for f in found] == [("no-service", "critical")], found
    assert "redis-server listens on 127.0.0.1:6379, order is connected to it" in found[0]["what"], found
    assert found[0]["fix"] == "redis-server: {probes: [{name: redis, type: redis, host: 127.0.0.1, port: 6379}]}", found
    # The fix is what the configuration takes: with it, and a plan, only the dependency is missing.
    fixed = "  " + found[0]["fix"][:-1] + ", recovery: *plan}\n"
    file.write_text(file.read_text().replace("route:\n", fixed + "route:\n", 1))
    assert [(f["gap"], f["path"]) for f in audit(f"--config.file={file}")["findings"]] == [("no-dependency", "services.order.depends_on")]


def of_init(where):
    """Of init's own file: whom to tell, and what it cannot know of servers without a unit and of nginx' upstreams."""
    file = where / "first.yml"
    assert lib.fettle("init", file).returncode == 0
    text = file.read_text().replace("/etc/fettle/rules/*.yml", f"{lib.TOP}/rules/services.yml")
    file.write_text(text)
    found = audit(f"--config.file={file}")["findings"]
    assert {f["gap"] for f in found} <= {"no-receiver", "no-plan", "no-drain"}, found
    assert [f["path"] for f in found if f["gap"] == "no-receiver"] == ["receivers"], found
    assert "depends_on: [" in text, text


def as_another_user(where, file):
    """Another user sees no processes of others here: it says so, ends as it should, and needs no agent."""
    if os.geteuid() != 0:
        return print("not shown: to be another user needs root")
    where.chmod(0o755)
    program = shutil.copy(lib.FETTLE, where / "fettle")
    done = subprocess.run([program, "audit", f"--config.file={file}"], capture_output=True, text=True, user=65534, group=65534, extra_groups=[], cwd="/")
    assert done.returncode in (0, 1), done
    assert "processes belong to other users" in done.stderr and "root sees them all" in done.stderr, done.stderr
    assert "no-service" not in done.stdout, done.stdout  # every port has a probe, whosever it is


def bad_lines(where):
    wrong = where / "wrong.yml"
    wrong.write_text("services: {order: {probe: []}}\n")
    done = lib.fettle("audit", f"--config.file={wrong}")
    assert done.returncode == 1 and f"{wrong}:1:" in done.stderr and done.stdout == "", done
    assert not json.loads(lib.fettle("audit", f"--config.file={wrong}", "-o", "json").stdout)["ok"]
    assert lib.fettle("audit", "--skip", "no-such-gap").returncode == 2
    assert lib.fettle("audit", "what").returncode == 2


@contextlib.contextmanager
def node(where):
    """The programs, until the connections that the test is about stand."""
    user = "user root;\n" if os.geteuid() == 0 else ""
    (where / "nginx.conf").write_text(NGINX.format(where=where, user=user))
    (where / "order.py").write_text(ORDER)
    with contextlib.ExitStack() as stack:
        stack.enter_context(lib.Process(where, "redis", [lib.need("redis-server"), "--port", REDIS_PORT, "--bind", "127.0.0.1", "--save", "", "--dir", where]))
        lib.wait_for("Redis", lambda: socket.create_connection(("127.0.0.1", REDIS_PORT)).close() or True)
        shop = lib.Process(where, "payment", [lib.SHOP, "payment", f"--listen=127.0.0.1:{PAYMENT_PORT}", f"--run={where}"])
        stack.enter_context(shop)
        stack.enter_context(lib.Process(where, "order", [sys.executable, where / "order.py", ORDER_PORT, REDIS_PORT]))
        stack.enter_context(lib.Process(where, "nginx", [lib.need("nginx"), "-p", where, "-c", where / "nginx.conf", "-e", where / "error.log", "-g", "daemon off;"]))
        lib.wait_for("payment", lambda: lib.get(f"http://127.0.0.1:{PAYMENT_PORT}/healthz"))
        # Through nginx, which keeps its connection to order.
        lib.wait_for("nginx and order", lambda: lib.urllib.request.urlopen(f"http://127.0.0.1:{NGINX_PORT}/", timeout=5).status == 200)
        stack.enter_context(socket.create_connection(("127.0.0.1", REDIS_PORT)))  # a client, which is no service
        yield


def main():
    lib.need("nginx", "redis-server", "ip", "unshare")
    if OWN not in os.environ:
        if subprocess.run([lib.need("unshare"), "--net", "true"], capture_output=True, check=False).returncode != 0:
            print("skipped: no network of its own can be made here")
            sys.exit(lib.SKIPPED)
        sys.exit(subprocess.run([lib.need("unshare"), "--net", "--", sys.executable, __file__], env={**os.environ, OWN: "1"}, check=False).returncode)
    subprocess.run([lib.need("ip"), "link", "set", "lo", "up"], check=True)
    with lib.folder() as where, node(where):
        whole = where / "whole.yml"
        whole.write_text(WHOLE.format(where=where, rules=lib.TOP / "rules"))
        assert audit(f"--config.file={whole}")["findings"] == []
        assert "no gap was found" in lib.fettle("audit", f"--config.file={whole}").stdout
        planted_gaps(where)
        redis_unwatched(where)
        of_init(where)
        as_another_user(where, whole)
        bad_lines(where)
    print("what nothing watches, mends or tells is found beside real programs, and nothing else")


main()
