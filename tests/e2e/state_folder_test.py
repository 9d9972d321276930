#!/usr/bin/env python3
"""The state folder is full, read-only, no folder, or deleted, or its files are cut: the agent starts, probes, tells people, takes no recovery
action and says why; what was durable before is known; and it uses the folder as soon as it can be used."""
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import lib

if "FETTLE_OWN_MOUNTS" not in os.environ:
    # Mounts of its own, gone with this process.
    os.environ["FETTLE_OWN_MOUNTS"] = "1"
    unshare = lib.need("unshare")
    if subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode != 0:
        print("skipped: this user may not have mounts of his own (unshare --mount needs root)")
        sys.exit(lib.SKIPPED)
    os.execv(unshare, [unshare, "--mount", sys.executable, *sys.argv])

CONFIG = """
global: {{interval: 200ms, timeout: 100ms, evaluation_interval: 1s}}
rule_files: [rules.yml]
services:
  order:
    probes: [{{name: file, type: file, path: "{where}/order.up", failure_threshold: 1}}]
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 100, within: 1h, backoff: {{initial: 0s, max: 0s, jitter: 0}}}}
      steps: [{{do: {{command: {{argv: [/usr/bin/touch, "{where}/order.up"]}}}}, timeout: 10s, verify: {{success_threshold: 1, within: 10s}}}}]
receivers:
  - {{name: ops, tell: all, webhook_configs: [{{url: "http://127.0.0.1:{port}/hook"}}]}}
"""
RULES = "groups: [{name: trading, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n"


hook = lib.Webhook()


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def durable(agent):
    return [line for line in lib.get(agent.url + "/metrics").splitlines() if line.startswith("fettle_state_durable ")] == ["fettle_state_durable 1"]


def told():
    return [a["labels"]["alertname"] for a in hook.alerts("firing")]


def blocked_by_state(agent):
    return [s for s in lib.get_json(agent.url + "/api/v1/services")["data"]["services"] if "state" in str(s.get("recovery", ""))]


def cannot_write(where, agent, up):
    """A service dies: it is seen and told, and nothing is done to it."""
    up.unlink(missing_ok=True)
    hook.messages.clear()
    with agent:
        lib.wait_for("the service to be down", lambda: agent.service("order")["health"] == "down")
        lib.wait_for("people to be told", lambda: "ServiceDown" in told())
        lib.wait_for("the agent to say that nothing is durable", lambda: not durable(agent))
        lib.wait_for("the recovery to be refused", lambda: lib.fettle("explain", "order", f"--url={agent.url}").stdout.find("state") >= 0)
        assert not up.exists(), "an action was taken although its intent is not durable"
        lib.wait_for("the page to say so", lambda: "do not become durable" in lib.get(agent.url + "/"))
        refused = lib.fettle("silence", "add", "-c", "not now", "service=order", f"--admin.socket={agent.admin}")
        assert refused.returncode == 1 and "fettle.db" in refused.stderr, refused
        yield
    assert agent.child.returncode == 0, agent.child.returncode


def silences(agent):
    return json.loads(lib.fettle("silence", "list", "-o", "json", f"--admin.socket={agent.admin}").stdout)


with lib.folder() as where:
    state, up = where / "state", where / "order.up"
    state.mkdir()
    (where / "rules.yml").write_text(RULES)
    config = CONFIG.format(where=where, port=hook.port)
    agent = lib.Agent(where, config)
    agent.argv = [f"--storage.path={state}" if word.startswith("--storage.path=") else word for word in agent.argv]

    print("full from the start, then freed")
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", state)
    (state / "ballast").write_bytes(b"x" * 65536)
    for _ in cannot_write(where, agent, up):
        (state / "ballast").unlink()
        mount("-o", "remount,size=64m", state)
        lib.wait_for("the recovery, now that its intent is durable", up.exists, 60)
        lib.wait_for("the metric", lambda: durable(agent))
        lib.wait_for("the service", lambda: agent.service("order")["health"] == "up")

    print("read-only: what was durable is known")
    with agent:
        assert durable(agent)
        done = lib.fettle("silence", "add", "-d", "1h", "-c", "known before", "service=other", f"--admin.socket={agent.admin}")
        assert done.returncode == 0, done
        agent.kill()  # what is in the WAL only must be found as well
    mount("-o", "remount,ro", state)
    for _ in cannot_write(where, agent, up):
        assert [s["comment"] for s in silences(agent)] == ["known before"]
    mount("-o", "remount,rw", state)

    print("deleted while the agent runs")
    with agent:
        lib.wait_for("the recovery of the service that was left down", up.exists, 60)
        for path in state.iterdir():
            path.unlink()
        done = lib.fettle("silence", "add", "-d", "1h", "-c", "after", "service=other", f"--admin.socket={agent.admin}")
        assert done.returncode == 0, done
        agent.kill()
    with agent:
        assert sorted(s["comment"] for s in silences(agent)) == ["after", "known before"]

    harmed = "the state file or its -wal was removed, replaced, cut short, damaged or changed by others"
    known = ["after", "known before"]
    for what, harm in (("the -wal deleted", lambda: (state / "fettle.db-wal").unlink()),
                       ("the -wal emptied", lambda: os.truncate(state / "fettle.db-wal", 0)),
                       ("the file emptied", lambda: os.truncate(state / "fettle.db", 0))):
        for end in (agent.kill, agent.stop):
            print(f"{what} while the agent runs, then {end.__name__}")
            agent.log.unlink()
            with agent:
                add = lambda: lib.fettle("silence", "add", "-d", "1h", "-c", f"{what}, {end.__name__}", "service=other", f"--admin.socket={agent.admin}")
                assert add().returncode == 0
                harm()
                lib.wait_for("the agent to see it", lambda: harmed in agent.text())  # without any change
                assert add().returncode == 0 and durable(agent)
                known += [f"{what}, {end.__name__}"] * 2
                end()
            with agent:
                assert sorted(s["comment"] for s in silences(agent)) == sorted(known)

    print("somebody looks into the file, and merges the -wal")
    agent.log.unlink()
    with agent, contextlib.closing(sqlite3.connect(state / "fettle.db", isolation_level=None)) as person:
        for sql in "SELECT count(*) FROM records", "PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)":
            person.execute(sql).fetchall()
            done = lib.fettle("silence", "add", "-d", "1h", "-c", sql, "service=other", f"--admin.socket={agent.admin}")
            assert done.returncode == 0 and durable(agent)
            known.append(sql)
        person.close()
        agent.kill()
        assert harmed not in agent.text(), agent.text()
    with agent:
        assert sorted(s["comment"] for s in silences(agent)) == sorted(known)
    subprocess.run(["umount", str(state)], check=True)

    print("a folder in the place of the file")
    (state / "fettle.db").mkdir()
    for _ in cannot_write(where, agent, up):
        pass
    shutil.rmtree(state)
