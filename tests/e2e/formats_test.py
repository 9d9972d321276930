#!/usr/bin/env python3
"""The state file of an agent of format 2 (tests/golden/state): the agent of today knows its silences, its maintenance, its incidents
and its recoveries, and keeps a copy for whoever has to go back. Then the file is damaged: the agent starts, moves it aside and is loud
until a person takes the damaged file away. In between, everything that people did stands in the audit trail, and a changed entry is found."""
import json
import shutil
import sqlite3

import lib

CONFIG = """
global: {{interval: 200ms, timeout: 100ms, evaluation_interval: 1s, node: shop1}}
rule_files: [{rules}]
services:
""" + "".join(f"  {name}: {{{{probes: [{{{{name: file, type: file, path: \"{{where}}/up\"}}}}]}}}}\n" for name in ("order", "payment", "stock")) + """
receivers:
  - {{name: ops, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{port}/hook"}}]}}
"""


def data(*words):
    return json.loads(lib.fettle(*words, "-o", "json").stdout)


with lib.folder() as where:
    hook = lib.Webhook()
    (where / "up").touch()
    shutil.copy(lib.TOP / "tests/golden/state/format-2.db", where / "fettle.db")
    config = CONFIG.format(where=where, rules=lib.TOP / "rules/agent.yml", port=hook.port)
    agent = lib.Agent(where, config)
    with agent:
        silences = data("silence", "list", f"--admin.socket={agent.admin}")
        assert [(s["comment"], s["createdBy"]) for s in silences] == [("while the rack moves", "alice")], silences
        lib.wait_for("maintenance", lambda: "new disks" in str(agent.service("stock")))
        incidents = lib.get_json(f"{agent.url}/api/v1/incidents")["data"]["incidents"]
        assert {i["service"] for i in incidents} == {"order", "payment", "stock"}, incidents
        runs = lib.get_json(f"{agent.url}/api/v1/recoveries")["data"]["recoveries"]
        assert "recovered" in {r["state"] for r in runs if r["service"] == "order"}, runs
        assert (where / "fettle.db.format-2").exists()
        lib.wait_for("the metric", lambda: "fettle_state_damaged_files 0" in lib.get(f"{agent.url}/metrics"))
        done = lib.fettle("maintenance", "off", "stock", f"--admin.socket={agent.admin}")
        assert done.returncode == 0, done
        shown = lib.wait_for("the entry of the audit trail", lambda: (s := lib.fettle("audit-log", f"--url={agent.url}").stdout).count("maintenance/stock on=false") and s)
        assert "uid" in shown and "is whole" in shown, shown
    db = sqlite3.connect(where / "fettle.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    changed = db.execute("UPDATE records SET value = replace(value, 'on=false', 'on=true') WHERE kind = 'audit' AND value LIKE '%on=false%'").rowcount
    assert changed == 1, changed
    db.commit()
    db.close()
    with agent:
        checked = lib.fettle("audit-log", f"--url={agent.url}")
        assert checked.returncode == 1 and "is not as it was written" in checked.stderr, checked
        assert "the audit trail was changed" in agent.text()
    content = (where / "fettle.db").read_bytes()
    (where / "fettle.db").write_bytes(content[:4096] + b"\xa5" * 8192 + content[12288:])
    with agent:
        lib.wait_for("people to be told", lambda: any(a["labels"]["alertname"] == "StateDamaged" for a in hook.alerts("firing")))
        assert "fettle_state_damaged_files 1" in lib.get(f"{agent.url}/metrics")
        lib.wait_for("the page to say so", lambda: "State damaged" in lib.get(f"{agent.url}/"))
        assert "it was moved to" in agent.text()
        aside = [p for p in where.glob("fettle.db.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
        assert len(aside) == 1, aside
        aside[0].unlink()
        lib.wait_for("the end of the alert", lambda: any(a["labels"]["alertname"] == "StateDamaged" for a in hook.alerts("resolved")), 30)
print("format 2 was read, a damaged file was loud, and a changed entry was found")
