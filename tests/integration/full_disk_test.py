#!/usr/bin/env python3
"""Stories of disks that are really full: on one node, under a follower, under the leader, under a snapshot.

disk_test.py makes the server's own file layer refuse; here the kernel does. Writes are refused or go
elsewhere, nothing acknowledged is lost, and when space is given back all goes on by itself.
"""
import contextlib
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from group import Cluster, as_dict  # noqa: E402
from load import Writer  # noqa: E402
from server import wait_until  # noqa: E402
from small_disk import NoNamespaces, SmallDisk, SmallDiskServer  # noqa: E402
from stories import run_stories  # noqa: E402

SKIPPED = 77
REFUSED = r"^(MISCONF|UNKNOWN|EXECABORT|CLUSTERDOWN|NOTLEADER)"
DISK_MB = 64
OPTIONS = {"fault.enabled": "no", "fault.file-layer": "no", "raft.log-write-buffer-bytes": "4mb",
           "raft.snapshot-bytes": "8mb", "raft.log-max-bytes": "16mb"}


@contextlib.contextmanager
def lone_node(binary, options):
    server = SmallDiskServer(binary, SmallDisk(DISK_MB), options)
    try:
        yield server.start()
    except BaseException:
        print(server.log_tail(30), file=sys.stderr)
        raise
    finally:
        server.remove()


@contextlib.contextmanager
def group(binary):
    """Three nodes; the third has the small disk. A busy machine makes none of them lose its leader."""
    cluster = Cluster(3, binary, {**OPTIONS, "raft.election-timeout-min-ms": 1500})
    node = cluster.nodes[3]
    node.server = SmallDiskServer(binary, SmallDisk(DISK_MB), node.server.args)
    try:
        yield cluster.start(), node
    except BaseException:
        for each in cluster.nodes.values():
            print(f"--- node {each.id}\n{each.server.log_tail(25)}", file=sys.stderr)
        raise
    finally:
        cluster.remove()
        node.server.remove()


def lead(cluster, node, wanted):
    """The node leads, or another one does."""
    def moved():
        leader = cluster.agreed_leader()
        if leader is None:
            return None
        if (leader is node) == wanted:
            return leader
        leader.ask("RAFT.TRANSFER_LEADER", *([node.id] if wanted else []), timeout=10)
        return None
    return wait_until(f"leadership; {cluster.describe()}", moved, 30, 0.05)


def same_everywhere(cluster, seconds=30):
    def digests():
        applied = {n.status().get("applied_index") for n in cluster.nodes.values()}
        found = {str(n.ask("DEBUG", "DIGEST")) for n in cluster.nodes.values()}
        return len(applied) == 1 and len(found) == 1 and None not in applied
    wait_until("equal digests", digests, seconds, 0.05)


def writers_at(*nodes):
    writers = [Writer(f"w{i}", node.server, depth=8, seed=7) for i, node in enumerate(nodes)]
    for writer in writers:
        writer.tolerate = REFUSED
        writer.start()
    wait_until("the load runs", lambda: all(w.acked > 200 for w in writers), 30)
    return writers


def goes_on(writers, count=300):
    """Writes that are taken, behind those that are refused."""
    def taken():
        return [w.acked - len(w.skipped) for w in writers]
    before = taken()
    wait_until("the load goes on", lambda: all(now > was + count for now, was in zip(taken(), before)), 40)


def judge(writers, node):
    for writer in writers:
        writer.stopping = True
    for writer in writers:
        writer.join(40)
        assert not writer.is_alive(), "a client waits for ever"
    with node.server.client(timeout=60) as client:
        for writer in writers:
            writer.check(client)


def value(number):
    """Twelve kilobytes that no compression makes smaller."""
    return random.Random(number).randbytes(12000)


def write_state(node):
    return str(node.ask("SET", "probe", time.time_ns(), timeout=20))


def checkpoints_go_on(binary):
    """The disk of the states is full, the log's is not: the log runs full, as no checkpoint lets it shrink.
    Writes are refused then; with space, nobody has to say a word for all to go on."""
    logs = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-logs-"))
    options = {"raft.log-dir": logs / "log", "raft.snapshot-bytes": "1mb", "raft.log-max-bytes": "8mb",
               "raft.log-write-buffer-bytes": "1mb", "storage.write-buffer-bytes": "256kb"}
    try:
        with lone_node(binary, options) as server:
            checkpoints_go_on_at(server)
    finally:
        shutil.rmtree(logs)


def checkpoints_go_on_at(server):
    with server.client(timeout=30) as client:
        def write(count, kind):
            replies = [client.command("SET", f"key{i % 200}", value(i + kind)) for i in range(count)]
            return "OK" if replies.count("OK") == count else next(r for r in replies if r != "OK")
        assert write(400, 0) == "OK"
        server.disk.fill()
        refused = wait_until("writes are refused", lambda: re.match("MISCONF", write(200, 1)), 30, 0.1)
        assert refused and "checkpoint failed" in server.log_tail(1000)
        assert client.command("SAVE").startswith("ERR checkpoint failed")
        assert len(client.command("GET", "key1")) == 12000
        server.disk.give_back()
        wait_until("writes are taken again", lambda: client.command("SET", "key0", "z") == "OK", 20, 0.05)
        assert write(2000, 2) == "OK", "three times the log's limit"
        assert client.command("SAVE") == "OK"
        digest = client.command("DEBUG", "DIGEST")
        assert as_dict(client.command("RAFT.STATUS"))["log_bytes"] < 8 << 20
    server.kill()
    server.start()
    with server.client() as client:
        assert client.command("DEBUG", "DIGEST") == digest


def a_lone_node(binary):
    """State and log on one disk: refused while it is full, and nothing is lost of what was not."""
    with lone_node(binary, {**OPTIONS, "raft.snapshot-bytes": "1mb", "storage.write-buffer-bytes": "256kb"}) as server:
        def write_state():
            with server.client(timeout=20) as client:
                return str(client.command("SET", "probe", "x" * 100))
        writers = [Writer(f"w{i}", server, depth=8, seed=3) for i in range(3)]
        for writer in writers:
            writer.tolerate = REFUSED
            writer.start()
        wait_until("the load runs", lambda: all(w.acked > 500 for w in writers), 30)
        for _ in range(3):
            server.disk.fill()
            wait_until("writes are refused", lambda: write_state().startswith("MISCONF"), 20, 0.01)
            server.disk.give_back()
            wait_until("writes are taken again", lambda: write_state() == "OK", 20, 0.01)
            goes_on(writers)
        with server.client(timeout=20) as client:
            wait_until("a checkpoint is written", lambda: client.command("SAVE") == "OK", 20, 0.1)
        server.kill()
        for writer in writers:
            writer.join(30)
        server.start()
        with server.client(timeout=60) as client:
            for writer in writers:
                writer.check(client)


def a_follower(binary):
    """It refuses its own clients' writes, the others go on; afterwards it catches up."""
    with group(binary) as (cluster, node):
        leader = lead(cluster, node, False)
        writers = writers_at(leader, node)
        node.server.disk.fill()
        refused = wait_until("its clients are refused", lambda: re.match("MISCONF.*", write_state(node)), 30, 0.05)
        assert len(refused[0]) > 30, f"not a clear error: {refused[0]}"
        goes_on(writers[:1])
        assert cluster.leader() is leader
        wait_until(f"its status says why; {cluster.describe()}",
                   lambda: "space" in node.status().get("storage_error", "").lower(), 30, 0.05)
        node.server.disk.give_back()
        wait_until("it takes writes again", lambda: write_state(node) == "OK", 30, 0.05)
        goes_on(writers)
        judge(writers, leader)
        same_everywhere(cluster)


def the_leader(binary):
    """It hands over to a node whose disk is well, and comes back as a follower."""
    with group(binary) as (cluster, node):
        lead(cluster, node, True)
        others = [n for n in cluster.nodes.values() if n is not node]
        writers = writers_at(node, others[0])
        node.server.disk.fill()
        wait_until(f"another leads; {cluster.describe()}",
                   lambda: any(n.leads() for n in others) and write_state(others[0]) == "OK", 30, 0.05)
        goes_on(writers[1:])
        node.server.disk.give_back()
        wait_until("it takes writes again", lambda: write_state(node) == "OK", 30, 0.05)
        goes_on(writers)
        judge(writers, others[0])
        same_everywhere(cluster)


def killed_while_full(binary):
    """A node that dies on a full disk starts, or says why not; with space it has lost nothing."""
    with group(binary) as (cluster, node):
        leader = lead(cluster, node, False)
        writers = writers_at(leader)
        for _ in range(3):
            node.server.disk.fill()
            wait_until("its clients are refused", lambda: re.match("MISCONF", write_state(node)), 30, 0.05)
            node.kill()
            node.server.start(wait=False)
            def settled():
                ended = not node.server.alive()
                return ended or node.status().get("leader_id") in [n.id for n in cluster.nodes.values() if n is not node]
            wait_until(f"it follows, or ends; {node.server.log_tail(5)}", settled, 30, 0.05)
            if not node.server.alive():
                assert "No space left" in node.server.log_tail(5), node.server.log_tail(5)
            node.server.disk.give_back()
            if not node.server.alive():
                node.server.start(wait=False)
            wait_until(f"it takes writes; {node.server.log_tail(5)}", lambda: write_state(node) == "OK", 30, 0.05)
        judge(writers, node)
        same_everywhere(cluster)


def a_snapshot_finds_no_room(binary):
    """It is tried again and again, leaves nothing behind each time, and goes through once there is room."""
    with group(binary) as (cluster, node):
        leader = lead(cluster, node, False)
        node.kill()
        last = leader.status()["last_index"]
        with leader.server.client(timeout=60) as client:
            for i in range(0, 2000, 50):
                client.pipeline([("SET", f"key{k}", value(k)) for k in range(i, i + 50)])
        wait_until("the log begins behind what it has", lambda: leader.ask("RAFT.SNAPSHOT", timeout=20) == "OK" and
                   leader.status().get("first_index", 0) > last + 1, 30, 0.1)
        node.server.disk.fill(leave=6 << 20)
        node.server.start(wait=False)
        def refusals():
            return node.server.log_tail(10000).count("snapshot not received")
        wait_until(f"it does not fit; {node.server.log_tail(5)}", lambda: refusals() >= 2, 40, 0.05)
        def nothing_fits():  # once the stage under way is gone, not even an empty one
            node.server.disk.fill()
            return node.server.log_tail(10000).count("cannot stage") + leader.server.log_tail(10000).count(
                "cannot stage") >= 2
        wait_until("it is refused at once", nothing_fits, 60, 0.05)
        assert node.server.states() == ["state"], node.server.states()
        assert write_state(leader) == "OK"
        node.server.disk.give_back()
        wait_until(f"it catches up; {node.server.log_tail(5)}", lambda: write_state(node) == "OK", 60, 0.05)
        same_everywhere(cluster)
        wait_until(f"one state; {node.server.states()}", lambda: len(node.server.states()) == 1, 20, 0.05)
        assert node.ask("GET", "key1999") == value(1999)


STORIES = (checkpoints_go_on, a_lone_node, a_follower, the_leader, killed_while_full, a_snapshot_finds_no_room)


def main():
    try:
        SmallDisk(1).remove()
    except NoNamespaces as reason:
        print(f"skipped: no small disk on this machine: {reason}")
        return SKIPPED
    return run_stories(STORIES, __doc__)


if __name__ == "__main__":
    sys.exit(main())
