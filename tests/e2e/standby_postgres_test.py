#!/usr/bin/env python3
"""Pairs of real PostgreSQL servers with streaming replication and an agent each, elected in a real etcd of three. Every drill is
under writers that record each write that was acknowledged, and beside samplers that ask each server twenty times a second whether it
is a primary: there are never two, a promotion that may not be is refused by its name, and what a synchronous standby had is there
afterwards. The old primary rejoins by pg_rewind. STANDBY_DRILLS=20 repeats the promotions."""
import concurrent.futures
import contextlib
import os
import signal
import sys
import time

import fleet_test
import lib
import standby_members
from postgres_cluster import BIN
from postgres_pair import TTL, Connection, Site, ask

DRILLS = int(os.environ.get("STANDBY_DRILLS", "1"))


def kill(node):
    node.server.kill()


def freeze(node):
    node.signal(signal.SIGSTOP)


def kill_node(node):
    node.agent.kill()
    node.server.kill()


def freeze_node(node):
    node.agent.kill(signal.SIGSTOP)
    node.signal(signal.SIGSTOP)


def promotions(etcd, title, fail, tls=False):
    """The primary fails in one way, again and again, and rejoins each time."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, title.replace(" ", "-").replace(",", ""), etcd=etcd, tls=tls)
        a, b = site.nodes
        turns, times, acknowledged = [a.name], [], 0
        for _ in range(DRILLS):
            since = time.monotonic()
            fail(a)
            times.append(site.wait_for_primary(b, since))
            turns.append(b.name)
            acknowledged += len(site.writes_at(a, 0.0))
            gone = site.lost(a, b, 0.0, time.monotonic())
            assert not gone, f"{len(gone)} acknowledged writes are lost: {gone[:5]}"
            a.agent.kill(signal.SIGCONT)  # of a frozen one
            if a.agent.child.poll() is not None:
                a.start_agent()
            site.wait_for_replicas()
            site.synchronous(b)
            a, b = b, a
        site.never_two(turns)
        moved = (site.top / "moved").read_text().split()
        assert [name for i, name in enumerate(moved) if i == 0 or moved[i - 1] != name] == turns, moved
        cuts = lib.percentiles(times)
        return (f"{title}: {len(times)} promotions, to the next write {cuts[0.5]:.2f} s (median), {max(times):.2f} s (longest); "
                f"none of {acknowledged} writes lost that the primary had acknowledged")


def killed(etcd):
    return promotions(etcd, "primary killed", kill)


def frozen(etcd):
    return promotions(etcd, "primary frozen", freeze, tls=True)


def node_killed(etcd):
    return promotions(etcd, "node killed", kill_node)


def node_frozen(etcd):
    return promotions(etcd, "node frozen, thawed after the promotion", freeze_node)


def refusals(etcd):
    """A fence that fails, a manager beside it, a candidate that is behind; and an old primary that is started by others."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "refusals", etcd=etcd)
        a, b = site.nodes
        a.agent.kill()
        a.start_agent()
        site.wait_for_replicas()
        assert a.server.child.poll() is None and not (site.top / "fenced").exists(), "an agent that is started again has ended its server"

        manager = Connection(b.port, application="Patroni", user="postgres")
        site.refused(a, "managed_by_patroni")
        site.refused(b, "managed_by_patroni")
        manager.close()
        site.wait_for_primary(a, time.monotonic())

        (site.top / "no-fence").touch()
        a.agent.kill()
        site.refused(b, "primary_answers", 60)
        freeze(a)
        site.refused(b, "fence_not_proven", 60)
        assert b.in_recovery()
        a.signal(signal.SIGCONT)
        a.start_agent()
        site.wait_for_primary(a, time.monotonic())
        site.wait_for_replicas()
        (site.top / "no-fence").unlink()

        site.synchronous(a, "")
        freeze(b)
        ask(a.port, "INSERT INTO w SELECT 'big-' || i || repeat('x', 1000) FROM generate_series(1, 20000) i", 30)
        site.wait_for_primary(a, time.monotonic())
        lib.wait_for("a to see it", lambda: next(
            m["offset"] for m in a.standby()["members"] if m["node"] == "a") > 30_000_000, 20, site.state)
        a.agent.kill()
        kill(a)
        b.signal(signal.SIGCONT)
        # What was on its way may have come; if it had all, that would be no refusal.
        lib.wait_for("b to refuse", lambda: {"candidate_lag", "not_in_sync"} & set(b.refusals()), 60, site.state)
        assert b.in_recovery()
        site.never_two(["a"])
        return "an agent started again leaves its primary as it is; refused beside Patroni, while only the agent is away, with a fence that fails, and with a candidate that is behind"


def old_primary_is_started(etcd):
    """It has missed that another one was promoted, and begins as a primary: it is ended, and rejoins."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "old-primary", etcd=etcd)
        a, b = site.nodes
        kill_node(a)
        site.wait_for_primary(b, time.monotonic())
        (a.data / "standby.signal").unlink()
        since = time.monotonic()
        a.server.start()
        lib.wait_for("a to be a primary", lambda: any(s[0] > since for s in site.samplers[0].found), 20, site.state)
        site.refused(b, "two_primaries") if "two_primaries" in b.refusals() else None
        a.start_agent()
        site.wait_for_replicas()
        assert a.in_recovery()
        last = max(found[1] for found in site.samplers[0].found)
        took = [ack for ack in site.writes_at(a, since)]
        assert not took, f"the old primary has acknowledged {len(took)} writes without its synchronous standby"
        return (f"an old primary that others start again: ended by its agent {last - since:.1f} s after its start, no write acknowledged, "
                "rejoined by pg_rewind")


def agent_dies_in_mid_promotion(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "mid-promotion", etcd=etcd)
        a, b = site.nodes
        turns = ["a"]
        for words in ["took the right to be the primary", "fence proven", "the server here was promoted"]:
            since = time.monotonic()
            standby_members.restart_agent_at(b, words, lambda: kill(a), 60)
            site.wait_for_primary(b, since, 90)
            turns.append(b.name)
            assert not site.lost(a, b, 0.0, time.monotonic())
            site.wait_for_replicas()
            site.synchronous(b)
            a, b = b, a
        site.never_two(turns)
        return "the agent of the candidate killed at three places of a promotion: it is completed by the next one"


def two_candidates(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "two-candidates", names="abc", etcd=etcd)
        a, b, c = site.nodes
        since = time.monotonic()
        kill(a)
        lib.wait_for("one to take writes", lambda: site.writes_at(b, since) or site.writes_at(c, since), 60, site.state)
        winner = b if site.writes_at(b, since) else c
        took = site.writes_at(winner, since)[0][1] - since
        assert not site.lost(a, winner, 0.0, time.monotonic())
        site.wait_for_replicas()
        site.never_two(["a", winner.name])
        return f"two candidates: {winner.name} took writes after {took:.2f} s, the other one and a follow it"


def store_is_away(_):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "store")
        a, b = site.nodes
        for process in site.members:
            process.kill(signal.SIGSTOP)
        since = time.monotonic()
        lib.wait_for("the primary to be ended", lambda: a.server.child.poll() is not None, TTL + 2, site.state)
        ended = site.writes_at(a, since)[-1][1] - since
        assert ended < TTL, ended
        site.refused(b, "store_unknown")
        assert b.in_recovery()
        (a.where / "start").touch()  # as a service manager that starts it again, now as a standby
        lib.wait_for("a to answer", a.in_recovery, 20)
        for process in site.members:
            process.kill(signal.SIGCONT)
        back = time.monotonic()
        lib.wait_for("one to take writes", lambda: site.writes_at(a, back) or site.writes_at(b, back), 60, site.state)
        winner = a if site.writes_at(a, back) else b
        took = site.writes_at(winner, back)[0][1] - back
        assert not site.lost(a, winner, 0.0, back)
        site.never_two(["a"] if winner is a else ["a", "b"])
        return (f"store away: the primary took its last write after {ended:.1f} s of a ttl of {TTL} s; {took:.1f} s after its return "
                f"{winner.name} took the next")


ALL = [killed, frozen, node_killed, node_frozen, refusals, old_primary_is_started, agent_dies_in_mid_promotion, two_candidates, store_is_away]


def main(names):
    lib.need("etcd", "setpriv", "pgrep", "openssl")
    if BIN is None or not (BIN / "pg_rewind").exists():
        print("skipped: postgresql is not installed (packaging/debian-packages.txt names its package)")
        sys.exit(lib.SKIPPED)
    chosen = [each for each in ALL if not names or each.__name__ in names]
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(lib.folder())
        etcd = fleet_test.etcd(top, stack)
        # They wait for leases more than they compute.
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            for done in [pool.submit(each, etcd) for each in chosen]:
                print(done.result(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
