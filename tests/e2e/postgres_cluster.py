"""A cluster of PostgreSQL on a unix socket in its folder; as the user postgres when the test runs as root, who may not."""
import os
import pathlib
import pwd
import subprocess

import lib

BIN = max((path.parent for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


def as_user(name):
    """Words before a command that root runs as this user; none for others, who stay who they are."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups", "--"] if os.geteuid() == 0 else []


class PostgresCluster:
    """Everybody who reaches the socket may be anybody. `superuser`: "" for the user it runs as."""

    def __init__(self, where, settings="", superuser=""):
        self.where, self.settings, self.superuser = where, settings, superuser
        self.port = lib.free_ports(1)[0]

    def as_owner(self, *words, **options):
        done = subprocess.run([*as_user("postgres"), *map(str, words)], capture_output=True, text=True, cwd="/", **options)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def __enter__(self):
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.where, owner.pw_uid, owner.pw_gid)
        superuser = ["-U", self.superuser] if self.superuser else []
        self.as_owner(BIN / "initdb", "--no-sync", "-A", "trust", *superuser, "-D", self.where / "data")
        with open(self.where / "data/postgresql.conf", "a") as out:
            out.write(f"listen_addresses = ''\nport = {self.port}\nunix_socket_directories = '{self.where}'\nfsync = off\n{self.settings}")
        self.as_owner(BIN / "pg_ctl", "-w", "-l", self.where / "log", "-D", self.where / "data", "start")
        return self

    def __exit__(self, *_):
        self.as_owner(BIN / "pg_ctl", "-m", "immediate", "-D", self.where / "data", "stop")
