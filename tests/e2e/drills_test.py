#!/usr/bin/env python3
"""Restore drills with real restic and pgBackRest repositories and a real PostgreSQL: a good backup, a damaged repository, one
that is gone, a wrong password, a backup of nothing, a full scratch folder. Each is found and named, and nothing is left behind,
also when the agent is killed in the middle of it."""
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys

import lib
from postgres_backup import Postgres
from postgres_cluster import BIN

restic, _, _ = lib.need("restic", "pgbackrest", "setpriv")
if not list(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")):
    print("skipped: postgresql is not installed (packaging/debian-packages.txt names its package)")
    sys.exit(lib.SKIPPED)

# No drill begins by itself: the day after tomorrow is not today.
NEVER_TODAY = (datetime.date.today() + datetime.timedelta(days=3)).strftime("%a") + " 03:00-03:01"


class OwnedAgent(lib.Agent):
    """An agent that runs as the user postgres if the test runs as root: no PostgreSQL starts as root."""

    def __init__(self, where, config):
        super().__init__(where, config)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (where, self.config):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            self.argv = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", *self.argv]

    def start(self):
        self.argv = [self.argv[0] if self.argv[0] != "setpriv" else shutil.which("setpriv"), *self.argv[1:]]
        super().start()

    def cli(self, *words):
        return lib.fettle(*words, f"--admin.socket={self.admin}")

    def drill(self, name):
        drills = json.loads(self.cli("drills", "-o", "json").stdout)["data"]["drills"]
        return next(d for d in drills if d["name"] == name)

    def run(self, name):
        """What came of a run that was started by hand."""
        before = self.drill(name).get("ended")
        started = self.cli("drill", "run", name, "--comment", "test")
        assert started.returncode == 0, started.stderr
        lib.wait_for(f"the end of {name}", lambda: self.drill(name).get("ended") != before and not self.drill(name)["doing"], 120)
        drill = self.drill(name)
        print(f"  {name}: {drill['result']}: {drill['text']}", flush=True)
        return drill


def run(*words, **environment):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done


def damage(file):
    """Another byte in the middle."""
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


class Repositories:
    """Restic repositories: good, of nothing, damaged; each with the same password."""

    def __init__(self, where, postgres):
        self.where, self.password = where, where / "restic.password"
        self.password.write_text("hunter2\n")
        (where / "wrong.password").write_text("hunter3\n")
        data = where / "source"
        data.mkdir()
        sums = []
        for number in range(20):
            content = os.urandom(150_000)
            (data / f"orders{number}").write_bytes(content)
            sums.append(f"{hashlib.sha256(content).hexdigest()}  orders{number}\n")
        (data / "SHA256SUMS").write_text("".join(sums))
        (data / "WRONG").write_text("".join(sums[:-1]) + f"{'0' * 64}  orders19\n")
        (data / "ELSEWHERE").write_text(f"{'0' * 64}  /etc/passwd\n")
        closed = data / "closed"
        closed.mkdir()
        (closed / "file").write_text("x")
        closed.chmod(0o555)
        postgres.as_owner(BIN / "pg_dump", "-h", postgres.where, "-p", postgres.port, "-Fc", "-f", postgres.where / "orders.dump", "postgres")
        shutil.copy(postgres.where / "orders.dump", data / "orders.dump")
        postgres.as_owner(BIN / "pg_dump", "-h", postgres.where, "-p", postgres.port, "-f", postgres.where / "orders.sql", "postgres")
        shutil.copy(postgres.where / "orders.sql", data / "orders.sql")
        (where / "nothing").mkdir()
        for name in ("good", "empty", "none"):
            self.call(name, "init")
        self.call("good", "backup", str(data))
        self.call("empty", "backup", str(where / "nothing"))
        shutil.copytree(where / "good", where / "damaged")
        # One byte in the middle of each pack.
        for pack in (where / "damaged/data").rglob("*"):
            if pack.is_file():
                damage(pack)
        self.below = str(data)[1:]  # restic restores the whole path
        self.try_cache()
        self.borg = shutil.which("borg")
        if self.borg:
            keys = {"BORG_REPO": str(where / "borg"), "BORG_PASSPHRASE": "hunter2", "BORG_BASE_DIR": str(where / "base")}
            run(self.borg, "init", "-e", "repokey", **keys)
            run(self.borg, "create", "::one", str(data), **keys)

    def try_cache(self):
        """A repository whose lists of files are damaged, which restic does not see while they are in its cache."""
        shutil.copytree(self.where / "good", self.where / "lists")
        for cached in (self.where / "cache").glob("*/data/*/*"):
            pack = self.where / "lists/data" / cached.name[:2] / cached.name
            if pack.exists():
                damage(pack)
        done = subprocess.run([restic, "-q", "restore", "latest", "--verify", "--target", self.where / "lie"], capture_output=True,
                              env={**os.environ, "RESTIC_REPOSITORY": str(self.where / "lists"), "RESTIC_PASSWORD_FILE": str(self.password),
                                   "RESTIC_CACHE_DIR": str(self.where / "cache")})
        print(f"restic restore --verify of damaged lists with a warm cache: exit code {done.returncode}")

    def call(self, name, *words):
        run(restic, "-q", *words, RESTIC_REPOSITORY=str(self.where / name), RESTIC_PASSWORD_FILE=str(self.password),
            RESTIC_CACHE_DIR=str(self.where / "cache"))

    def keys(self, name, password="restic.password"):
        return (f"restic: {{repository: {self.where}/{name}, password_file: {self.where}/{password}, "
                f"environment: {{RESTIC_CACHE_DIR: {self.where}/cache}}}}")


def drill(name, keys, where, verify="", more=""):
    lines = [f"  {name}:", "    service: order", f"    windows: {NEVER_TODAY}", f"    scratch: {where}/scratch/{name}", f"    {keys}"]
    return "\n".join(lines + ([f"    verify: {verify}"] if verify else []) + ([f"    {more}"] if more else [])) + "\n"


def config(where, repositories, postgres):
    below = repositories.below
    live = f"host={postgres.where} port={postgres.port} dbname=postgres user=postgres"
    count = 'queries: ["SELECT count(*) FROM orders"]'
    newest = 'newest: "SELECT max(at) FROM orders"'
    pg = f"pgbackrest: {{stanza: shop, config_file: {postgres.config}}}"
    restore = where / "restore.sh"
    restore.write_text("#!/bin/sh\nset -e\necho $$ >restored\nexec sleep 600\n")
    restore.chmod(0o755)
    good, verified = repositories.keys("good"), f"{{manifest: {below}/SHA256SUMS}}"
    with_live = f"{{postgres: {{{count}, live: \"{live}\", tolerance: 0.01, {newest}}}}}"
    drills = [
        drill("files", good, where, verified),
        drill("changed", good, where, f"{{manifest: {below}/WRONG}}"),
        drill("elsewhere", good, where, f"{{manifest: {below}/ELSEWHERE}}"),
        drill("password", repositories.keys("good", "wrong.password"), where),
        drill("gone", repositories.keys("not-there"), where),
        drill("none", repositories.keys("none"), where),
        drill("empty", repositories.keys("empty"), where),
        drill("lists", repositories.keys("lists"), where),
        drill("damaged", repositories.keys("damaged"), where, verified),
        drill("bounded", good, where, more="max_bytes: 1000000"),
        drill("tmpfs", good, where).replace("/scratch/tmpfs", "/tmpfs/scratch"),
        drill("foreign", good, where).replace("/scratch/foreign", "/foreign"),
        drill("dump", good, where, f"{{postgres: {{dump: {below}/orders.dump, database: shop, {count}, live: \"{live}\"}}}}"),
        drill("sql", good, where, f"{{postgres: {{dump: {below}/orders.sql, {count}, {newest}}}}}"),
        drill("pg", pg, where, with_live),
        drill("pg-slow", pg, where, '{postgres: {queries: ["SELECT 1 FROM pg_sleep(600)"]}}'),
        drill("killed", f"command: {{argv: [{restore}]}}", where),
        drill("late", f"command: {{argv: [{restore}]}}", where, more="timeout: 1s"),
    ]
    if repositories.borg:
        keys = f"borg: {{repository: {where}/borg, passphrase_file: {where}/restic.password}}"
        drills.append(drill("borg", keys, where, verified))
        drills.append(drill("borg-password", keys.replace("restic.password", "wrong.password"), where))
    return f"""
services:
  order:
    objectives: {{rpo: 1d, rto: 1h}}
    probes: [{{name: file, type: file, path: {where}/fettle.yml, interval: 1s, timeout: 1s}}]
rule_files: [{lib.TOP}/rules/backup.yml]
drills:
{''.join(drills)}"""


@contextlib.contextmanager
def small_disk(folder, size):
    """A tmpfs, or None where mount(8) is refused."""
    folder.mkdir()
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    options = f"size={size},uid={owner.pw_uid},gid={owner.pw_gid},mode=755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def processes_about(path):
    """Ids of processes that name the path on their command line."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(path).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def expect(agent, name, result, *words):
    came = agent.run(name)
    assert came["result"] == result, came
    for word in words:
        assert word in came["text"], (word, came)
    return came


def try_all(agent, where, repositories, postgres, mounted):
    scratch = where / "scratch"

    def nothing_left():
        assert list(scratch.iterdir()) == [], list(scratch.iterdir())
        assert not processes_about(scratch), processes_about(scratch)

    print("restic:")
    expect(agent, "files", "verified", "files with", "came back in")
    nothing_left()
    expect(agent, "changed", "not_verified", "orders19")
    expect(agent, "elsewhere", "not_verified", "ELSEWHERE")
    expect(agent, "password", "unreadable", "wrong password")
    expect(agent, "gone", "unreadable", "not-there")
    expect(agent, "none", "no_backup", "there is no backup in restic")
    expect(agent, "empty", "empty", "restored no file")
    expect(agent, "damaged", "restore_failed", "restic")
    expect(agent, "lists", "restore_failed", "restic")
    expect(agent, "bounded", "scratch_full", "max_bytes is 1000000")
    if mounted:
        expect(agent, "tmpfs", "scratch_full")
        assert list((where / "tmpfs").iterdir()) == []
    else:
        print("  tmpfs: not tried: mount is refused here")
    if repositories.borg:
        expect(agent, "borg", "verified")
        expect(agent, "borg-password", "unreadable", "borg")
    expect(agent, "foreign", "scratch", "is not empty")
    assert (where / "foreign/keep").read_text() == "mine"
    expect(agent, "late", "timeout", "took longer than 1s")
    nothing_left()

    print("PostgreSQL:")
    expect(agent, "dump", "verified")
    expect(agent, "sql", "verified")
    good = expect(agent, "pg", "verified")
    print(f"  measured: restore {good['proof']['restoreSeconds']:.2f} s, data age {good['proof']['dataAgeSeconds']:.2f} s")
    nothing_left()
    assert postgres.psql("SELECT count(*) FROM orders") == ["1000"]
    assert agent.cli("drills").returncode == 1  # some have failed
    table = agent.cli("dr")
    assert table.returncode == 1 and "last_drill_failed" in table.stdout and "of 1h" in table.stdout, table.stdout + table.stderr
    print(table.stdout)
    for name in ("fettle_restore_verified_timestamp_seconds", "fettle_restore_duration_seconds", "fettle_restore_data_age_seconds"):
        assert lib.metric(agent, f'{name}{{drill="pg",service="order"}}') > 0, name
    assert lib.metric(agent, 'fettle_restore_drill_success{drill="damaged",service="order"}') == 0
    assert lib.metric(agent, 'fettle_service_objective_seconds{objective="rpo",service="order"}') == 86400
    assert "drill pg: verified" in agent.cli("audit-log").stdout


def try_kills(agent, where):
    print("the agent is killed:")
    for name, doing in (("killed", "restoring"), ("pg-slow", "asking the throw-away PostgreSQL")):
        scratch = where / "scratch" / name
        assert agent.cli("drill", "run", name).returncode == 0
        lib.wait_for(f"{name} to be {doing}", lambda: doing in agent.drill(name)["doing"], 60)
        lib.wait_for("what it restored", lambda: (scratch / "data").is_dir() and list((scratch / "data").iterdir()))
        busy = agent.cli("drill", "run", "files")
        assert busy.returncode == 1 and "one runs at a time" in busy.stderr, busy.stderr
        restored = (scratch / "data/restored")
        child = [int(restored.read_text())] if restored.exists() else processes_about(scratch)
        assert child
        proof = lib.metric(agent, 'fettle_restore_verified_timestamp_seconds{drill="pg",service="order"}')
        agent.kill(signal.SIGKILL)
        lib.wait_for("its programs to end", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in child)
                     and not processes_about(scratch), 30)
        assert scratch.exists()
        agent.start()
        lib.wait_for("what it left to be removed", lambda: not scratch.exists(), 30)
        left = agent.drill(name)
        assert left["result"] == "interrupted" and "the agent ended" in left["text"], left
        lib.wait_for("the log of that", lambda: agent.logged("what an earlier drill left was removed", name))
        assert lib.metric(agent, 'fettle_restore_verified_timestamp_seconds{drill="pg",service="order"}') == proof
        print(f"  {name}: removed at the next start", flush=True)
    # An agent that is stopped removes it itself.
    assert agent.cli("drill", "run", "killed").returncode == 0
    scratch = where / "scratch/killed"
    lib.wait_for("what it restored", (scratch / "data/restored").exists)
    agent.stop()
    assert not scratch.exists(), list(scratch.rglob("*"))
    agent.start()


def try_broken_postgres(agent, where, postgres):
    print("pgBackRest:")
    # Rows that no archive has yet.
    postgres.psql("INSERT INTO orders SELECT generate_series(2001, 2200), now()")
    expect(agent, "pg", "not_verified", "gave 1000 in what was restored and 1200 on the live server")
    repo = where / "postgres/repo"
    shutil.copytree(repo, where / "repo.kept")
    for file in (repo / "backup/shop").rglob("*.gz"):
        damage(file)
    expect(agent, "pg", "restore_failed", "pgbackrest")
    shutil.rmtree(repo)
    expect(agent, "pg", "unreadable", "missing stanza path")
    assert list((where / "scratch").iterdir()) == []


def try_documents(where):
    """The examples of the package, and those of the pages, as an operator would use them."""
    pages = [(lib.TOP / f"packaging/doc/{kind}-drills.md").read_text() for kind in ("restore", "fault")]
    blocks = [block for page in pages for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)]
    assert len(blocks) >= 2
    for text in [*(path.read_text() for path in (lib.TOP / "packaging/drills").glob("*.yml")), *blocks]:
        (where / "example.yml").write_text(text)
        checked = lib.fettle("check", "config", where / "example.yml")
        assert checked.returncode == 0, checked.stdout + checked.stderr


with lib.folder() as where:
    try_documents(where)
    where.chmod(0o755)
    for name in ("postgres", "scratch", "foreign"):
        (where / name).mkdir()
    (where / "foreign/keep").write_text("mine")
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        for name in ("scratch", "foreign"):
            os.chown(where / name, owner.pw_uid, owner.pw_gid)
    with Postgres(where / "postgres") as postgres, small_disk(where / "tmpfs", "2m") as mounted:
        postgres.pgbackrest("stanza-create")
        postgres.psql("CREATE TABLE orders (id int, at timestamptz)", "INSERT INTO orders SELECT generate_series(1, 1000), now()")
        postgres.pgbackrest("--type=full", "backup")
        repositories = Repositories(where, postgres)
        if os.geteuid() == 0:
            names = ("good", "empty", "none", "damaged", "lists", "borg", "cache", "restic.password", "wrong.password")
            run("chown", "-R", "postgres:", *(where / name for name in names if (where / name).exists()))
        agent = OwnedAgent(where, config(where, repositories, postgres))
        with agent:
            try_all(agent, where, repositories, postgres, mounted)
            try_kills(agent, where)
            try_broken_postgres(agent, where, postgres)
    (where / "source/closed").chmod(0o755)
