"""A PostgreSQL with pgBackRest behind it, for the tests of backups."""
import os
import pathlib
import pwd
import subprocess

import lib


class Postgres:
    """A cluster with pgBackRest behind it; as the user postgres when the test runs as root."""

    def __init__(self, where):
        self.where = where
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
        self.port = lib.free_ports(1)[0]
        self.config = where / "pgbackrest.conf"
        self.config.write_text(f"""[global]
repo1-path={where}/repo
log-path={where}
lock-path={where}
spool-path={where}
compress-level=1
start-fast=y
[shop]
pg1-path={where}/data
pg1-port={self.port}
pg1-socket-path={where}
""")

    def as_owner(self, *words):
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run([*user, *map(str, words)], capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def __enter__(self):
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.where, owner.pw_uid, owner.pw_gid)
        self.as_owner(self.bin / "initdb", "--no-sync", "-A", "trust", "-D", self.where / "data")
        with open(self.where / "data/postgresql.conf", "a") as out:
            out.write(f"listen_addresses = ''\nport = {self.port}\nunix_socket_directories = '{self.where}'\nfsync = off\n"
                      f"archive_mode = on\narchive_command = 'pgbackrest --config={self.config} --stanza=shop archive-push %p'\n")
        self.as_owner(self.bin / "pg_ctl", "-w", "-l", self.where / "log", "-D", self.where / "data", "start")
        return self

    def __exit__(self, *_):
        self.as_owner(self.bin / "pg_ctl", "-m", "immediate", "-D", self.where / "data", "stop")

    def pgbackrest(self, *words):
        self.as_owner("pgbackrest", f"--config={self.config}", "--stanza=shop", *words)

    def psql(self, *queries):
        """The lines of the answers."""
        words = [word for query in queries for word in ("-c", query)]
        return self.as_owner(self.bin / "psql", "-XAtq", "-h", self.where, "-p", self.port, "-d", "postgres", *words).split("\n")[:-1]
