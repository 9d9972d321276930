#!/usr/bin/env python3
"""fettle rules debug, asked of a running agent: a pending, a firing and a quiet alert, each with the values that decided."""
import lib

CONFIG = """
global: {interval: 1s, timeout: 500ms}
rule_files: [rules.yml]
services:
  order:
    probes: [{name: self, type: exec, command: [/bin/false]}]
  payment:
    probes: [{name: self, type: exec, command: [/bin/true]}]
"""

RULES = """
groups:
  - name: shop
    rules:
      - {alert: Waiting, expr: 'probe_success == 0 and on (service) fettle_service_up == 0', for: 1h}
      - {alert: Firing, expr: 'fettle_service_up == 0'}
      - {alert: Quiet, expr: 'probe_success{service="payment"} == 0'}
"""


def debug(agent, alert):
    return lib.fettle("rules", "debug", alert, f"--url={agent.url}")


with lib.folder() as where:
    (where / "rules.yml").write_text(RULES)
    with lib.Agent(where, CONFIG) as agent:
        lib.wait_for("two alerts", lambda: len(agent.alerts()) == 2, 60)

        waiting = debug(agent, "Waiting")
        print(waiting.stdout)
        assert waiting.returncode == 0, waiting
        for line in ("alert Waiting is pending\n", "if it goes on to hold\n", "  probe_success == 0 and on (service) fettle_service_up == 0: 1 series\n",
                     "    fettle_service_up == 0: 1 series\n"):
            assert line in waiting.stdout, line

        firing = debug(agent, "Firing")
        assert firing.returncode == 1 and "alert Firing is firing\n" in firing.stdout, firing

        # The rule may have been evaluated before payment's first run.
        lib.wait_for("an evaluation over payment's series", lambda: "no series matches" not in debug(agent, "Quiet").stdout)
        quiet = debug(agent, "Quiet")
        assert quiet.returncode == 0, quiet
        assert quiet.stdout.endswith('why nothing is found\n  probe_success{service="payment"} == 0 does not hold for the one series there is\n'), quiet.stdout

        slip = debug(agent, "Fireing")
        assert slip.returncode == 2 and "did you mean Firing?" in slip.stderr, slip
print("three alerts explained by the values of the running agent")
