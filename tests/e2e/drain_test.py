#!/usr/bin/env python3
"""A backend is restarted by a plan under load, behind a real nginx and a real HAProxy: with drain no request fails, a
POST neither; without, in the same run, they do. Then the agent is killed while drained, and the next one undrains.

One JSON line for each restart. `--seconds N` is the load of each (the bench is this test with more of it).
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import lib

BACKEND = pathlib.Path(__file__).resolve().parent / "drain_backend.py"
# Every other request is a POST: no load balancer may send one of those a second time.
LOAD = """
local n = 0
request = function()
  n = n + 1
  if n % 2 == 0 then return wrk.format("GET", "/order") end
  return wrk.format("POST", "/order", nil, "item=1")
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON {"requests":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
    summary.requests, e.connect, e.read, e.write, e.status, e.timeout))
end
"""
# Without keep-alive towards the client: a reload of nginx closes idle connections, and a client that was about to use
# one must try again. That is between the two of them.
NGINX = """
{user}worker_processes 2;
pid {where}/nginx.pid;
events {{}}
http {{
  access_log off; keepalive_timeout 0;
  client_body_temp_path {where}/t1; proxy_temp_path {where}/t2; fastcgi_temp_path {where}/t3; uwsgi_temp_path {where}/t4; scgi_temp_path {where}/t5;
  upstream order {{ include {where}/order.servers; }}
  server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass http://order; }} }}
}}
"""
HAPROXY = """
global
  stats socket {where}/haproxy.sock mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
listen order
  bind 127.0.0.1:{front}
  server a 127.0.0.1:{a} check inter 100ms
  server b 127.0.0.1:{b} check inter 100ms
"""
SERVICE = """
  {name}:
    probes: [{{name: http, type: http, url: "http://127.0.0.1:{a}/healthz", interval: 100ms, timeout: 80ms, failure_threshold: 50}}]
    {traffic}
    recovery:
      when: {{alert: Never}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 100, within: 15m}}
      steps:
        {drain}
        - {{do: {{command: {{argv: ["{script}"]}}}}, timeout: 30s, verify: {{success_threshold: 2, within: 30s}}}}
      finally: [{finally}]
"""
DRAIN = "- {do: drain, timeout: 30s, on_failure: stop}"


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


class Front:
    """nginx or HAProxy before two backends, a and b, and the agent that looks after a."""

    def __init__(self, kind, where):
        self.kind, self.where = kind, where
        self.front, self.a, self.b = lib.free_ports(3)
        (where / "load.lua").write_text(LOAD)
        start = " ".join(["/usr/bin/env", "python3", str(BACKEND), str(self.a), f"{where}/a.pid"])
        # Nobody waits for requests here: what is under way is lost, unless it was drained.
        script(where / "restart", f"kill -9 $(cat {where}/a.pid); sleep 0.3\n{start} >>{where}/a.log 2>&1 </dev/null &\n")
        script(where / "hang", "exec sleep 600\n")
        self.program = self.nginx() if kind == "nginx" else self.haproxy()
        self.backends = []
        self.agent = lib.Agent(where, self.config())

    def nginx(self):
        (self.where / "order.servers").write_text(f"server 127.0.0.1:{self.a};\nserver 127.0.0.1:{self.b};\n")
        (self.where / "nginx.conf").write_text(NGINX.format(where=self.where, front=self.front, user="user root;\n" if os.geteuid() == 0 else ""))
        self.command = [lib.need("nginx"), "-p", str(self.where), "-c", f"{self.where}/nginx.conf", "-e", f"{self.where}/error.log"]
        return lib.Process(self.where, "nginx", [*self.command, "-g", "daemon off;"])

    def haproxy(self):
        (self.where / "haproxy.cfg").write_text(HAPROXY.format(where=self.where, front=self.front, a=self.a, b=self.b))
        return lib.Process(self.where, "haproxy", [lib.need("haproxy"), "-q", "-db", "-f", f"{self.where}/haproxy.cfg"])

    def config(self):
        if self.kind == "nginx":
            command = json.dumps(self.command)[1:-1]
            traffic = (f'traffic: {{nginx: {{upstream: order, file: "{self.where}/order.servers", self: "127.0.0.1:{self.a}", '
                       f'peers: [{{server: "127.0.0.1:{self.b}"}}], pid_file: "{self.where}/nginx.pid", test: [{command}, -t], reload: [{command}, -s, reload]}}}}')
        else:
            traffic = f'traffic: {{haproxy: {{socket: "{self.where}/haproxy.sock", backend: order, server: a}}}}'
        undrain = "{do: undrain}"
        services = [SERVICE.format(name="drained", a=self.a, traffic=traffic, drain=DRAIN, script=self.where / "restart", **{"finally": undrain}),
                    SERVICE.format(name="plain", a=self.a, traffic="", drain="", script=self.where / "restart", **{"finally": ""})]
        return "global: {interval: 200ms, timeout: 100ms, recovery: {actions_per_hour: 1000}}\nservices:" + "".join(services)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        for name, port in (("a", self.a), ("b", self.b)):
            with open(self.where / f"{name}.log", "ab") as log:
                self.backends.append(subprocess.Popen(["python3", BACKEND, str(port), self.where / f"{name}.pid"], stdout=log, stderr=log))
        lib.wait_for("the backends", lambda: all(lib.get(f"http://127.0.0.1:{p}/healthz") for p in (self.a, self.b)), 30)
        self.program.start()
        lib.wait_for(f"{self.kind} to serve", lambda: lib.get(f"http://127.0.0.1:{self.front}/healthz"), 30)
        self.agent.start()
        self.wait_until_up()

    def __exit__(self, *_):
        for process in (self.agent, self.program):
            if process.child is not None:
                process.stop()
        for backend in self.backends:
            backend.kill()
            backend.wait()
        try:
            os.kill(int((self.where / "a.pid").read_text()), signal.SIGKILL)  # the restarted one
        except (OSError, ValueError):
            pass  # there is none

    def wait_until_up(self):
        lib.wait_for("the services to be up", lambda: all(self.agent.service(s)["health"] == "up" for s in ("drained", "plain")), 60)

    def recover(self, service):
        done = lib.fettle("recover", service, f"--admin.socket={self.agent.admin}")
        assert done.returncode == 0, done.stderr

    def recoveries(self):
        return lib.get_json(f"{self.agent.url}/api/v1/recoveries")["data"]["recoveries"]

    def restart_under_load(self, service, seconds):
        self.wait_until_up()
        before = len(self.recoveries())
        wrk = subprocess.Popen([lib.need("wrk"), "-t2", "-c8", f"-d{seconds}s", "--timeout=8s", "-s", self.where / "load.lua", f"http://127.0.0.1:{self.front}/"],
                               stdout=subprocess.PIPE, text=True)
        time.sleep(min(1.0, seconds / 4))  # the load runs; nothing hangs on how long
        begin = time.monotonic()
        self.recover(service)
        ended = lambda: len(self.recoveries()) > before and all(r.get("ended") for r in self.recoveries())
        lib.wait_for("the recovery to end", ended, 90)
        took = time.monotonic() - begin
        under_load = wrk.poll() is None
        output = wrk.communicate()[0]
        counts = json.loads(next(line for line in output.splitlines() if line.startswith("JSON "))[5:])
        newest = self.recoveries()[0]
        assert newest["state"] == "recovered", newest
        for action in newest["actions"]:
            assert action["result"] == "ok", newest
        failed = sum(v for k, v in counts.items() if k != "requests")
        print(json.dumps({"front": self.kind, "drain": service == "drained", "restart_seconds": round(took, 2),
                          "whole_restart_under_load": under_load, "failed": failed, **counts}), flush=True)
        return failed, under_load

    # "out" while the load balancer has a drained.
    def where_is_a(self):
        if self.kind == "nginx":
            line = next(l for l in (self.where / "order.servers").read_text().splitlines() if f":{self.a} " in l or l.endswith(f":{self.a};"))
            return "out" if " down;" in line else "in"
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.where / "haproxy.sock"))
            s.sendall(b"show stat order 4 -1\n")
            answer = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        line = next(l for l in answer.splitlines() if l.startswith("order,a,"))
        return "out" if ",DRAIN" in line else "in"

    def kill_while_drained(self):
        script(self.where / "restart", f"exec {self.where}/hang\n")
        self.recover("drained")
        lib.wait_for("a to be drained", lambda: self.where_is_a() == "out", 60)
        lib.wait_for("the restart to be under way", lambda: len(self.recoveries()[0]["actions"]) == 1, 60)
        self.agent.kill()
        assert self.where_is_a() == "out"
        self.agent.start()
        lib.wait_for("a to be given back", lambda: self.where_is_a() == "in", 60)
        print(json.dumps({"front": self.kind, "killed_while_drained": "given back"}), flush=True)


arguments = argparse.ArgumentParser()
arguments.add_argument("--seconds", type=int, default=8)
seconds = arguments.parse_args().seconds
lib.need("wrk", "nginx", "haproxy")
for kind in ("nginx", "haproxy"):
    with lib.folder() as where, Front(kind, where) as front:
        front.restart_under_load("plain", seconds)
        for attempt in range(3):  # a machine with much else to do may need more load than the restart takes
            failed, whole = front.restart_under_load("drained", seconds * (1 + 2 * attempt))
            assert failed == 0, f"{kind}: {failed} requests failed with a drain"
            if whole:
                break
        else:
            sys.exit(f"{kind}: the restart outlasted the load three times")
        front.kill_while_drained()
