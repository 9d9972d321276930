"""A Docker engine of a test's own, with its folders below a temporary one and without a network of its own. A test is
skipped where none starts; its last words are the reason."""
import contextlib
import subprocess
import sys

import lib


class Engine(lib.Process):
    def __init__(self, where):
        self.where, self.socket = where, where / "engine.sock"
        self.docker = [lib.need("docker"), "-H", f"unix://{self.socket}"]
        super().__init__(where, "dockerd", [
            lib.need("dockerd"), "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs",
            f"--data-root={where}/data", f"--exec-root={where}/exec", f"--pidfile={where}/dockerd.pid",
            f"--host=unix://{self.socket}"])

    def start(self):
        super().start()

        def answers():
            if self.child.poll() is not None:
                print(f"skipped: no Docker engine starts here; its last words:\n{self.text()[-600:]}")
                sys.exit(lib.SKIPPED)
            return self.run("info", check=False).returncode == 0
        lib.wait_for("the engine", answers, 60)

    def run(self, *words, check=True, **more):
        return subprocess.run([*self.docker, *words], check=check, capture_output=True, text=True, **more)

    def stop(self):
        swarm = False
        with contextlib.suppress(Exception):
            swarm = self.run("swarm", "leave", "--force", check=False).returncode == 0
            self.run("rm", "--force", *self.run("ps", "--all", "--quiet").stdout.split())
        super().stop()
        if swarm:
            subprocess.run(["ip", "link", "del", "docker_gwbridge"], capture_output=True)
        subprocess.run(["umount", self.where / "exec/netns/default"], capture_output=True)  # of the host's network


def make_image(engine, where):
    program = where / "service"
    subprocess.run([lib.need("cc"), "-static", "-O1", "-o", program, lib.TOP / "tests/e2e/docker_service.c"], check=True)
    archive = subprocess.run(["tar", "--create", f"--directory={where}", "service"], check=True, capture_output=True).stdout
    subprocess.run([*engine.docker, "import", "-", "service"], input=archive, check=True, capture_output=True)
