"""Two PostgreSQL servers that a real Patroni manages, in an etcd of a test."""
import contextlib
import json
import os
import pwd
import shutil
import signal
import urllib.error
import urllib.request

import lib
from postgres_cluster import BIN, as_user

CONFIG = """
scope: shop
name: {name}
restapi: {{listen: "127.0.0.1:{api}", connect_address: "127.0.0.1:{api}", authentication: {{username: fettle, password: patroni-secret}}}}
etcd3: {{hosts: [{hosts}]}}
bootstrap:
  dcs: {{ttl: 20, loop_wait: 1, retry_timeout: 5, postgresql: {{use_pg_rewind: true, parameters: {{fsync: "off"}}}}}}
  initdb: [{{auth: trust}}, {{encoding: UTF8}}, data-checksums]
  pg_hba: ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {where}/data
  bin_dir: {bin}
  pgpass: {where}/pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: replicator}}}}
  parameters: {{unix_socket_directories: {where}}}
"""


class Member:
    def __init__(self, top, name, endpoints):
        self.name, self.where = name, top / f"patroni-{name}"
        self.where.mkdir()
        self.port, self.api = lib.free_ports(2)
        self.url = f"http://127.0.0.1:{self.api}"
        settings = self.where / "patroni.yml"
        settings.write_text(CONFIG.format(name=name, api=self.api, port=self.port, where=self.where, bin=BIN,
                                          hosts=", ".join(f'"{e.removeprefix("http://")}"' for e in endpoints)))
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.where, owner.pw_uid, owner.pw_gid)
        # Debian's own Python, whatever comes first in PATH.
        self.process = lib.Process(self.where, "patroni", [*as_user("postgres"), "/usr/bin/python3", shutil.which("patroni"), settings])

    def get(self, path):
        """Status and document."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                return error.code, json.load(error)
            return error.code, None

    def server(self):
        """Its process; None if there is none."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.where / "data/postmaster.pid").read_text().split()[0])
        return None

    def end_server(self, number=signal.SIGQUIT):
        """Patroni, when it is killed, leaves it behind."""
        with contextlib.suppress(ProcessLookupError):
            if self.server():
                os.kill(self.server(), number)

    def is_primary(self):
        with contextlib.suppress(OSError):
            return self.get("/primary")[0] == 200
        return False

    def is_replica(self):
        with contextlib.suppress(OSError):
            return self.get("/replica?lag=1MB")[0] == 200
        return False


@contextlib.contextmanager
def cluster(top, endpoints):
    """Members a, the first primary, and b."""
    lib.need("patroni")
    with contextlib.ExitStack() as stack:
        top.chmod(0o755)
        a, b = members = [Member(top, name, endpoints) for name in "ab"]
        for member, ready in ((a, a.is_primary), (b, b.is_replica)):
            stack.callback(member.end_server)
            stack.enter_context(member.process)
            lib.wait_for(f"{member.name} to be ready", ready, 60, lambda m=member: m.process.text()[-2000:])
        yield members
