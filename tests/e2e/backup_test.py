#!/usr/bin/env python3
"""The probes restic, borg and pgbackrest with the real tools and real repositories: a good backup, none, an old one, a wrong
password, a repository that is gone, a lock that was left behind."""
import json
import os
import re
import shutil
import subprocess

import lib
from postgres_backup import Postgres

restic, borg, pgbackrest = lib.need("restic", "borg", "pgbackrest")


def probe(type_name, target, *settings):
    """Verdict, reason and metrics of one run."""
    done = lib.fettle("probe", type_name, target, "timeout=30s", *settings, timeout=60)
    print(f"  {done.stdout.splitlines()[0] if done.stdout else done.stderr}", flush=True)
    return done.returncode, done.stdout + done.stderr


def value(text, name):
    found = re.search(rf"{name}\S*\s+(\S+)", text)
    assert found, f"no {name} in {text}"
    return float(found[1])


def run(*words, **environment):
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, **environment})


def try_restic(where):
    (where / "data").mkdir()
    (where / "data/orders").write_bytes(os.urandom(100_000))
    password = where / "restic.password"
    password.write_text("hunter2\n")
    (where / "wrong.password").write_text("hunter3\n")
    repository = where / "restic"
    keys = {"RESTIC_REPOSITORY": str(repository), "RESTIC_PASSWORD_FILE": str(password), "RESTIC_CACHE_DIR": str(where / "cache")}
    run(restic, "init", **keys)
    settings = f"password_file={password}"
    code, text = probe("restic", repository, settings)
    assert code == 2 and "there is no backup in" in text, text
    run(restic, "backup", str(where / "data"), "--time", "2026-01-01 00:00:00", **keys)
    code, text = probe("restic", repository, settings)
    assert code == 2 and "max_age is 1d2h" in text, text
    run(restic, "backup", str(where / "data"), "--host", "shop2", **keys)
    code, text = probe("restic", repository, settings)
    assert code == 0 and value(text, "probe_backup_count") == 2 and value(text, "probe_backup_locks") == 0, text
    code, text = probe("restic", repository, settings, "host=shop1")
    assert code == 2 and "there is no backup in" in text, text
    # What a backup that was killed leaves behind; its name is the digest of what is in it, as restic writes it.
    holder = subprocess.Popen([restic, "backup", "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={**os.environ, **keys})
    # Until it has its name, a file of restic is no lock.
    lib.wait_for("the lock of a backup", lambda: any("-tmp-" not in lock.name for lock in (repository / "locks").iterdir()))
    holder.kill()
    holder.wait()
    code, text = probe("restic", repository, settings)
    assert code == 0 and value(text, "probe_backup_locks") == 1, text
    code, text = probe("restic", repository, f"password_file={where}/wrong.password")
    assert code == 2 and "exit_code" in text and "wrong password" in text, text
    shutil.rmtree(repository)
    code, text = probe("restic", repository, settings)
    assert code == 2 and "exit_code" in text and "hunter2" not in text, text


def try_borg(where):
    passphrase = where / "borg.passphrase"
    passphrase.write_text("hunter2\n")
    repository = where / "borg"
    keys = {"BORG_REPO": str(repository), "BORG_PASSPHRASE": "hunter2", "BORG_BASE_DIR": str(where / "base")}
    run(borg, "init", "-e", "repokey", **keys)
    settings = [f"passphrase_file={passphrase}", f"environment={{BORG_BASE_DIR: {where}/base}}"]
    code, text = probe("borg", repository, *settings)
    assert code == 2 and "there is no backup in" in text, text
    for number in range(2):
        run(borg, "create", f"::archive{number}", str(where / "data"), **keys)
    code, text = probe("borg", repository, *settings)
    assert code == 0 and value(text, "probe_backup_count") == 2 and value(text, "probe_backup_last_size_bytes") >= 100_000, text
    # A backup is under way: to look takes no lock.
    (repository / "lock.exclusive").mkdir()
    code, text = probe("borg", repository, *settings)
    assert code == 0, text
    (where / "borg.wrong").write_text("hunter3\n")
    code, text = probe("borg", repository, f"passphrase_file={where}/borg.wrong", settings[1])
    assert code == 2 and "passphrase" in text and "hunter3" not in text, text


def try_pgbackrest(where):
    settings = f"config_file={where}/pgbackrest.conf"
    with Postgres(where) as postgres:
        code, text = probe("pgbackrest", "shop", settings)
        assert code == 2 and "missing stanza path (code 1)" in text, text
        postgres.pgbackrest("stanza-create")
        code, text = probe("pgbackrest", "shop", settings)
        assert code == 2 and "there is no backup in shop" in text, text
        postgres.pgbackrest("--type=full", "backup")
        code, text = probe("pgbackrest", "shop", settings)
        assert code == 0 and value(text, "probe_backup_count") == 1 and value(text, "probe_backup_last_size_bytes") > 1e6, text
    # pgBackRest says so with the exit code 0.
    shutil.rmtree(where / "repo")
    code, text = probe("pgbackrest", "shop", settings)
    assert code == 2 and "status_mismatch" in text, text
    # A job of the owner writes the report, for an agent that may not read the repository.
    report = where / "report.json"
    report.write_text(json.dumps([{"name": "shop", "status": {"code": 0}, "backup": [{"label": "a", "timestamp": {"stop": 4102444800}}]}]))
    code, text = probe("pgbackrest", "shop", f"report_file={report}")
    assert code == 0, text


with lib.folder() as where:
    where.chmod(0o755)  # the user postgres goes through it
    for name in ("files", "postgres"):
        (where / name).mkdir()
    print("restic:")
    try_restic(where / "files")
    print("borg:")
    try_borg(where / "files")
    print("pgbackrest:")
    try_pgbackrest(where / "postgres")
