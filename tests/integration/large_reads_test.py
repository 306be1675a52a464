#!/usr/bin/env python3
"""Stories of reads of much (KEYS, HGETALL, a large GET): writes go on beside them, and each answers one moment.

DEBUG PAUSE-READS stops such a read where it would go on in steps; it goes on when the story says so, never by the
clock: whatever is answered before was answered while the read was under way.
"""
import sys
import threading

from locks_test import POOLS, unanswered
from resp import encode
from server import Server, wait_until
from stories import run_stories

KEYS = 10_000
FIELDS = 10_000
LARGE = bytes(range(256)) * (3 << 12)  # 3 MiB


def fill(client):
    for i in range(0, KEYS, 500):
        assert client.command("MSET", *(v for k in range(i, i + 500) for v in (f"k{k}", "v"))) == "OK"
        assert client.command("HSET", "hash", *(v for f in range(i, i + 500) for v in (f"f{f}", "old"))) == 500
    assert client.command("SET", "large", LARGE) == "OK"


def pairs(reply):
    return dict(zip(reply[::2], reply[1::2]))


def writes_go_on_beside_reads_of_much(binary):
    """All kinds of writes are answered while the reads wait; the reads answer what was there before."""
    with Server(binary, POOLS) as server, server.client(60) as control, server.client(60) as writer:
        fill(writer)
        reads = [("KEYS", "k*"), ("HGETALL", "hash"), ("GET", "large")]
        readers = [server.client(60) for _ in reads]
        assert control.command("DEBUG", "PAUSE-READS", 1) == "OK"
        for reader, read in zip(readers, reads):
            reader.send(encode(*read))
        wait_until("the reads are under way", lambda: control.command("DEBUG", "PAUSED-READS") == len(reads), 30)
        for command, want in [(("SET", "k-new", "v"), "OK"), (("DEL", "k1"), 1), (("RENAME", "k2", "k-other"), "OK"),
                              (("EXPIRE", "k3", 0), 1), (("DEL", "k4"), 1), (("SET", "k4", "again"), "OK"),
                              (("HSET", "hash", "f1", "new", "more", "new"), 1), (("HDEL", "hash", "f2"), 1),
                              (("SETRANGE", "large", 1 << 20, "changed"), len(LARGE)),
                              (("APPEND", "large", "more"), len(LARGE) + 4),
                              (("RENAME", "hash", "elsewhere"), "OK"), (("SET", "large", "small"), "OK"),
                              (("FLUSHALL",), "OK"), (("SET", "k5", "fresh"), "OK")]:
            got = writer.command(*command)
            assert got == want, (command, got)
        assert writer.command("DBSIZE") == 1
        assert all(unanswered(reader) for reader in readers)
        assert control.command("DEBUG", "PAUSE-READS", 0) == "OK"
        keys, fields, large = [reader.read() for reader in readers]
        assert sorted(keys) == sorted(b"k%d" % k for k in range(KEYS))
        assert len(fields) == 2 * FIELDS and pairs(fields) == {b"f%d" % f: b"old" for f in range(FIELDS)}
        assert large == LARGE
        assert control.command("KEYS", "*") == [b"k5"]
        for reader in readers:
            reader.close()


def a_large_read_stands_where_its_connection_sent_it(binary):
    """Behind and before writes of its own pipeline, with small replies around it."""
    with Server(binary, POOLS) as server, server.client(60) as client:
        fill(client)
        for turn in range(10):
            letters = [bytes([65 + turn]), bytes([97 + turn])]
            batch = [("SETRANGE", "large", 0, letters[0]), ("GET", "large"), ("INCR", "n"), ("GET", "n"),
                     ("SETRANGE", "large", 0, letters[1]), ("MGET", "n", "large", "missing"), ("GET", "large"),
                     ("HGETALL", "hash"), ("INCR", "n")]
            got = client.pipeline(batch)
            first, second = (letter + LARGE[1:] for letter in letters)
            n = 2 * turn + 1
            fields = got.pop(7)
            assert pairs(fields) == {b"f%d" % f: b"old" for f in range(FIELDS)}
            assert got == [len(LARGE), first, n, b"%d" % n, len(LARGE), [b"%d" % n, second, None], second, n + 1]
            # A reply that is not wanted leaves nothing behind.
            client.send(b"".join(encode(*c) for c in [("INCR", "m"), ("CLIENT", "REPLY", "SKIP"), ("GET", "large"),
                                                      ("GET", "m")]))
            assert [client.read(), client.read()] == [turn + 1, b"%d" % (turn + 1)]


def long_reads_give_way_to_higher_levels(binary):
    """All workers are within long reads of Low clients: what others ask of a worker is answered meanwhile."""
    pools = {**POOLS, "runtime.storage-threads-min": 2, "runtime.storage-threads-max": 2}
    with Server(binary, pools) as server, server.client(60) as control, server.client(60) as high:
        fill(control)
        assert high.command("CLIENT", "PRIORITY", "high") == "OK"
        assert control.command("DEBUG", "PAUSE-READS", 1) == "OK"
        readers = [server.client(60) for _ in range(2)]
        for reader in readers:
            assert reader.command("CLIENT", "PRIORITY", "low") == "OK"
            reader.send(encode("KEYS", "*"))
        # A worker runs it: within one of the reads, once both have begun.
        wait_until("both workers read", lambda: control.command("DEBUG", "PAUSED-READS") == 2, 30)
        for turn in range(20):
            assert high.command("SCAN", 0, "COUNT", 1)[0] != b"0"
            assert high.command("HSET", f"small{turn}", "f", "v") == 1
            assert high.command("HGETALL", f"small{turn}") == [b"f", b"v"]
            assert control.command("HKEYS", f"small{turn}") == [b"f"]
        assert all(unanswered(reader) for reader in readers)
        assert control.command("DEBUG", "PAUSE-READS", 0) == "OK"
        for reader in readers:
            assert len(reader.read()) == KEYS + 2, "the keys of its beginning"
            reader.close()


def each_read_answers_one_moment(binary):
    """A writer keeps exactly one of each two keys, and some fields of a hash equal; reads see nothing else."""
    stop, failures = threading.Event(), []

    def write(server):
        try:
            with server.client(60) as client:
                for n in range(1, 1 << 30):
                    if stop.is_set():
                        return
                    here, there = ("a", "b") if n % 2 else ("b", "a")
                    batch = [("MULTI",)]
                    batch += [("RENAME", f"{here}{i}", f"{there}{i}") for i in range(40)]
                    batch += [("HSET", "hash", *(v for f in range(0, FIELDS, 500) for v in (f"f{f}", n)))]
                    got = client.pipeline(batch + [("EXEC",)])
                    assert got[-1] == ["OK"] * 40 + [0], got[-1]
        except Exception as error:  # reported by the main thread
            failures.append(f"writer: {type(error).__name__} {error}")

    def read(server, rounds):
        try:
            with server.client(60) as client:
                for _ in range(rounds):
                    keys = client.command("KEYS", "[ab]*")
                    assert sorted(key[1:] for key in keys) == sorted(b"%d" % i for i in range(40)), keys
                    assert len({key[:1] for key in keys}) == 1, keys
                    fields = pairs(client.command("HGETALL", "hash"))
                    assert len(fields) == FIELDS
                    assert len({fields[b"f%d" % f] for f in range(0, FIELDS, 500)}) == 1
        except Exception as error:
            failures.append(f"reader: {type(error).__name__} {error}")

    with Server(binary, POOLS) as server, server.client(60) as setup:
        fill(setup)
        assert setup.command("MSET", *(v for i in range(40) for v in (f"a{i}", "v"))) == "OK"
        writer = threading.Thread(target=write, args=(server,))
        readers = [threading.Thread(target=read, args=(server, 60)) for _ in range(3)]
        for thread in [writer, *readers]:
            thread.start()
        for thread in readers:
            thread.join()
        stop.set()
        writer.join()
        assert not failures, failures[0]


STORIES = [writes_go_on_beside_reads_of_much, a_large_read_stands_where_its_connection_sent_it,
           long_reads_give_way_to_higher_levels, each_read_answers_one_moment]


if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
