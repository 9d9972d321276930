#!/usr/bin/env python3
"""The command line against a running agent whose port has a login: reading goes through the admin socket, another way is
--url with --http.config.file, and no password is printed. Exit codes, completions of bash, files of include, fettle init."""
import json
import os
import pathlib
import shutil
import subprocess

import lib

PASSWORD = "abc123xyz"
HASH = "$2y$05$fettletestsaltfettlete.nNZj4X/kWFj6T59q9pV3XJqHbzau9u"
CONFIG = """
global: {interval: 200ms, timeout: 100ms}
include: [services.d/*.yml]
services:
  order: {probes: [{type: exec, command: [/bin/true]}]}
"""
PAYMENT = "services:\n  payment: {probes: [{type: exec, command: [/bin/true]}], depends_on: [order]}\n"


def agent_of(where):
    (where / "web.yml").write_text(f'basic_auth_users: {{alice: "{HASH}"}}\n')
    (where / "client.yml").write_text(f"basic_auth: {{username: alice, password: {PASSWORD}}}\n")
    (where / "services.d").mkdir()
    (where / "services.d/payment.yml").write_text(PAYMENT)
    agent = lib.Agent(where, CONFIG, f"--web.config.file={where}/web.yml")
    agent.ready = lambda: lib.fettle("status", f"--admin.socket={agent.admin}").returncode == 0
    return agent


def check(done, code, *wanted):
    """One run of the command line: its exit code, and words of what it said; never the password."""
    said = done.stdout + done.stderr
    assert done.returncode == code, (done.args, done.returncode, said)
    assert PASSWORD not in said, said
    for words in wanted:
        assert words in said, (done.args, words, said)
    return said


def ways(where, agent):
    socket = f"--admin.socket={agent.admin}"
    check(lib.fettle("status", socket), 0, "order", "payment")
    check(lib.fettle("explain", "payment", socket), 0, "It depends on order")
    check(lib.fettle("trust", "payment", socket), 1, "there is nothing to switch on")
    check(lib.fettle("recoveries", socket), 0, "no plan has run yet")
    # The newest sample is younger than the last step of a range that is asked for at once.
    lib.wait_for("a sample of order", lambda: 'service="order"' in lib.fettle("query", "--start=-10s", "--step=1s", "fettle_service_up", socket).stdout)
    check(lib.fettle("query", "--start=-10s", "--step=1s", "fettle_service_up", socket), 0, 'service="order"')
    check(lib.fettle("status", f"--url={agent.url}"), 1, "HTTP 401", "--http.config.file")
    check(lib.fettle("status", f"--url={agent.url}", f"--http.config.file={where}/client.yml"), 0, "order")
    with_password = agent.url.replace("//", f"//alice:{PASSWORD}@")
    check(lib.fettle("status", f"--url={with_password}"), 0, "order")
    check(lib.fettle("status", f"--url={agent.url}9/"), 3, f"{agent.url}9/api/v1/services")
    check(lib.fettle("status", "order", "odrer", f"--url={with_password}"), 2, "odrer")
    check(lib.fettle("explain", "odrer", socket), 2, 'no service "odrer"')
    check(lib.fettle("status", f"--admin.socket={where}/none", f"--url={with_password}9"), 3, "is the agent running?")
    check(lib.fettle("reload", f"--admin.socket={where}/none"), 3, "is the agent running?")
    check(lib.fettle("stauts"), 2, "did you mean 'fettle status'?")
    check(lib.fettle("status", "--outputt=json"), 2, "fettle status: ", "did you mean --output?")
    check(lib.fettle("silence"), 2, "fettle silence: say what: add, list, expire\nfettle help silence says how\n")
    assert json.loads(lib.fettle("version", "-o", "json").stdout)["revision"]
    run = json.loads(lib.fettle("probe", "exec", "command=[/bin/true]", "-o", "json").stdout)
    assert run["up"] and run["probe"] == "exec", run


def as_json(where, agent):
    """One document on standard output and nothing beside it, with the exit code of the words for people."""
    good, bad, tests = where / "good.yml", where / "bad.yml", where / "tests.yml"
    good.write_text("groups: [{name: g, rules: [{alert: Away, expr: 'absent(fettle_service_up)'}]}]\n")
    bad.write_text("groups: [{name: g, rules: [{alert: Away, expr: 'sum('}]}]\n")
    tests.write_text("rule_files: [good.yml]\ntests: [{name: away, alert_rule_test: [{eval_time: 1m, alertname: Away, exp_alerts: []}]}]\n")
    (where / "silent.yml").write_text(CONFIG.replace("include: [services.d/*.yml]", "route: {receiver: ops}\nreceivers: [{name: ops}]"))
    (where / "wrong.yml").write_text("services: {order: {probe: []}}\n")
    socket = f"--admin.socket={agent.admin}"
    quiet = {"input": "# TYPE x counter\nx 1\n"}
    for code, words, holds, options in (
            (0, ("check", "rules", good), lambda d: d["ok"] and d["files"][0]["rules"] == 1, {}),
            (1, ("check", "rules", good, bad), lambda d: not d["ok"] and "parse error" in d["files"][1]["mistakes"][0], {}),
            (1, ("check", "rules", good, f"--config.file={where}/wrong.yml"), lambda d: "probe" in d["files"][0]["mistakes"][0], {}),
            (1, ("check", "metrics"), lambda d: not d["ok"] and "x" in d["findings"][0], quiet),
            (1, ("check", "metrics"), lambda d: d["mistakes"], {"input": "x{ 1\n"}),
            (1, ("test", "rules", tests), lambda d: d["files"][0]["tests"][0]["name"] == "away" and d["files"][0]["tests"][0]["failures"], {}),
            (1, ("test", "rules", "--run", "other", "--run", "away", tests), lambda d: [t["name"] for t in d["files"][0]["tests"]] == ["away"], {}),
            (1, ("audit", f"--config.file={where}/silent.yml"), lambda d: "no-rule" in [f["gap"] for f in d["findings"]] and d["notes"], {}),
            (1, ("audit", f"--config.file={where}/wrong.yml"), lambda d: not d["ok"] and "probe" in d["mistakes"][0], {}),
            (0, ("notify", "test", "ops", f"--config.file={where}/silent.yml"), lambda d: d["ok"] and d["messages"] == [], {}),
            (1, ("notify", "test", "oops", f"--config.file={where}/silent.yml"), lambda d: "there are: ops" in d["mistakes"][0], {}),
            (1, ("silence", "expire", "none", socket), lambda d: not d["silences"][0]["expired"] and d["silences"][0]["error"], {}),
            (0, ("silence", "list", socket), lambda d: d == [], {}),
            (0, ("init", "-"), lambda d: d["text"].startswith("# Written by") and isinstance(d["services"], list), {})):
        done = lib.fettle(*words, "-o", "json", **options)
        assert done.returncode == code and done.stderr == "", (words, done.returncode, done.stdout, done.stderr)
        assert holds(json.loads(done.stdout)), (words, done.stdout)
        people = lib.fettle(*words, **options)
        assert people.returncode == code, (words, people.returncode, people.stdout, people.stderr)


def included(where, agent):
    """A name that stands twice refuses the reload, with both places; the old configuration goes on."""
    socket = f"--admin.socket={agent.admin}"
    shown = lib.fettle("check", "config", agent.config).stdout
    assert "with 1 file of include: ok: 2 services" in shown, shown
    (where / "services.d/stock.yml").write_text("services:\n  stock: {}\n  payment: {}\n")
    check(lib.fettle("reload", socket), 1, "services.d/stock.yml:3:3: services.payment: a service of this name stands at",
          "services.d/payment.yml:2:3")
    check(lib.fettle("status", socket), 0, "payment")
    (where / "services.d/stock.yml").write_text("services:\n  stock: {probes: [{type: exec, command: [/bin/true]}]}\n")
    check(lib.fettle("reload", socket), 0)
    lib.wait_for("the new service", lambda: "stock" in lib.fettle("status", socket).stdout)


def completions(where):
    """What bash would offer; the program that it asks is this one."""
    binaries = where / "bin"
    binaries.mkdir()
    os.symlink(lib.FETTLE, binaries / "fettle")

    def offered(*words):
        script = (f'. "{lib.TOP}/packaging/completions/fettle.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  'compopt() { :; }; _fettle; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run([shutil.which("bash"), "-c", script, "bash", "fettle", *words], capture_output=True, text=True,
                              env={**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}, cwd=where)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout.split()

    assert offered("stat") == ["status"], offered("stat")
    assert offered("status", "--output", "=", "j") == ["json"], offered("status", "--output", "=", "j")
    assert offered("silence", "l") == ["list"]
    assert offered("audit", "--skip", "no-pl") == ["no-plan"], offered("audit", "--skip", "no-pl")
    assert "http" in offered("probe", "ht")
    assert offered("check", "config", "fettle.y") == ["fettle.yml"], offered("check", "config", "fettle.y")


def stranger(where, agent):
    """A user in no group of the socket reads nothing over it, changes nothing, and hears which group would do."""
    if os.geteuid() != 0:
        print("skipped: to be another user needs root")
        return
    where.chmod(0o755)
    os.chmod(agent.admin, 0o660)
    program = shutil.copy(lib.FETTLE, where / "fettle")

    def as_nobody(*words):
        return subprocess.run([program, *words], capture_output=True, text=True, user=65534, group=65534, extra_groups=[], cwd="/")

    socket = f"--admin.socket={agent.admin}"
    check(as_nobody("reload", socket), 1, f"you may not open {agent.admin}: it is for root and the group root", "sudo usermod -aG root")
    check(as_nobody("status", socket), 1, "you may not open")
    check(as_nobody("init", "-"), 0, "# Left out, or not seen:")


def first_file(where):
    """What runs here, whatever it is, becomes a configuration that the agent would start with."""
    file = where / "first.yml"
    check(lib.fettle("init", file), 0, "all plans in dry_run")
    check(lib.fettle("check", "config", file), 0, "ok: ")
    assert "mode: enforce\n" not in file.read_text()
    assert json.loads(lib.fettle("check", "config", "-o", "json", file).stdout)["ok"]
    check(lib.fettle("init", file), 1, "is there already: --force replaces it")
    check(lib.fettle("init", file, "--force", "--no-connect"), 0)
    assert pathlib.Path(f"{file}.old").exists()
    assert lib.fettle("init", "-").stdout.startswith("# Written by")


def pauses(where):
    """A file that pauses a service, and one that pauses the node: on the page, in the API and on the command line, for as long
    as it is there."""
    of_order, of_node = where / "order.pause", where / "pause"
    with lib.Agent(where, f"""
global: {{interval: 100ms, timeout: 100ms, recovery: {{pause_file: {of_node}}}}}
services:
  order:
    probes: [{{type: exec, command: [/bin/true]}}]
    recovery:
      when: {{alert: ServiceDown}}
      maintenance: {{pause_file: {of_order}}}
      steps: [{{do: {{command: {{argv: [/bin/true]}}}}}}]
""") as agent:
        socket = f"--admin.socket={agent.admin}"

        def shown():
            data = lib.get_json(f"{agent.url}/api/v1/services")["data"]
            page = lib.get(agent.url)
            return (data["paused"], data["services"][0]["paused"], "No recovery begins on this node" in page, f"{of_order} exists" in page)

        lib.wait_for("nothing paused", lambda: shown() == ("", "", False, False), state=shown)
        of_order.touch()
        lib.wait_for("the service paused", lambda: shown() == ("", f"{of_order} exists: remove it to go on", False, True), state=shown)
        check(lib.fettle("status", socket), 0, "dry_run: paused")
        check(lib.fettle("explain", "order", socket), 0, f"Recovery is paused ({of_order} exists")
        of_node.touch()
        lib.wait_for("the node paused", lambda: shown() == (f"{of_node} exists: remove it to go on", "", True, False), state=shown)
        check(lib.fettle("status", socket), 0, f"no recovery begins on this node: {of_node} exists: remove it to go on")
        check(lib.fettle("top", "--once", socket), 0, "recovery is paused")
        of_node.unlink()
        of_order.unlink()
        lib.wait_for("nothing paused any more", lambda: shown() == ("", "", False, False), state=shown)


with lib.folder() as where:
    pauses(where)
with lib.folder() as where:
    with agent_of(where) as agent:
        ways(where, agent)
        as_json(where, agent)
        included(where, agent)
        completions(where)
        first_file(where)
        stranger(where, agent)
print("the command line reads over the socket, asks as it is told, ends as it says, and completes")
