#!/usr/bin/env python3
"""Stories of what a group holds in memory, and goes on doing, under much: clients of a follower that write
and never read, a joiner that gets a value of hundreds of megabytes."""
import contextlib
import pathlib
import random
import re
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from group import Cluster, as_dict  # noqa: E402
from resp import encode  # noqa: E402
from server import wait_until  # noqa: E402
from stories import run_stories  # noqa: E402

# Real files: the layer of faults keeps what is not synced in memory.
# Twice the default time without a leader: what once held up a heartbeat here did so for longer, a busy
# machine rarely does.
OPTIONS = {"fault.enabled": "no", "fault.file-layer": "no", "raft.election-timeout-min-ms": 1000}


@contextlib.contextmanager
def running(binary, options=None):
    cluster = Cluster(3, binary, {**OPTIONS, **(options or {})})
    try:
        yield cluster.start()
    except BaseException:
        for node in cluster.nodes.values():
            print(f"--- node {node.id}\n{node.server.log_tail(20)}", file=sys.stderr)
        raise
    finally:
        cluster.remove()


def room(binary, megabytes):
    """What may be held, in bytes: more with a sanitizer, which keeps what was freed."""
    sanitized = re.search(rb"__[at]san_init", pathlib.Path(binary).read_bytes())
    return (megabytes << 20) * (4 if sanitized else 1)


def peak_bytes(node):
    """The most that the node has had in memory since forget_peak."""
    text = pathlib.Path(f"/proc/{node.server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) << 10


def forget_peak(node):
    pathlib.Path(f"/proc/{node.server.process.pid}/clear_refs").write_text("5")


class DeafClient:
    """Sends writes for as long as they are taken, and reads nothing."""

    def __init__(self, node, number, value):
        self.sock = socket.create_connection(("127.0.0.1", node.port), timeout=5)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.setblocking(False)
        # Each is answered with the value before it.
        self.raw = encode("SET", f"deaf{number}", value, "GET") * 8
        self.at = 0
        self.sent = 0

    def send(self):
        with contextlib.suppress(BlockingIOError):
            count = self.sock.send(memoryview(self.raw)[self.at:self.at + (1 << 20)])
            self.at = (self.at + count) % len(self.raw)
            self.sent += count


def writers_that_never_read(binary):
    """They are stopped one by one. Neither the follower nor the leader holds what they would send, and other
    clients of both go on."""
    with running(binary) as cluster:
        leader = cluster.leader()
        follower = next(n for n in cluster.nodes.values() if n is not leader)
        value = random.Random(5).randbytes(100_000)
        for number in range(50):  # what they write is there before
            assert follower.ask("SET", f"deaf{number}", value) == "OK"
        for node in (leader, follower):
            forget_peak(node)
        before = {node.id: node.server.rss_bytes() for node in (leader, follower)}
        deaf = [DeafClient(follower, number, value) for number in range(50)]
        try:
            with leader.server.client(timeout=30) as one, follower.server.client(timeout=30) as other:
                others = 0
                quiet_since = time.monotonic()
                deadline = quiet_since + 60
                # Until no more is taken of anybody.
                while time.monotonic() - quiet_since < 1:
                    assert time.monotonic() < deadline, "writers that read nothing are served for ever"
                    _, writable, _ = select.select([], [c.sock for c in deaf], [], 0.05)
                    for client in deaf:
                        if client.sock in writable:
                            client.send()
                            quiet_since = time.monotonic()
                    replies = [one.command("SET", "one", others), other.command("SET", "other", others),
                               one.command("GET", "other")]
                    assert replies == ["OK", "OK", str(others).encode()], replies
                    others += 1
            assert cluster.leader() is leader, cluster.describe()
            taken = sum(client.sent for client in deaf)
            assert taken > 50 * len(value), "they were to be heard first"
            for node in (leader, follower):
                grown = peak_bytes(node) - before[node.id]
                # A megabyte of replies, a buffer of requests and a batch under way for each.
                assert grown < room(binary, 250), f"node {node.id} grew by {grown >> 20} MB for {taken >> 20} MB of writes"
        finally:
            for client in deaf:
                client.sock.close()
        cluster.wait_serving()


def a_joiner_gets_a_large_value(binary):
    """300 MB in one key come in a snapshot: nobody is elected, and nobody holds the value twice."""
    size = 300 << 20
    with running(binary, {"raft.snapshot-bytes-per-second": 0}) as cluster:
        leader = cluster.leader()
        with leader.server.client(timeout=100) as client:
            assert client.command("SETRANGE", "large", size - 1, "x") == size
            for part in range(10):
                written = client.command("SETRANGE", "large", part * 30_000_000, random.Random(part).randbytes(1 << 20))
                assert written == size, written
            wait_until("a checkpoint", lambda: client.command("RAFT.SNAPSHOT") == "OK", 60)
        for node in cluster.nodes.values():
            wait_until("all have it", lambda n=node: n.ask("STRLEN", "large", timeout=30) == size, 60, 0.1)
        term = leader.status()["term"]
        before = leader.server.rss_bytes()
        forget_peak(leader)
        joiner = cluster.join(4)
        cluster.removed.append(joiner)
        assert joiner.ask("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{leader.raft_port}", timeout=60) == "OK"
        def votes():
            members = map(as_dict, leader.status().get("members", []))
            return any(m["id"] == joiner.id and m["role"] == "voter" for m in members)
        wait_until(f"it votes; {joiner.server.log_tail()}", votes, 120, 0.1)
        assert leader.status()["term"] == term and leader.leads(), "an election"
        grown = peak_bytes(leader) - before
        assert grown < room(binary, 100), f"the leader took {grown >> 20} MB more to send it"
        held = peak_bytes(joiner)
        assert held < size + room(binary, 200), f"the joiner had {held >> 20} MB"
        digests = {str(n.ask("DEBUG", "DIGEST", timeout=60)) for n in (*cluster.nodes.values(), joiner)}
        assert len(digests) == 1 and "None" not in digests, digests


STORIES = (writers_that_never_read, a_joiner_gets_a_large_value)

if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
