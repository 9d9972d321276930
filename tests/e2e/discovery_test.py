#!/usr/bin/env python3
"""Sources of targets on a running agent: a file of targets makes probes, with its labels on their series; another content
changes them; one with mistakes changes nothing and says so, also over a reload; without the file they are gone, with stale
markers. Targets of the configuration itself come and go with a reload."""
import json
import os
import signal
import socket

import lib

CONFIG = """
global: {interval: 1s, timeout: 500ms}
services:
  edge:
    healthy_when: any
    file_sd_configs:
      - files: [targets/*.json, targets/*.yml]
        refresh_interval: 1h
        probe: {type: tcp, interval: 200ms, timeout: 200ms, labels: {team: shop}}
"""

STATIC = """
global: {interval: 1s, timeout: 500ms}
services:
  fixed:
    static_configs:
      - targets: ['%s']
        labels: {zone: eu}
        probe: {type: tcp, interval: 200ms, timeout: 200ms}
"""


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener, "127.0.0.1:%d" % listener.getsockname()[1]


def write(path, text):
    """As a careful program does: the whole file at once."""
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)


with lib.folder() as where:
    (where / "targets").mkdir()
    (first, one), (second, two) = listen(), listen()
    closed = "127.0.0.1:%d" % lib.free_ports(1)[0]
    with lib.Agent(where, CONFIG) as agent:

        def probes():
            return {p["name"]: p for p in agent.service("edge")["probes"]}

        def success(**labels):
            matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
            return {s["metric"]["target"]: (s["metric"], float(s["value"][1])) for s in agent.query(f"probe_success{{{matchers}}}")}

        def runs_of(name):
            return float(metric(f'fettle_probe_runs_total{{probe="{name}",service="edge"}}')[0].rsplit(" ", 1)[1])

        def metric(name):
            return [line for line in lib.get(f"{agent.url}/metrics").splitlines() if line.startswith(name)]

        assert probes() == {}, probes()

        write(where / "targets" / "a.json", json.dumps([{"targets": [one, closed], "labels": {"zone": "eu"}}]))
        lib.wait_for("both targets to be probed", lambda: len(success(zone="eu")) == 2)
        found = success(service="edge", probe=f"tcp@{one}")
        assert found[one][1] == 1 and found[one][0]["team"] == "shop" and found[one][0]["zone"] == "eu", found
        assert not any(name.startswith("__") for name in found[one][0] if name != "__name__"), found
        assert success()[closed][1] == 0, success()
        lib.wait_for("the service to be up", lambda: agent.service("edge")["health"] == "up")
        # What is probed may be asked for by hand, too.
        assert "probe_success 1" in lib.get(f"{agent.url}/probe?module=tcp_connect&target={one}")
        done = lib.fettle("probe", f"edge/tcp@{one}", f"--config.file={agent.config}")
        assert done.returncode == 0 and done.stdout.startswith(f"UP edge/tcp@{one} "), done
        done = lib.fettle("probe", "edge/tcp", f"--config.file={agent.config}")
        assert done.returncode == 3 and f"there are: edge/tcp@{one}, edge/tcp@{closed}" in done.stderr, done
        done = lib.fettle("check", "config", agent.config)
        assert done.returncode == 0 and "1 service, 2 probes" in done.stdout, done

        # Another label is another series; the probe itself goes on.
        runs = runs_of(f"tcp@{one}")
        write(where / "targets" / "a.json", json.dumps([{"targets": [one], "labels": {"zone": "us"}}]))
        lib.wait_for("the other label", lambda: len(success(zone="us")) == 1)
        assert success(zone="eu") == {}, success(zone="eu")
        assert runs_of(f"tcp@{one}") >= runs and f"tcp@{closed}" not in probes(), probes()

        # A second file, and an override of one of its targets.
        write(where / "targets" / "b.yml", f"- targets: ['{two}']\n  labels: {{__param_module: tcp_connect, zone: asia}}\n")
        lib.wait_for("the second file", lambda: success(zone="asia").get(two, (0, 0))[1] == 1)
        assert f"tcp_connect@{two}" in probes(), probes()

        # Mistakes: the last good content goes on, and the log, a metric and the page say so.
        write(where / "targets" / "b.yml", f"- target: ['{one}']\n")
        lib.wait_for("the metric", lambda: any(line.endswith(" 0") for line in metric("fettle_sd_last_refresh_successful")))
        assert success(zone="asia")[two][1] == 1
        assert [line.rsplit(" ", 1)[1] for line in metric("fettle_sd_targets{")] == ["1", "1"], metric("fettle_sd")
        page = lib.get(agent.url + "/")
        assert "A source of targets cannot be used" in page and "did you mean &#39;targets&#39;" in page.replace("'", "&#39;"), page
        assert "did you mean 'targets'" in agent.text(), agent.text()
        done = lib.fettle("check", "config", agent.config)
        assert done.returncode == 1 and "b.yml" in done.stderr and "did you mean 'targets'" in done.stderr, done
        os.kill(agent.child.pid, signal.SIGHUP)
        lib.wait_for("the reload", lambda: "the configuration was loaded" in agent.text())
        assert success(zone="asia")[two][1] == 1 and f"tcp_connect@{two}" in probes(), probes()
        assert "did you mean" in lib.get(agent.url + "/")
        write(where / "targets" / "b.yml", f"- targets: ['{two}']\n  labels: {{zone: asia}}\n")
        lib.wait_for("the file to be good again", lambda: f"tcp@{two}" in probes())
        assert "A source of targets cannot be used" not in lib.get(agent.url + "/")

        # A label that would run something, read a file or lead elsewhere: its target is not probed, the others are.
        pwned = where / "pwned"
        steal = [{"targets": ["steal:1"], "labels": {"__probe_type": "exec", "__probe_command": f"[/usr/bin/touch, {pwned}]"}},
                 {"targets": ["steal:2"], "labels": {"__probe_unix_socket": "/run/docker.sock"}},
                 {"targets": [two], "labels": {"zone": "asia"}}]
        write(where / "targets" / "b.yml", json.dumps(steal))
        lib.wait_for("the refusal", lambda: "a target is not probed" in agent.text())
        assert f"tcp@{two}" in probes() and not any("steal" in name for name in probes()), probes()
        # Log and page have the first and a number, the check has all.
        checked = lib.fettle("check", "config", agent.config).stderr
        for said, more in ((agent.text(), "1 more target of this source is not probed"),
                           (lib.get(agent.url + "/"), "1 more target of this source is not probed"), (checked, "target steal:2")):
            for word in ("b.yml", "target steal:1", "label __probe_type", "which only the template may", more):
                assert word in said, (word, said)
        assert not pwned.exists()
        write(where / "targets" / "b.yml", f"- targets: ['{two}']\n  labels: {{zone: asia}}\n")
        lib.wait_for("the file to be good again", lambda: "steal" not in lib.get(agent.url + "/"))

        # A reload keeps what was discovered.
        runs = runs_of(f"tcp@{one}")
        os.kill(agent.child.pid, signal.SIGHUP)
        lib.wait_for("the reload", lambda: agent.text().count("the configuration was loaded") == 2)
        lib.wait_for("a run after the reload", lambda: runs_of(f"tcp@{one}") > runs)

        # Gone: no probe, no series (a stale marker ended them), and the service is unknown again.
        (where / "targets" / "a.json").unlink()
        (where / "targets" / "b.yml").unlink()
        lib.wait_for("the probes to be gone", lambda: probes() == {})
        assert success() == {}, success()
        assert agent.service("edge")["health"] == "unknown", agent.service("edge")
        assert metric("fettle_sd_") == [], metric("fettle_sd_")

    (where / "static").mkdir()
    with lib.Agent(where / "static", STATIC % one) as agent:

        def fixed():
            return {s["metric"]["probe"]: s["metric"]["zone"] for s in agent.query('probe_success{service="fixed"} == 1')}

        lib.wait_for("the target of the configuration", lambda: fixed() == {f"tcp@{one}": "eu"})
        said = 'fettle_sd_targets{service="fixed",source="services.fixed.static_configs"} 1'
        assert said in lib.get(f"{agent.url}/metrics"), lib.get(f"{agent.url}/metrics")
        write(agent.config, STATIC % f"{two}', 'nowhere:0")
        os.kill(agent.child.pid, signal.SIGHUP)
        lib.wait_for("the other target", lambda: fixed() == {f"tcp@{two}": "eu"})
        done = lib.fettle("check", "config", agent.config)
        assert done.returncode == 1 and "services.fixed.static_configs" in done.stderr, done
        assert "target nowhere:0.port: must be between 1 and 65535" in done.stderr, done
    first.close()
    second.close()
print("targets came, changed, broke and went")
