"""What the tests of hot standbys have in common, whatever the servers are."""
import contextlib
import socket
import threading
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


class Way:
    """A way to a server, over which nothing comes or goes while it is cut: as a network that drops packets does."""

    def __init__(self, port):
        self.target, self.is_cut, self.over = port, threading.Event(), False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target), 5)
                self.sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                while self.is_cut.is_set():
                    time.sleep(0.01)
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def close(self):
        self.is_cut.clear()
        for each in [self.listener, *self.sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def restart_agent_at(node, words, fail, seconds):
    """Kills the node's agent as soon as it logs the words after `fail`, and starts it again."""
    seen = node.agent.text().count(words)
    fail()
    end = time.monotonic() + seconds
    while node.agent.text().count(words) == seen and time.monotonic() < end:
        time.sleep(0.001)
    node.agent.kill()
    node.start_agent()
