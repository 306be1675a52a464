#!/usr/bin/env python3
"""Stories of long readers: what must go on while one of them holds the whole keyspace.

DEBUG HOLD-SHARDS is the long reader; it ends when the story says so, never by the clock: whatever is
answered before RELEASE-SHARDS was answered beside it.
"""
import sys
import threading

from resp import RespError, encode, info
from server import Server, wait_until
from stories import run_stories


FOREVER = 600  # seconds; no story comes near
# Fixed pools: the holder, the applier that waits for it, and one for what the story asks.
POOLS = {"runtime.network-threads-min": 1, "runtime.network-threads-max": 1,
         "runtime.storage-threads-min": 4, "runtime.storage-threads-max": 4}


class Holder:
    """A connection whose DEBUG HOLD-SHARDS is under way, and one that ends it."""

    def __init__(self, server, *keys):  # of whose shards; all if none
        self.keys = keys
        self.reader, self.control = server.client(60), server.client(60)

    def __enter__(self):
        self.reader.send(encode("DEBUG", "HOLD-SHARDS", FOREVER, *self.keys))
        wait_until("the shards are held", lambda: self.holders() == 1, 30)
        return self

    def holders(self):
        return self.control.command("DEBUG", "SHARD-HOLDERS")

    def release(self):
        assert self.holders() == 1, "the holder ended by itself"
        assert self.control.command("DEBUG", "RELEASE-SHARDS") == "OK"
        assert self.reader.read() == "OK"

    def __exit__(self, *unused):
        self.control.command("DEBUG", "RELEASE-SHARDS")
        self.reader.close()
        self.control.close()


def unanswered(client):
    """True if nothing has come."""
    client.sock.setblocking(False)
    try:
        return not client.buffer[client.at:] and not client.sock.recv(1)
    except BlockingIOError:
        return True
    finally:
        client.sock.settimeout(60)


def readers_go_on_beside_a_waiting_write(binary):
    """A write waits for the long reader; PING, new connections, and reads of any shard do not."""
    with Server(binary, POOLS) as server, server.client(60) as setup, server.client(60) as writer:
        keys = [f"k{i}" for i in range(300)]  # every shard has some
        assert setup.pipeline([("SET", key, "old") for key in keys]) == ["OK"] * len(keys)
        with Holder(server) as holder:
            writer.send(b"".join(encode("SET", key, "new") for key in keys))
            for _ in range(50):
                with server.client(60) as fresh:  # the loop accepts, reads and answers
                    assert fresh.command("PING") == "PONG"
                    assert fresh.pipeline([("GET", key) for key in keys]) == [b"old"] * len(keys)
                    assert fresh.command("MGET", *keys[:50]) == [b"old"] * 50
                    assert fresh.command("DBSIZE") == len(keys)
            transaction = [("WATCH", "k1"), ("MULTI",), ("GET", "k1"), ("GET", "k2"), ("EXEC",)]
            assert setup.pipeline(transaction) == ["OK", "OK", "QUEUED", "QUEUED", [b"old", b"old"]]
            assert unanswered(writer)
            holder.release()
        assert [writer.read() for _ in keys] == ["OK"] * len(keys)
        assert setup.pipeline([("GET", key) for key in keys]) == [b"new"] * len(keys)


def a_batch_goes_on_where_it_stopped(binary):
    """Entries stop at any item that meets the reader's shard: each takes effect once, in its order."""
    batch = [("INCR", "{w}n"), ("GET", "{w}n"), ("INCR", "{held}n"), ("GET", "{held}n"), ("APPEND", "{w}s", "ab"),
             ("PING",), ("MULTI",), ("INCR", "{w}n"), ("INCR", "{held}m"), ("GET", "{w}n"), ("EXEC",),
             ("STRLEN", "{w}s"), ("SET", "{held}g", "w"), ("MGET", "{w}n", "{held}m")]
    with Server(binary, {**POOLS, "raft.snapshot-entries": 2}) as server:
        for turn in range(12):
            writers = {str(w): server.client(60) for w in range(8)}
            with Holder(server, *(f"{{held{w}}}" for w in writers if int(w) % 2 == turn % 2)) as holder:
                for w, writer in writers.items():
                    writer.send(b"".join(encode(*(a.replace("{held}", f"{{held{w}}}").replace("{w}", f"{{{w}}}")
                                                  for a in command)) for command in batch))
                with server.client(60) as reader:
                    assert reader.pipeline([("GET", "{held0}n"), ("PING",)])[1] == "PONG"
                holder.release()
            for writer in writers.values():
                n, half = 2 * turn + 2, 2 * turn + 1
                want = [half, b"%d" % half, turn + 1, b"%d" % (turn + 1), n, "PONG", "OK", "QUEUED", "QUEUED",
                        "QUEUED", [n, turn + 1, b"%d" % n], n, "OK", [b"%d" % n, b"%d" % (turn + 1)]]
                got = [writer.read() for _ in batch]
                assert got == want, (got, want)
            for writer in writers.values():
                writer.close()
            with server.client(60) as client:  # a checkpoint that was due meanwhile holds whole entries only
                wait_until("no checkpoint runs", lambda: info(client, "raft")["checkpoint_running"] == "no", 30)
                digest = client.command("DEBUG", "DIGEST")
            server.kill()
            server.start()
            with server.client(60) as client:
                assert client.command("DEBUG", "DIGEST") == digest, "the replay of the log differs"


def checkpoints_and_expiry_wait_elsewhere(binary):
    """A checkpoint that is due, and keys whose time has come, need the shards too: the loop goes on."""
    args = {**POOLS, "raft.snapshot-entries": 5}
    with Server(binary, args) as server, server.client(60) as setup:
        for i in range(200):
            assert setup.command("SET", f"mortal:{i}", "x", "PX", 50) == "OK"
        for _ in range(20):
            with Holder(server) as holder, server.client(60) as writer:
                writer.send(encode("SET", "a", 1))
                for _ in range(20):
                    assert setup.command("PING") == "PONG"
                holder.release()
                assert writer.read() == "OK"
        wait_until("the mortal keys are gone", lambda: setup.command("DBSIZE") == 1, 30)
        wait_until("checkpoints were written", lambda: int(info(setup, "raft")["checkpoints"]) > 1, 30)


def load_beside_long_readers(binary):
    """Writers that count, and readers that see their counts only grow, while readers come and go."""
    failures = []

    def count(server, who):
        try:
            with server.client(60) as client:
                for i in range(0, 3000, 10):
                    got = client.pipeline([c for _ in range(10) for c in (("INCR", who), ("GET", who))])
                    want = [v for j in range(i + 1, i + 11) for v in (j, str(j).encode())]
                    assert got == want, (got, want)
        except Exception as error:  # reported by the main thread
            failures.append(f"{who}: {type(error).__name__} {error}")

    with Server(binary, {**POOLS, "runtime.network-threads-max": 4, "runtime.network-threads-min": 2}) as server:
        threads = [threading.Thread(target=count, args=(server, f"c{i}")) for i in range(6)]
        for thread in threads:
            thread.start()
        with server.client(60) as client:
            while any(thread.is_alive() for thread in threads):
                assert client.command("DEBUG", "HOLD-SHARDS", "0.01") == "OK"
                assert len(client.command("KEYS", "c*")) <= 6
        assert not failures, failures[0]


def large_values_are_freed_in_the_background(binary):
    """Whichever command drops it: what is large is handed over, and the count comes back to zero."""
    with Server(binary) as server, server.client(60) as client:
        fields = [v for i in range(2000) for v in (f"f{i}", "v")]
        dropping = [("DEL", "a"), ("UNLINK", "a"), ("SET", "a", "small"), ("RENAME", "b", "a"), ("PEXPIRE", "a", -1)]
        done = 0
        for fill in (("SET", "a", b"x" * (4 << 20)), ("HSET", "a", *fields)):
            for drop in dropping:
                assert client.pipeline([("DEL", "a"), ("SET", "b", "small")])[1] == "OK"
                assert not isinstance(client.command(*fill), RespError)
                assert not isinstance(client.command(*drop), RespError)
                done += 1
                wait_until(f"{fill[0]} {drop[0]}: freed in the background", lambda: lazyfree(client) == (0, done))


def lazyfree(client):
    figures = info(client, "memory")
    return int(figures["lazyfree_pending_objects"]), int(figures["lazyfreed_objects"])


STORIES = [readers_go_on_beside_a_waiting_write, a_batch_goes_on_where_it_stopped,
           checkpoints_and_expiry_wait_elsewhere, load_beside_long_readers,
           large_values_are_freed_in_the_background]


if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
