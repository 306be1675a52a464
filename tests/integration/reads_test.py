#!/usr/bin/env python3
"""What reads see by the consistency that a connection asks for, on three nodes whole and cut apart; and
a node that takes no writes (docs/decisions/017)."""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from cluster_group import Group  # noqa: E402
from exposition import scrape  # noqa: E402
from group import Cluster  # noqa: E402
from resp import RespError, info  # noqa: E402
from server import KIWI, free_port, wait_until  # noqa: E402

READONLY = "READONLY You can't write against a read only replica."
BOUND_MS = 3000


def expect(got, wanted, what):
    assert got == wanted, f"{what}: {got!r}, expected {wanted!r}"


def set_option(node, name, value):
    expect(node.ask("CONFIG", "SET", name, value), "OK", f"CONFIG SET {name} {value}")


def followers(cluster):
    leader = cluster.wait_serving()
    return leader, [n for n in cluster.nodes.values() if n is not leader]


def cut_off(cluster, node):
    others = [n for n in cluster.nodes.values() if n is not node]
    for end in cluster.nodes.values():
        for other in others:
            for a, b in ((node, other), (other, node)):
                reply = end.ask("FAULT.INJECT", "partition", "from", a.id, "to", b.id)
                assert reply is not None and not isinstance(reply, RespError), reply


def heal(cluster):
    for node in cluster.nodes.values():
        node.ask("FAULT.CLEAR")
    cluster.wait_serving()


def the_level_is_of_the_connection(cluster):
    """The option is for those that have chosen nothing; RESET goes back to it."""
    node = followers(cluster)[1][0]
    with node.server.client() as plain, node.server.client() as chosen:
        expect(plain.command("CLIENT", "CONSISTENCY"), b"linearizable", "the default")
        expect(chosen.command("CLIENT", "CONSISTENCY", "BOUNDED", 250), "OK", "bounded")
        set_option(node, "raft.read-consistency", "bounded")
        expect(plain.command("CLIENT", "CONSISTENCY"), b"bounded 1000", "the option")
        set_option(node, "raft.read-max-staleness-ms", 70)
        expect(plain.command("CLIENT", "CONSISTENCY"), b"bounded 70", "its bound")
        expect(chosen.command("CLIENT", "CONSISTENCY"), b"bounded 250", "chosen")
        expect(chosen.command("RESET"), "RESET", "RESET")
        expect(chosen.command("CLIENT", "CONSISTENCY"), b"bounded 70", "after RESET")
        set_option(node, "raft.read-consistency", "any")
        expect(chosen.command("CLIENT", "CONSISTENCY"), b"any", "the option")
        set_option(node, "raft.read-consistency", "linearizable")
        expect(chosen.command("CLIENT", "CONSISTENCY"), b"linearizable", "the option")
        refused = node.ask("CONFIG", "SET", "raft.read-consistency", "eventual")
        assert isinstance(refused, RespError), refused


def a_connection_sees_its_own_writes(cluster):
    """On a follower, too, and at every level: the node has applied a write before it answers it."""
    leader, (node, _) = followers(cluster)
    with node.server.client() as client, leader.server.client() as other:
        for level in (["LINEARIZABLE"], ["BOUNDED", 60000], ["ANY"]):
            expect(client.command("CLIENT", "CONSISTENCY", *level), "OK", "the level")
            for i in range(100):
                expect(client.command("SET", "own", i), "OK", "SET")
                expect(client.command("GET", "own"), str(i).encode(), f"an own write read at {level}")
                expect(client.pipeline([("SET", "own", f"p{i}"), ("GET", "own")]),
                       ["OK", f"p{i}".encode()], "behind the write in one batch")
                expect(client.pipeline([("MULTI",), ("GET", "own"), ("STRLEN", "own"), ("EXEC",)])[-1],
                       [f"p{i}".encode(), len(f"p{i}")], "reads in MULTI")
        # One batch may change its mind: what asks for all sees all.
        for i in range(100):
            expect(other.command("SET", "theirs", i), "OK", "SET on another node")
            replies = client.pipeline([("CLIENT", "CONSISTENCY", "ANY"), ("GET", "theirs"),
                                       ("CLIENT", "CONSISTENCY", "LINEARIZABLE"), ("GET", "theirs")])
            assert replies[1] is None or int(replies[1]) <= i, replies
            expect(replies[3], str(i).encode(), "a linearizable read behind one of any age")


def cut_off_followers_read_by_their_level(cluster):
    """Bounded reads go on until the bound and no further, reads of any age for ever, others not at all."""
    leader, (node, _) = followers(cluster)
    expect(leader.ask("SET", "news", "old"), "OK", "SET")
    refused = node.status()["reads_stale_refused"]
    with node.server.client() as bounded, node.server.client() as anyhow, node.server.client() as strict:
        bounded.command("CLIENT", "CONSISTENCY", "BOUNDED", BOUND_MS)
        anyhow.command("CLIENT", "CONSISTENCY", "ANY")
        expect(bounded.command("GET", "news"), b"old", "a bounded read while all is well")
        until = time.monotonic() + BOUND_MS / 1000  # its proof is renewed meanwhile, or this stalls
        while time.monotonic() < until:
            expect(bounded.command("GET", "news"), b"old", "and again")

        cut_off(cluster, node)
        cut = time.monotonic()
        expect(leader.ask("SET", "news", "new", timeout=10), "OK", "a write of the majority")
        acknowledged = time.monotonic()
        latest = 0.0
        while True:
            asked = time.monotonic()
            reply = bounded.command("GET", "news")
            if isinstance(reply, RespError):
                break
            expect(reply, b"old", "the cut-off node")
            latest = asked
            assert asked - acknowledged <= BOUND_MS / 1000, "older than the bound"
        assert latest - cut > 0.3, f"it was served for {latest - cut:.2f} s only"
        assert reply.startswith("MASTERDOWN "), reply
        # What is new enough for one connection is not for another, and the other way round.
        expect(node.ask("PING"), "PONG", "what reads nothing")
        expect(anyhow.command("GET", "news"), b"old", "a read of any age")
        expect(anyhow.pipeline([("MULTI",), ("GET", "news"), ("EXEC",)])[-1], [b"old"], "in MULTI")
        replies = bounded.pipeline([("CLIENT", "CONSISTENCY", "BOUNDED", 86400000), ("GET", "news")])
        expect(replies, ["OK", b"old"], "with a wider bound")
        reply = strict.command("GET", "news")
        assert isinstance(reply, RespError) and reply.startswith("CLUSTERDOWN"), reply
        reply = anyhow.command("SET", "news", "mine")
        assert isinstance(reply, RespError), f"a write on a cut-off node: {reply}"
        expect(anyhow.command("GET", "news"), b"old", "a read of any age")
        assert node.status()["reads_stale_refused"] > refused

        heal(cluster)
        bounded.command("CLIENT", "CONSISTENCY", "BOUNDED", BOUND_MS)
        time.sleep(BOUND_MS / 1000 + 0.05)  # from here on, the old value would be too old
        expect(bounded.command("GET", "news"), b"new", "bounded, after healing")
        expect(strict.command("GET", "news"), b"new", "linearizable, after healing")
        wait_until("reads of any age come to see it", lambda: anyhow.command("GET", "news") == b"new", 10)


def a_last_node_still_answers(binary):
    """Two of three are dead: what one has can be read at once by those who ask for no more."""
    with Group(binary, {"raft.leader-wait-ms": 60000}) as group:  # whoever waits for a leader, waits in vain
        others = [group.leader(), group.followers()[0]]
        node = group.followers()[1]
        life_s = 3
        with node.client() as client, node.client() as plain:
            expect(client.command("SET", "last", "seen"), "OK", "SET")
            begin = time.monotonic()
            expect(client.command("SET", "brief", "yes", "PX", life_s * 1000), "OK", "SET PX")
            for other in others:
                other.kill()
            killed = time.monotonic()
            client.command("CLIENT", "CONSISTENCY", "ANY")
            expect(client.command("GET", "last"), b"seen", "without a leader")
            # Nobody can log that the key has gone, and a weak read does not ask anybody to.
            time.sleep(max(0, killed + life_s + 0.1 - time.monotonic()))
            if killed - begin < life_s * 0.9:
                expect(client.command("MGET", "last", "brief"), [b"seen", b"yes"], "a key past its time")
                expect(client.pipeline([("MULTI",), ("GET", "brief"), ("EXEC",)])[-1], [b"yes"], "in MULTI")
            expect(plain.command("CONFIG", "SET", "raft.read-consistency", "any"), "OK", "CONFIG SET")
            expect(plain.command("GET", "last"), b"seen", "by the option")


def a_node_that_takes_no_writes(cluster):
    """network.read-only: of its own clients; what others write arrives, and keys expire."""
    leader, (node, _) = followers(cluster)
    for read_only in (node, leader):
        writer = leader if read_only is node else node
        expect(writer.ask("SET", "w", "1"), "OK", "SET elsewhere")
        with read_only.server.client() as client:
            expect(client.pipeline([("MULTI",), ("SET", "w", "2")]), ["OK", "QUEUED"], "before")
            set_option(read_only, "network.read-only", "yes")
            expect(client.command("EXEC"), "EXECABORT Transaction discarded because of: " + READONLY, "EXEC")
            expect(client.command("SET", "w", "3"), READONLY, "SET")
            expect(client.command("FLUSHALL"), READONLY, "FLUSHALL")
            expect(client.pipeline([("MULTI",), ("GET", "w"), ("DEL", "w"), ("EXEC",)]),
                   ["OK", "QUEUED", READONLY, "EXECABORT Transaction discarded because of previous errors."],
                   "MULTI")
            expect(client.pipeline([("MULTI",), ("GET", "w"), ("EXEC",)])[-1], [b"1"], "reads in MULTI")
            expect(client.command("GET", "w"), b"1", "GET")
            expect(writer.ask("SET", "brief", "x", "PX", 50), "OK", "SET PX elsewhere")
            wait_until("the key goes", lambda: client.command("GET", "brief") is None, 10)
            set_option(read_only, "network.read-only", "no")
            expect(client.command("SET", "w", "4"), "OK", "SET")


def readonly_connections_of_a_cluster(binary):
    """cluster-enabled yes: READONLY connections read at their level; without a leader, if it needs none."""
    with Group(binary, {"cluster-enabled": "yes"}) as group:
        leader = group.leader()
        follower, other = group.followers()
        with leader.client() as client:
            expect(client.command("SET", "a", "1"), "OK", "SET")
        with follower.client(timeout=20) as client:
            expect(client.command("CLIENT", "CONSISTENCY", "ANY"), "OK", "ANY")
            assert client.command("GET", "a").startswith("MOVED "), "it is READONLY that keeps a read here"
            expect(client.command("READONLY"), "OK", "READONLY")
            wait_until("it has arrived", lambda: client.command("GET", "a") == b"1", 10)
            expect(client.command("CLIENT", "CONSISTENCY", "BOUNDED", 86400000), "OK", "BOUNDED")
            expect(client.command("GET", "a"), b"1", "a bounded read")
            leader.kill()
            other.kill()
            wait_until("it misses the leader", lambda: client.pipeline(
                [("CLIENT", "CONSISTENCY", "LINEARIZABLE"), ("GET", "a")])[1].startswith("CLUSTERDOWN"), 10)
            expect(client.pipeline([("CLIENT", "CONSISTENCY", "BOUNDED", 86400000), ("GET", "a")]),
                   ["OK", b"1"], "bounded, without a leader")
            expect(client.pipeline([("CLIENT", "CONSISTENCY", "ANY"), ("GET", "a"), ("WATCH", "a"), ("MULTI",),
                                    ("GET", "a"), ("EXEC",)]),
                   ["OK", b"1", "OK", "OK", "QUEUED", [b"1"]], "any, without a leader")
            assert client.command("SET", "a", "2").startswith("CLUSTERDOWN")
            replies = client.pipeline([("CLIENT", "CONSISTENCY", "BOUNDED", 1), ("GET", "a")])
            assert replies[1].startswith("MASTERDOWN "), replies


def latency_by_level(binary):
    """kiwi_read_seconds and RAFT.STATUS tell the levels apart; a write is none of them."""
    with Group(binary, {"raft.election-timeout-min-ms": 1500}) as group:
        ports = {}
        for server in group.servers:
            server.stop()
            ports[server] = server.args["metrics.port"] = free_port()
            server.start()
            group.leader()
        leader, follower = group.leader(), group.followers()[0]

        def load(server, level):
            with server.client() as client:
                client.command("CLIENT", "CONSISTENCY", *level)
                for i in range(80):
                    client.command("SET", "k", i)
                    assert client.command("GET", "k") is not None
                    client.command("GET", "k")

        def counts(server):
            samples = scrape(ports[server], "/metrics/raft")["kiwi_read_seconds"].samples
            return {dict(labels)["level"]: count for (name, labels), count in samples.items()
                    if name == "kiwi_read_seconds_count"}

        for server, level, label in ((leader, ["LINEARIZABLE"], "lease"), (follower, ["LINEARIZABLE"], "read_index"),
                                     (follower, ["BOUNDED", 60000], "bounded"), (follower, ["ANY"], "any"),
                                     (leader, ["ANY"], "any")):
            for _ in range(5):
                before = counts(server)
                load(server, level)
                after = counts(server)
                grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
                # A lease can end while a busy machine holds everybody up; then the leader asks around.
                if len(set(grown) & {"lease", "read_index"}) < 2:
                    break
            assert list(grown) == [label] and 10 <= grown[label] <= 30, (level, grown)
            with server.client() as client:
                line = info(client, "raft")[f"reads_{label}"]
            assert line.startswith(f"sampled={after[label]:.0f},p50_us="), line


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=str(KIWI), help="the kiwi-server binary")
    parser.add_argument("--only", default="", help="run only the stories whose name contains this")
    args = parser.parse_args()

    def run(story, argument):
        if args.only not in story.__name__:
            return
        begin = time.monotonic()
        story(argument)
        print(f"ok: {story.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)

    run(latency_by_level, args.server)
    run(readonly_connections_of_a_cluster, args.server)
    run(a_last_node_still_answers, args.server)
    cluster = Cluster(3, args.server)
    try:
        cluster.start()
        run(the_level_is_of_the_connection, cluster)
        run(a_connection_sees_its_own_writes, cluster)
        run(cut_off_followers_read_by_their_level, cluster)
        run(a_node_that_takes_no_writes, cluster)
    except BaseException:
        for node in cluster.nodes.values():
            print(f"--- node {node.id}\n{node.server.log_tail(25)}", file=sys.stderr)
        raise
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
