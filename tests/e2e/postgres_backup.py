"""A PostgreSQL with pgBackRest behind it, for the tests of backups."""
from postgres_cluster import BIN, PostgresCluster


class Postgres(PostgresCluster):
    def __init__(self, where):
        self.config = where / "pgbackrest.conf"
        super().__init__(where, "archive_mode = on\n"
                         f"archive_command = 'pgbackrest --config={self.config} --stanza=shop archive-push %p'\n")
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

    def pgbackrest(self, *words):
        self.as_owner("pgbackrest", f"--config={self.config}", "--stanza=shop", *words)

    def psql(self, *queries):
        """The lines of the answers."""
        words = [word for query in queries for word in ("-c", query)]
        return self.as_owner(BIN / "psql", "-XAtq", "-h", self.where, "-p", self.port, "-d", "postgres", *words).split("\n")[:-1]
