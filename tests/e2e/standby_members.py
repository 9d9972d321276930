"""What the tests of hot standbys have in common, whatever the servers are."""
import time

import lib


class Member:
    """A node of a standby with its agent. `site` has its configuration, `where` is its folder."""

    agent = None

    def start_agent(self):
        if self.agent is None:
            self.agent = lib.Agent(self.where, self.site.config(self))
        self.agent.start()

    def standby(self):
        return lib.get_json(self.agent.url + "/api/v1/standbys")["data"]["standbys"][0]

    def refusals(self):
        return [gate["name"] for gate in self.standby()["gates"] if not gate["open"]]


def restart_agent_at(node, words, fail, seconds):
    """Kills the node's agent as soon as it logs the words after `fail`, and starts it again."""
    seen = node.agent.text().count(words)
    fail()
    end = time.monotonic() + seconds
    while node.agent.text().count(words) == seen and time.monotonic() < end:
        time.sleep(0.001)
    node.agent.kill()
    node.start_agent()
