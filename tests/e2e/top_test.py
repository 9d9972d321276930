#!/usr/bin/env python3
"""fettle top in a pseudo terminal against a real agent: a service dies and goes to the first line, the screen follows the size of
the terminal, arrows move it, and q, a signal and the end of the terminal leave everything as it was."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios

import lib

CONFIG = """
global: {{interval: 200ms, timeout: 150ms}}
services:
""" + "".join(f"  cache-{i:02}: {{{{probes: [{{{{type: tcp, host: 127.0.0.1, port: {{peer}}}}}}]}}}}\n" for i in range(20)) + """
  order: {{probes: [{{type: http, url: "http://127.0.0.1:{shop}/healthz"}}]}}
"""
BEGIN, END = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


class Terminal:
    def __init__(self, rows, columns, *words):
        # The other end stays open here, so that its settings can still be read when the program has ended.
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.text, self.code = b"", None
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.master)
            os.login_tty(self.slave) if hasattr(os, "login_tty") else self.take()
            os.execv(lib.FETTLE, [lib.FETTLE, "top", *map(str, words)])

    def take(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for each in (0, 1, 2):
            os.dup2(self.slave, each)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0.05)[0]:
            try:
                self.text += os.read(self.master, 65536)
            except OSError:
                break
        return self.text

    def screen(self):
        """The lines of the last whole picture, without colours."""
        whole = self.read().split(b"\x1b[H")
        ended = [each for each in whole if each.endswith(b"\x1b[J")]
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", ended[-1].decode()) if ended else ""
        return [line.rstrip("\r") for line in text.split("\n")]

    def press(self, keys):
        os.write(self.master, keys)

    def ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return pid != 0

    def left_well(self, code):
        lib.wait_for("the end of fettle top", self.ended)
        assert self.code == code, (self.code, self.read()[-300:])
        assert self.read().startswith(BEGIN) and self.read().endswith(END), (self.text[:40], self.text[-40:])
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is not as it was"


with lib.folder() as where:
    peer = lib.Webhook()
    shop = lib.Shop(where, "inventory")
    with shop, lib.Agent(where, CONFIG.format(peer=peer.port, shop=shop.port)) as agent:
        lib.wait_for("all to be up", lambda: all(s["health"] == "up" for s in lib.get_json(f"{agent.url}/api/v1/services")["data"]["services"]))
        socket = f"--admin.socket={agent.admin}"
        once = lib.fettle("top", socket)
        assert once.returncode == 0 and once.stdout.count("\n") == 23 and "\x1b" not in once.stdout, once
        assert lib.fettle("top", "--once", f"--admin.socket={where}/none", f"--url=http://127.0.0.1:{lib.free_ports(1)[0]}").returncode == 3

        terminal = Terminal(24, 100, socket)
        lib.wait_for("the picture", lambda: "0 of 21 services down" in "".join(terminal.screen()), state=terminal.read)
        shop.kill()
        lib.wait_for("order on the first line", lambda: len(terminal.screen()) > 2 and terminal.screen()[2].startswith("order"), state=terminal.screen)
        assert "down" in terminal.screen()[2] and "1 of 21 services down" in terminal.screen()[0], terminal.screen()
        terminal.resize(8, 40)
        lib.wait_for("a smaller picture", lambda: len(terminal.screen()) == 8 and max(map(len, terminal.screen())) == 40, state=terminal.screen)
        top = terminal.screen()[1]
        terminal.press(b"\x1b[B")
        lib.wait_for("the next line", lambda: terminal.screen()[1].startswith("order"), state=terminal.screen)
        terminal.press(b"\x1bOA")
        lib.wait_for("the first line", lambda: terminal.screen()[1] == top, state=terminal.screen)
        terminal.press(b"\x1b[6~\x1b[6~\x1b[6~\x1b[6~")
        lib.wait_for("the last line", lambda: terminal.screen()[-1].startswith("cache-19"), state=terminal.screen)
        terminal.press(b"q")
        terminal.left_well(0)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal = Terminal(24, 80, socket)
            lib.wait_for("the picture", lambda: len(terminal.screen()) > 2)
            os.kill(terminal.pid, number)
            terminal.left_well(-number)
        terminal = Terminal(24, 80, socket)
        lib.wait_for("the picture", lambda: len(terminal.screen()) > 2)
        terminal.press(b"\x03")  # as a person types it
        terminal.left_well(-signal.SIGINT)
        terminal = Terminal(24, 80, socket)
        lib.wait_for("the picture", lambda: len(terminal.screen()) > 2)
        agent.stop()
        lib.wait_for("the word that the agent is gone", lambda: "no answer" in terminal.screen()[0] and any("order" in line for line in terminal.screen()[1:]), state=terminal.screen)
        terminal.press(b"Q")
        terminal.left_well(0)
print("a service that dies is the first line, the picture follows the terminal, and each end leaves it as it was")
