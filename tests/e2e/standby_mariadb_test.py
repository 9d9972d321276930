#!/usr/bin/env python3
"""Two and three real MariaDB servers that replicate by GTID and an agent each, elected in a real etcd of three. Every drill is under
writers that record each write that was acknowledged, and beside samplers that ask each server twenty times a second whether it is
writable: there are never two, a promotion that may not be is refused by its name, and what a semi-synchronous replica had is there
afterwards. STANDBY_DRILLS=20 repeats the promotions."""
import concurrent.futures
import contextlib
import os
import signal
import sys
import time

import fleet_test
import lib
import standby_members
from mariadb_pair import PASSWORD, TTL, Connection, Site, ask, template

DRILLS = int(os.environ.get("STANDBY_DRILLS", "1"))


def kill(node):
    node.server.kill()


def freeze(node):
    node.server.kill(signal.SIGSTOP)


def kill_node(node):
    node.agent.kill()
    node.server.kill()


def freeze_node(node):
    node.agent.kill(signal.SIGSTOP)
    node.server.kill(signal.SIGSTOP)


def promotions(etcd, title, fail, tls=False):
    """The primary fails in one way, again and again, and rejoins each time."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-" + title.replace(" ", "-").replace(",", ""), etcd, tls=tls)
        a, b = site.nodes
        turns, times, acknowledged = [a.name], [], 0
        for _ in range(DRILLS):
            since = time.monotonic()
            fail(a)
            times.append(site.wait_for_primary(b, since))
            turns.append(b.name)
            acknowledged += len(site.writes_at(a, 0.0))
            gone = site.lost(a, b)
            assert not gone, f"{len(gone)} acknowledged writes are lost: {gone[:5]}"
            a.agent.kill(signal.SIGCONT)  # of a frozen one
            a.server.child.wait()
            (a.where / "start").touch()  # as a service manager does
            if a.agent.child.poll() is not None:
                a.start_agent()
            site.wait_for_replicas()
            a, b = b, a
        site.never_two(turns)
        moved = (site.top / "moved").read_text().split()
        assert [name for i, name in enumerate(moved) if i == 0 or moved[i - 1] != name] == turns, moved
        page = lib.get(a.agent.url + "/")
        assert all(words in page for words in ("Hot standbys", "semi-synchronous with 1", "Last promotion")), page
        told = lib.fettle("dr", f"--admin.socket={a.agent.admin}")
        assert told.returncode == 0 and f"{a.name}, 1 replica" in told.stdout, told
        cuts = lib.percentiles(times)
        copies = (site.top / "rejoined").read_text().count("\n") if (site.top / "rejoined").exists() else 0
        return (f"{title}: {len(times)} promotions, to the next write {cuts[0.5]:.2f} s (median), {max(times):.2f} s (longest); "
                f"none of {acknowledged} writes lost that the primary had acknowledged, {copies} rejoined by a new copy")


def killed(etcd):
    return promotions(etcd, "primary killed", kill)


def frozen(etcd):
    return promotions(etcd, "primary frozen, over TLS", freeze, tls=True)


def node_killed(etcd):
    return promotions(etcd, "node killed", kill_node)


def node_frozen(etcd):
    return promotions(etcd, "node frozen", freeze_node)


def restarted(etcd):
    """A primary that comes back at once goes on: it starts closed, and is opened again."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-restarted", etcd)
        a, b = site.nodes
        a.agent.kill(signal.SIGSTOP)
        kill(a)
        a.start_server()
        assert ask(a.port, "SELECT @@global.read_only") == ["1"]
        since = time.monotonic()
        a.agent.kill(signal.SIGCONT)
        took = site.wait_for_primary(a, since)
        site.wait_for_replicas()
        site.never_two(["a"])
        return f"primary restarted: closed until its agent opens it, {took:.2f} s"


def without_fence(etcd):
    """What cannot be proven is not done; a server that is alive says itself that it takes no write."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-without-fence", etcd, fence=False)
        a, b = site.nodes
        since = time.monotonic()
        a.agent.kill()
        site.refused(b, "primary_answers")
        a.start_agent()
        site.wait_for_replicas()

        freeze(a)
        lib.wait_for("a to say that it cannot prove", lambda: "fence_not_proven" in a.agent.text(), 30, site.state)
        assert b.replica() and b.standby()["holder"] == "a"
        a.server.kill(signal.SIGCONT)
        site.wait_for_primary(a, time.monotonic())
        site.wait_for_replicas()

        freeze_node(a)
        site.refused(b, "fence_not_proven")
        assert b.replica()
        assert not site.writes_at(b, since)
        site.never_two(["a"])
        thawed = time.monotonic()
        a.server.kill(signal.SIGCONT)
        a.agent.kill(signal.SIGCONT)
        lib.wait_for("one to take writes", lambda: site.writes_at(a, thawed + 2) or site.writes_at(b, thawed), 40, site.state)
        site.wait_for_replicas()
        assert site.turns() in (["a"], ["a", "b"]), site.turns()
        return "without a fence program: an agent that is gone, a frozen server and a frozen node promote nothing"


def late_opening(etcd):
    """Who may still open the server is ended before it is closed."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-late", etcd)
        a, b = site.nodes
        late = Connection(a.port, 30, "fettle", PASSWORD)
        assert late.ask("SELECT GET_LOCK('fettle.standby', 0)") == ["1"]
        a.agent.kill(signal.SIGSTOP)  # its lease ends, its server is alive and takes writes
        site.refused(b, "primary_answers")
        since = time.monotonic()
        a.agent.kill(signal.SIGCONT)
        lib.wait_for("one to take writes, after that", lambda: site.writes_at(a, since + 3) or site.writes_at(b, since), 60, site.state)
        try:
            late.ask("SET GLOBAL read_only = 0")
            raise AssertionError("a session that could open the server has outlived its closing")
        except (OSError, ValueError):
            pass
        site.wait_for_replicas()
        assert site.turns() in (["a"], ["a", "b"]), site.turns()
        return f"a session that could still open the server is ended when it is closed; then {', '.join(site.turns())} took writes"


def refusals(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-refusals", etcd)
        a, b = site.nodes

        maxscale = Connection(b.port)
        assert maxscale.ask("SELECT GET_LOCK('maxscale_mariadbmonitor', 0)") == ["1"]
        site.refused(a, "managed_by_maxscale")
        site.refused(b, "managed_by_maxscale")
        maxscale.close()
        site.wait_for_primary(a, time.monotonic())
        site.wait_for_replicas()

        # A replica that somebody has written to.
        b.root("SET SESSION sql_log_bin = 1; INSERT INTO shop.w VALUES ('stray')")
        site.refused(b, "other_timeline")
        a.agent.kill()
        kill(a)
        site.refused(b, "other_timeline", 60)
        assert b.replica()
        site.never_two(["a"])
        return "refused beside MaxScale, and with a candidate that has a transaction of its own"


def starts_open(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-starts-open", etcd)
        a, b = site.nodes
        b.write_settings(read_only=0)
        b.server.stop()
        b.start_server()
        site.refused(b, "starts_open")
        # An open replica is closed by its agent; but one that is started again would take writes.
        lib.wait_for("b to be closed", lambda: ask(b.port, "SELECT @@global.read_only") == ["1"], 20, site.state)
        kill(a)
        a.agent.kill()
        site.refused(b, "starts_open", 40)
        assert b.replica()
        assert not site.writes_at(b, 0.0) or all(ack[1] for ack in site.writes_at(b, 0.0))
        return "refused: a server that is not read_only in its file, which is closed by its agent"


def candidate_lags(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-lags", etcd)
        a, b = site.nodes
        freeze(b)
        at = next(m["offset"] for m in a.standby()["members"] if m["node"] == "a")
        for _ in range(40):  # more than sockets hold
            ask(a.port, "INSERT INTO shop.big VALUES (REPEAT('x', 1000000))", 30)
        lib.wait_for("the agents to see it", lambda: all(next(
            m["offset"] for m in node.standby()["members"] if m["node"] == "a") > at + 40 for node in site.nodes), 60, site.state)
        a.agent.kill()
        kill(a)
        b.server.kill(signal.SIGCONT)
        lib.wait_for("b to refuse", lambda: {"candidate_lag", "not_in_sync"} & set(b.refusals()), 60, site.state)
        assert b.replica()
        site.never_two(["a"])
        return "refused: a candidate that is behind"


def agent_dies_in_mid_promotion(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-mid-promotion", etcd)
        a, b = site.nodes
        turns = ["a"]
        for words in ["took the right to be the primary", "fence proven", "was promoted, closed", "takes writes, fence"]:
            since = time.monotonic()
            standby_members.restart_agent_at(b, words, lambda: kill(a), 60)
            site.wait_for_primary(b, since, 90)
            turns.append(b.name)
            assert not site.lost(a, b)
            (a.where / "start").touch()
            site.wait_for_replicas()
            a, b = b, a
        site.never_two(turns)
        return "the agent of the candidate killed at four places of a promotion: it is completed by the next one"


def observers_and_veto(etcd):
    """One agent alone fences nobody, and what the veto program forbids is not done."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-observers", etcd, names="abc")
        a, b, c = site.nodes
        (site.top / "forbidden").touch()
        c.agent.kill(signal.SIGSTOP)  # the last that it has said is that it reaches all
        kill_node(a)
        site.refused(b, "too_few_observers")
        assert not (site.top / "asked").exists() and not (site.top / "fenced").exists()
        since = time.monotonic()
        c.agent.kill(signal.SIGCONT)
        lib.wait_for("a veto", lambda: {"vetoed"} & {*b.refusals(), *c.refusals()}, 60, site.state)
        assert not (site.top / "fenced").exists() and (b.replica() and c.replica())
        asked = (site.top / "asked").read_text().split("\n")[0]
        assert asked in ("b for a", "c for a"), asked
        (site.top / "forbidden").unlink()
        lib.wait_for("one to take writes", lambda: site.writes_at(b, since) or site.writes_at(c, since), 60, site.state)
        winner = b if site.writes_at(b, since) else c
        assert not site.lost(a, winner)
        (a.where / "start").touch()
        a.start_agent()
        site.wait_for_replicas()
        site.never_two(["a", winner.name])
        return "of three, one agent that misses the primary fences nobody; two do, once the veto program allows it"


def two_candidates(etcd):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-two-candidates", etcd, names="abc")
        a, b, c = site.nodes
        since = time.monotonic()
        kill(a)
        lib.wait_for("one to take writes", lambda: site.writes_at(b, since) or site.writes_at(c, since), 60, site.state)
        winner = b if site.writes_at(b, since) else c
        took = site.writes_at(winner, since)[0][1] - since
        assert not site.lost(a, winner)
        (a.where / "start").touch()
        site.wait_for_replicas()
        site.never_two(["a", winner.name])
        return f"two candidates: {winner.name} took writes after {took:.2f} s, the other one and a follow it"


def cut_off_from_the_store(etcd):
    """The primary's agent, and then the candidate's, does not reach the store; all servers reach each other."""
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-cut-off", etcd)
        a, b = site.nodes
        turns, closed, times = ["a"], [], []
        for _ in range(DRILLS):
            since = time.monotonic()
            site.cut(a)
            times.append(site.wait_for_primary(b, since))
            turns.append(b.name)
            closed.append(site.writes_at(a, since)[-1][1] - since)
            assert closed[-1] < TTL, closed
            assert not site.lost(a, b)
            site.cut(a, off=False)
            site.wait_for_replicas()
            a, b = b, a
        site.cut(b)
        site.refused(b, "store_unknown")
        assert site.writes_at(a, time.monotonic() - 1)
        site.cut(b, off=False)
        site.wait_for_replicas()
        site.never_two(turns)
        cuts = lib.percentiles(times)
        return (f"primary cut off from the store: {len(times)} promotions, it took its last write after {max(closed):.1f} s at the latest of a "
                f"ttl of {TTL} s, the next came after {cuts[0.5]:.1f} s (median), {max(times):.1f} s (longest), none was lost; cut off, a candidate refuses")


def store_is_away(_):
    with contextlib.ExitStack() as stack:
        site = Site(stack, "my-store", fleet_test.etcd(stack.enter_context(lib.folder()), stack))
        a, b = site.nodes
        for process in site.members:
            process.kill(signal.SIGSTOP)
        since = time.monotonic()
        lib.wait_for("the primary to be closed", lambda: ask(a.port, "SELECT @@global.read_only") == ["1"], TTL + 2, site.state)
        closed = site.writes_at(a, since)[-1][1] - since
        assert closed < TTL, closed
        site.refused(b, "store_unknown")
        for process in site.members:
            process.kill(signal.SIGCONT)
        back = time.monotonic()
        took = site.wait_for_primary(a, back)
        site.wait_for_replicas()
        site.never_two(["a"])
        return f"store away: the primary took its last write after {closed:.1f} s of a ttl of {TTL} s, and the next {took:.1f} s after its return"


ALL = [killed, frozen, node_killed, node_frozen, restarted, without_fence, late_opening, refusals, starts_open, candidate_lags,
       agent_dies_in_mid_promotion, observers_and_veto, two_candidates,
       cut_off_from_the_store, store_is_away]


def main(names):
    lib.need("etcd", "mariadbd", "mariadb-install-db", "mariadb", "openssl")
    chosen = [each for each in ALL if not names or each.__name__ in names]
    with contextlib.ExitStack() as stack:
        Site.template = template(stack.enter_context(lib.folder()))
        etcd = fleet_test.etcd(stack.enter_context(lib.folder()), stack)
        # They wait for leases more than they compute.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(each, etcd) for each in chosen]:
                print(done.result(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
