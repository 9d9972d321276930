#!/usr/bin/env python3
"""Queries of a running agent that would take ten minutes: a client that leaves ends its own, running or waiting; who waits
longer than his time is told Prometheus' words; and the agent's counters say all of it."""
import json
import re
import socket
import urllib.error
import urllib.parse

import lib

CONFIG = """
global: {interval: 1s, timeout: 500ms}
services:
  order:
    probes: [{name: self, type: exec, command: [/bin/true]}]
"""

# Steps without end that find nothing: with a limit of samples that allows them, only the time ends it, or somebody.
ENDLESS = "count_over_time((vector(1) > 2)[100y:1ms])"


def metric(agent, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", lib.get(f"{agent.url}/metrics"), re.M)[1])


def ask(agent, path):
    client = socket.create_connection(("127.0.0.1", agent.port))
    client.sendall(f"GET /api/v1/{path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    return client


def wait_for_metrics(agent, what, **wanted):
    names = {"running": "prometheus_engine_queries", "canceled": 'fettle_queries_total{result="canceled"}',
             "timeout": 'fettle_queries_total{result="timeout"}'}
    lib.wait_for(what, lambda: all(metric(agent, names[key]) == value for key, value in wanted.items()))


query = "query?query=" + urllib.parse.quote(ENDLESS)
with lib.folder() as where, lib.Agent(where, CONFIG, "--query.max-concurrency=1", "--query.timeout=10m",
                                              "--query.max-samples=1000000000000000") as agent:
    assert metric(agent, "prometheus_engine_queries_concurrent_max") == 1
    first = ask(agent, query)
    wait_for_metrics(agent, "the first query to run", running=1)

    second = ask(agent, query)
    wait_for_metrics(agent, "the second to wait for its turn", running=2)
    second.close()
    wait_for_metrics(agent, "the second to go with its client", running=1, canceled=1)

    try:
        lib.get(f"{agent.url}/api/v1/query?query=1&timeout=100ms")
        raise AssertionError("a query had an answer although another took the only turn")
    except urllib.error.HTTPError as late:
        assert late.code == 503, late
        assert json.loads(late.read()) == {"status": "error", "errorType": "timeout", "error": "query timed out in query queue"}
    wait_for_metrics(agent, "that to be counted", running=1, timeout=1)

    # Pages, scrapes and the rest of the API need no turn.
    assert lib.get_json(f"{agent.url}/api/v1/labels")["status"] == "success"

    first.close()
    wait_for_metrics(agent, "the first query to go with its client", running=0, canceled=2)
    assert agent.query("1 + 1")[1] == "2"

    third = ask(agent, "query_range?start=0&end=1000&step=1&query=" + urllib.parse.quote(ENDLESS))
    wait_for_metrics(agent, "a range query to run", running=1)
    third.shutdown(socket.SHUT_WR)  # as curl does it that is stopped: the kernel closes both sides
    third.close()
    wait_for_metrics(agent, "the range query to go with its client", running=0, canceled=3)
    agent.stop()
    assert agent.child.returncode == 0, agent.child.returncode
print("three clients left, and their queries with them")
