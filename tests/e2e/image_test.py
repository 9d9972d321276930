#!/usr/bin/env python3
"""The container image: packaging/container/Dockerfile, built by a real Docker engine from the package of this build and a Debian
that debootstrap makes. It runs without root, without capabilities and on a root that cannot be written, watches a service, says
what it has not got, ends at once when it is stopped, and keeps its state."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import lib
from docker_engine import Engine

sys.path.insert(0, str(pathlib.Path(__file__).parent / "systemd"))
import container  # noqa: E402
from node import build_deb  # noqa: E402

DOCUMENT = lib.TOP / "packaging/doc/container.md"
CONFIG = """
global: {{interval: 200ms, timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [/etc/fettle/rules/*.yml]
services:
  shop:
    unit: shop.service
    probes: [{{name: port, type: tcp, host: 127.0.0.1, port: {shop}}}]
  order:
    unit: order.service
    probes: [{{name: unit, type: systemd, interval: 1s}}]
"""


def base_image(engine, where, deb):
    """A Debian as its slim image: without the documents, and with apt's sources."""
    codename, mirror = container.mirror()
    archives = container.Root(pathlib.Path(os.environ["FETTLE_BUILD"]) / "e2e-systemd", deb).archives()
    root = where / "debian"
    made = subprocess.run([lib.need("debootstrap"), "--variant=minbase", f"--cache-dir={archives}", codename, root, mirror],
                          capture_output=True, text=True, env=container.Root.environment())
    if made.returncode != 0:
        print(f"skipped: debootstrap could not make a Debian from {mirror}; its last words:\n{made.stdout[-600:]}")
        sys.exit(lib.SKIPPED)
    for folder in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir()
    with subprocess.Popen(["tar", "--create", f"--directory={root}", "."], stdout=subprocess.PIPE) as archive:
        subprocess.run([*engine.docker, "import", "-", "debian:12-slim"], stdin=archive.stdout, check=True, capture_output=True)
    shutil.rmtree(root)


def build(engine, where, deb):
    context = where / "context"
    context.mkdir()
    shutil.copy(deb, context)
    proxy = container.Root.environment().get("http_proxy")
    words = ["build", "--network=host", *(["--build-arg", f"http_proxy={proxy}"] if proxy else []),
             "--file", lib.TOP / "packaging/container/Dockerfile", "--tag", "fettle", context]
    made = engine.run(*words, check=False, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]


def size(engine, image):
    return int(engine.run("inspect", "--format", "{{.Size}}", image).stdout)


class Container:
    """The image as the documentation runs it: no rights, nothing to write but its volumes."""

    def __init__(self, engine, where, port):
        self.engine, self.port, self.url = engine, port, f"http://127.0.0.1:{port}"
        engine.run("run", "--detach", "--name=fettle", "--network=host", "--read-only", "--cap-drop=ALL",
                   "--security-opt=no-new-privileges", f"--volume={where}/fettle.yml:/etc/fettle/fettle.yml:ro", "fettle",
                   "agent", "--config.file=/etc/fettle/fettle.yml", f"--web.listen-address=127.0.0.1:{port}")

    def exec(self, *words, check=False):
        return self.engine.run("exec", "fettle", "fettle", *words, check=check)

    def logs(self):
        out = self.engine.run("logs", "fettle")
        return out.stdout + out.stderr

    def status(self, service):
        with contextlib.suppress(OSError, ValueError):
            services = lib.get_json(f"{self.url}/api/v1/services")["data"]["services"]
            return next((s for s in services if s["name"] == service), None)


def run(engine, where, deb):
    began = time.monotonic()
    base_image(engine, where, deb)
    build(engine, where, deb)
    took = time.monotonic() - began
    image, base = size(engine, "fettle"), size(engine, "debian:12-slim")
    print(f"image of {image / 1e6:.0f} MB, of which the Debian below has {base / 1e6:.0f}; made in {took:.0f} s")
    assert image - base < 200e6

    version = engine.run("run", "--rm", "--network=none", "fettle", "version").stdout
    assert version.startswith("fettle"), version
    checked = engine.run("run", "--rm", "--network=none", "fettle", "check", "config", "/etc/fettle/fettle.yml", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    installed = engine.run("run", "--rm", "--network=none", "--entrypoint=/bin/sh", "fettle", "-c",
                           "dpkg-query --show --showformat '${Package}\\n'; ls / /var/lib/apt/lists").stdout.split()
    assert "systemd" not in installed and "libcurl4" in installed and "ca-certificates" in installed, installed
    assert "package" not in installed and not any("Packages" in name for name in installed), installed

    with lib.Shop(where, "order") as shop:
        (where / "fettle.yml").write_text(CONFIG.format(shop=shop.port))
        agent = Container(engine, where, lib.free_ports(1)[0])
        try:
            lib.wait_for("the shop to be up", lambda: (agent.status("shop") or {}).get("health") == "up", 30, agent.logs)
            top = engine.run("top", "fettle", "-o", "uid,pid").stdout.split()
            assert "65532" in top, top
            # No verdict of what it cannot see.
            order = lib.wait_for("the unit to be looked for", lambda: (found := agent.status("order")) and found["probes"][0]["text"] and found,
                                 30, agent.logs)
            assert order["health"] == "unknown" and order["probes"][0]["reason"] == "agent_overloaded", order
            status = agent.exec("status")
            assert "shop" in status.stdout, status.stdout + status.stderr
            assert agent.exec("maintenance", "on", "shop", "--for=1h", "--comment=image").returncode == 0

            engine.run("stop", "--time=5", "fettle")
            ended = json.loads(engine.run("inspect", "fettle").stdout)[0]["State"]
            assert ended["ExitCode"] == 0 and not ended["OOMKilled"], ended
            engine.run("start", "fettle")
            lib.wait_for("the agent to know of the maintenance", lambda: "image" in agent.exec("maintenance", "list").stdout, 30,
                         agent.logs)
            shop.kill()
            lib.wait_for("the shop to be down", lambda: (agent.status("shop") or {}).get("health") == "down", 30, agent.logs)
            for line in agent.logs().splitlines():
                assert not re.search(r"level=(error|critical)", line) or "shop" in line or "order" in line, line
        finally:
            engine.run("rm", "--force", "--volumes", "fettle", check=False)


def main():
    lib.need("debootstrap", "dpkg-deb", "cpack")
    if os.geteuid() != 0:
        print("skipped: debootstrap and the Docker engine want root")
        sys.exit(lib.SKIPPED)
    with lib.folder() as where:
        deb = build_deb(os.environ["FETTLE_BUILD"], where / "package")
        with Engine(where) as engine:
            run(engine, where, deb)
    print("image built, run without rights, stopped, started: state kept, faults seen")


main()
