#!/usr/bin/env python3
"""Stories of keys whose time comes while nobody writes: reads see it exactly, through the log."""
import argparse
import sys
import time

from resp import RespError, info
from server import KIWI, Server


def past(deadline):
    """Waits until the wall clock has passed `deadline` (seconds)."""
    while time.time() <= deadline:
        time.sleep(0.001)


def make(client, lifetime_ms, *keys):
    """Sets keys with a time to live; returns the wall-clock second at which all of them are past it.

    At one moment: who asked for the times afterwards could come too late, and his asking would delete them.
    """
    sets = [("SET", key, "v", "PX", lifetime_ms) for key in keys]
    asks = [("PEXPIRETIME", key) for key in keys]
    *_, made = client.pipeline([("MULTI",), *sets, *asks, ("EXEC",)])
    assert made[:len(keys)] == ["OK"] * len(keys), made
    return max(made[len(keys):]) / 1000 + 0.001


def a_read_sees_the_exact_time_and_deletes(client):
    past(make(client, 30, "a", "b", "c"))
    assert client.command("DBSIZE") == 3, "nobody has looked"
    assert client.command("GET", "a") is None
    assert client.command("DBSIZE") < 3
    past(make(client, 30, "a", "b", "c"))
    assert client.command("MGET", "a", "b", "c") == [None, None, None]
    assert client.command("DBSIZE") == 0
    for read in (("TTL", "k"), ("PTTL", "k")):
        past(make(client, 20, "k"))
        assert client.command(*read) == -2
    past(make(client, 20, "k"))
    assert client.command("EXISTS", "k") == 0
    past(make(client, 20, "k"))
    assert client.command("HGETALL", "k") == [], "a slow read"


def counted_once(client):
    client.command("CONFIG", "RESETSTAT")
    before = info(client, "stats")["expired_keys"]
    past(make(client, 20, "k"))
    assert client.command("GET", "k") is None
    stats = info(client, "stats")
    assert int(stats["expired_keys"]) == int(before) + 1, stats["expired_keys"]
    assert stats["keyspace_misses"] == "1" and stats["keyspace_hits"] == "0", stats
    assert "calls=1," in info(client, "commandstats")["cmdstat_get"]


def walks(client):
    client.command("SET", "stays", "v")
    for read, answer in ((("KEYS", "*"), [b"stays"]), (("SCAN", "0"), [b"0", [b"stays"]]),
                         (("RANDOMKEY",), b"stays")):
        past(make(client, 20, *[f"k{i}" for i in range(100)]))
        for _ in range(20 if read[0] == "RANDOMKEY" else 1):
            assert client.command(*read) == answer, read
    client.command("FLUSHALL")


def time_counts_down_while_nobody_writes(client):
    client.command("SET", "k", "v", "PX", 100_000)
    client.command("SET", "idle", "v")
    first = client.command("PTTL", "k")
    time.sleep(1.2)
    assert first - client.command("PTTL", "k") >= 1200
    assert client.command("OBJECT", "IDLETIME", "idle") >= 1
    begin = time.monotonic()
    client.command("GET", "idle")
    idle = client.command("OBJECT", "IDLETIME", "idle")
    assert idle <= 1 + time.monotonic() - begin, idle


def a_transaction_of_reads(client):
    past(make(client, 20, "k", "l"))
    client.command("MULTI")
    for command in (("GET", "k"), ("CLIENT", "SETNAME", "once"), ("EXISTS", "l"), ("DBSIZE",)):
        assert client.command(*command) == "QUEUED"
    assert client.command("EXEC") == [None, "OK", 0, 0]
    past(make(client, 20, "k"))
    client.command("MULTI")
    client.command("KEYS", "*")
    assert client.command("EXEC") == [[]]
    past(make(client, 20, "k"))
    assert client.command("WATCH", "k") == "OK"
    client.command("MULTI")
    client.command("SET", "k", "new")
    assert client.command("EXEC") == ["OK"], "it was gone before the watch began"
    client.command("FLUSHALL")
    deadline = make(client, 1000, "k")
    client.command("WATCH", "k")
    client.command("MULTI")
    client.command("GET", "other")
    past(deadline)
    assert client.command("EXEC") is None, "a watched key went by its time"


def pipelines(client):
    past(make(client, 20, "a", "b"))
    replies = client.pipeline([["PING"], ["GET", "a"], ["SET", "a", "new"], ["GET", "a"],
                               ["GET", "b"], ["DBSIZE"], ["HGETALL", "b"], ["PING"]])
    assert replies[:5] == ["PONG", None, "OK", b"new", None] and replies[6:] == [[], "PONG"], replies
    client.command("FLUSHALL")


def the_log_takes_no_writes(binary):
    """Reads go on; what no client saw expired lives on until the log sees its time come."""
    with Server(binary, {"raft.fsync": "always", "fault.enabled": "yes",
                         "fault.file-layer": "yes"}) as server:
        with server.client() as client:
            assert client.command("DEBUG", "SET-ACTIVE-EXPIRE", "0") == "OK"
            deadline = make(client, 2000, "k")
            assert client.command("FAULT.DISK", "fail-all-syncs", "1") == "OK"
            while not isinstance(client.command("SET", "x", "y"), RespError):
                pass
            past(deadline)
            assert client.command("GET", "k") == b"v"
            assert client.command("PTTL", "k") == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=str(KIWI))
    args = parser.parse_args()
    for mode in ("always", "everysec"):
        with Server(args.server, {"raft.fsync": mode}) as server, server.client() as client:
            assert client.command("DEBUG", "SET-ACTIVE-EXPIRE", "0") == "OK"
            for story in (a_read_sees_the_exact_time_and_deletes, counted_once, walks,
                          time_counts_down_while_nobody_writes, a_transaction_of_reads, pipelines):
                client.command("FLUSHALL")
                story(client)
                print(f"ok      {story.__name__} ({mode})", flush=True)
    the_log_takes_no_writes(args.server)
    print("ok      the_log_takes_no_writes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
