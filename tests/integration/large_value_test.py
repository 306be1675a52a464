#!/usr/bin/env python3
"""Stories of a value of 512 MB, the largest there is, on its way through a group: nobody loses the
leader over it, whatever way it takes."""
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from cluster_group import Group  # noqa: E402
from server import wait_until  # noqa: E402
from stories import run_stories  # noqa: E402

MB = 1 << 20
SIZE = 512 * MB
PATIENCE = 240  # for a disk that takes a few megabytes a second
# Twice the default: what once held up a heartbeat here did so for longer, a busy machine rarely does.
OPTIONS = {"raft.election-timeout-min-ms": 1000}


def send_value(client, key, chunk):
    """SET key (the chunk, over and over, to 512 MB); the reply is left to be read."""
    client.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key, SIZE))
    for _ in range(SIZE // len(chunk)):
        client.send(chunk)
    client.send(b"\r\n")


def elections(group):
    """What moves when a node loses its leader: terms, and the leader each node knows of."""
    found = {}
    for server in group.alive():
        with server.client(PATIENCE) as client:
            info = client.command("INFO", "raft").decode()
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        found[server.port] = (fields["term"], fields["leader_id"])
    return found


def lost_leaders(group):
    return sum(s.log.read_text(errors="replace").count("raft leader=0 ") for s in group.servers)


def check_everywhere(group, key, probe):
    """All nodes hold it, and the same."""
    digests = set()
    for server in group.servers:
        with server.client(PATIENCE) as client:
            assert client.command("STRLEN", key) == SIZE, server.log_tail()
            offset, part = probe
            assert client.command("GETRANGE", key, offset, offset + len(part) - 1) == part
            digests.add(str(client.command("DEBUG", "DIGEST")))
    assert len(digests) == 1, digests


class Beside:
    """A client that writes all the time meanwhile; it may have to wait, and sees no error."""

    def __init__(self, server):
        self.client = server.client(PATIENCE)
        self.over = threading.Event()
        self.replies = []
        self.longest_s = 0.0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.wait(0.01):
            begin = time.monotonic()
            self.replies.append(self.client.command("INCR", "beside"))
            self.longest_s = max(self.longest_s, time.monotonic() - begin)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *unused):
        self.over.set()
        self.thread.join(PATIENCE)
        self.client.close()
        if kind is None:
            wrong = [reply for reply in self.replies if not isinstance(reply, int)]
            assert self.replies and not wrong, wrong[:3]
            first = self.replies[0]
            assert self.replies == list(range(first, first + len(self.replies)))


def value_of(seed, size=MB):
    return random.Random(seed).randbytes(size)


def replicates_without_an_election(binary):
    """Through the leader, all alike (which compresses a thousand times), and through a follower, random.
    """
    with Group(binary, OPTIONS) as group:
        leader = group.leader()
        for through, chunk in ((leader, b"x" * MB), (group.followers()[0], value_of(1))):
            before, lost = elections(group), lost_leaders(group)
            with Beside(leader) as beside, through.client(PATIENCE) as client:
                send_value(client, b"big", chunk)
                begin = time.monotonic()
                reply = client.read()
                took_s = time.monotonic() - begin
            assert reply == "OK", (reply, through.log_tail())
            print(f"{SIZE >> 20} MB through the {'leader' if through is leader else 'follower'}: answered "
                  f"{took_s:.1f} s after its last byte; another client's write waited {beside.longest_s:.1f} s")
            check_everywhere(group, "big", (SIZE - 100, chunk[-100:]))
            assert elections(group) == before, (before, elections(group))
            assert lost_leaders(group) == lost, [s.log_tail() for s in group.servers]


def a_follower_that_missed_it_gets_it(binary):
    """It was down meanwhile: the leader reads the value back from its log, and leads on."""
    # Else a checkpoint would do instead of the log.
    options = {**OPTIONS, "raft.snapshot-bytes": "4gb", "raft.log-max-bytes": "8gb"}
    with Group(binary, options) as group:
        leader, down = group.leader(), group.followers()[1]
        down.stop()
        chunk = value_of(2)
        with leader.client(PATIENCE) as client:
            send_value(client, b"big", chunk)
            assert client.read() == "OK"
            for i in range(200):  # of which none is in the leader's memory any more, but the last ones
                assert client.command("SET", f"after{i}", "v" * 100_000) == "OK"
        before = elections(group)
        lost = lost_leaders(group)
        with Beside(leader):
            down.start()

            def caught_up():
                with down.client(PATIENCE) as client:
                    return client.command("GET", "after199") == b"v" * 100_000
            wait_until(f"the follower has caught up; {down.log_tail()}", caught_up, PATIENCE, 0.2)
        check_everywhere(group, "big", (SIZE - 100, chunk[-100:]))
        after = elections(group)
        assert before.items() <= after.items(), (before, after)
        assert lost_leaders(group) == lost, [s.log_tail() for s in group.servers]


STORIES = [replicates_without_an_election, a_follower_that_missed_it_gets_it]

if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
