#!/usr/bin/env python3
"""Stories of a server in trouble: circuit breakers that open from Low upward and close by themselves,
pools that learn that threads do not make a disk faster, and weights that starve nobody.

What a story sees of the server it asks INFO for; every wait has a deadline, and nothing is timed.
"""
import contextlib
import sys
import threading
import time

from resp import RespError, encode, info
from server import Server, wait_until
from stories import run_stories

# Thresholds that a test reaches within a second or two.
BREAKER = {
    "runtime.breaker.window-ms": 4000, "runtime.breaker.min-failures": 8,
    "runtime.breaker.open-ms": 600, "runtime.breaker.probe-count": 3,
    "runtime.breaker.timeout-high-ms": 60000, "runtime.breaker.queue-deadline-high-ms": 60000,
    "runtime.breaker.timeout-normal-ms": 60000, "runtime.breaker.queue-deadline-normal-ms": 60000,
    "runtime.breaker.timeout-low-ms": 60000, "runtime.breaker.queue-deadline-low-ms": 60000,
}
# What forty floods may cost, which ask for far more than that, with room for the tables of a sanitizer.
FLAT_BYTES = 600 << 20
FAULTS = {"fault.enabled": "yes", "fault.file-layer": "yes"}


def runtime(client):
    return info(client, "runtime")


def states(client):
    figures = runtime(client)
    return tuple(figures[f"breaker_{level}"] for level in ("high", "normal", "low"))


def story_of(client):
    """The transitions in the order in which they came: (level, from, to, cause)."""
    figures = runtime(client)
    lines = [figures[f"breaker_transition_{i}"] for i in range(12) if f"breaker_transition_{i}" in figures]
    fields = [dict(part.split("=") for part in line.split(",")) for line in reversed(lines)]
    return [(f["level"], f["from"], f["to"], f["cause"]) for f in fields]


def at_priority(server, level):
    client = server.client(60)
    assert client.command("CLIENT", "PRIORITY", level) == "OK"
    return client


def refused(reply, level):
    return isinstance(reply, RespError) and reply.startswith(f"TRYAGAIN the circuit breaker of priority {level}")


class Load:
    """Clients of one level that write as fast as they are answered, and count what they are told."""

    def __init__(self, server, level, clients):
        self.level = level
        self.acked = self.refusals = 0
        self.strange = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(server, i), daemon=True)
                        for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, server, number):
        with contextlib.suppress(OSError), at_priority(server, self.level) as client:
            while not self.stopping.is_set():
                reply = client.command("SET", f"{self.level}:{number}", "x")
                if reply == "OK":
                    self.acked += 1
                elif refused(reply, self.level):
                    self.refusals += 1
                    time.sleep(0.02)  # as a client that was told to come again later
                else:
                    self.strange.append(reply)

    def finish(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), f"a {self.level} client hangs"
        assert not self.strange, self.strange[:3]


@contextlib.contextmanager
def under_load(server, **clients):
    loads = {level: Load(server, level, count) for level, count in clients.items()}
    try:
        yield loads
    finally:
        for load in loads.values():
            load.finish()


def a_slow_disk(binary):
    """Storage grows in vain and is taken back, the network pool waits, breakers open from Low upward,
    High and the operator go on, and when the disk is well again all closes by itself."""
    options = BREAKER | FAULTS | {
        "runtime.breaker.window-ms": 1000,
        "runtime.breaker.timeout-low-ms": 250, "runtime.breaker.timeout-normal-ms": 1400,
        "runtime.scaling.storage-response-high-us": 40000, "runtime.scaling.storage-response-low-us": 20000,
        "runtime.scaling.min-gain-percent": 90, "runtime.scaling.bar-ms": 1000, "runtime.scaling.bar-max-ms": 1000,
    }
    with Server(binary, options) as server, server.client(60) as operator, \
            under_load(server, low=12, normal=12, high=2) as loads:
        wait_until("all write", lambda: all(load.acked > 20 for load in loads.values()), 30)
        before = runtime(operator)
        assert states(operator) == ("closed",) * 3, before
        applied = int(info(operator, "raft")["applied_index"])
        fault = operator.command("FAULT.INJECT", "slow-disk", 1500)
        assert not isinstance(fault, RespError), fault

        story = wait_until("a breaker opens", lambda: story_of(operator), 60)
        assert story[0] == ("low", "closed", "open", "failures"), story
        # Growth was tried before that; that it is useless shows while the disk goes on being slow.
        tried = runtime(operator)
        assert int(tried["storage_grown"]) > int(before["storage_grown"]), tried
        wait_until("then normal opens", lambda: runtime(operator)["breaker_normal_opened"] != "0", 60)
        wait_until("the growth is taken back",
                   lambda: runtime(operator)["storage_grown_in_vain"] != before["storage_grown_in_vain"], 60)
        wait_until("storage comes first", lambda: runtime(operator)["scaling_storage_first"] == "1", 60)
        figures = runtime(operator)
        assert "growth-in-vain" in "".join(figures.get(f"storage_resize_{i}", "") for i in range(4)), figures
        assert figures["network_grown"] == before["network_grown"], figures
        assert int(figures["breaker_low_failures_timeout"]) >= 8, figures
        wait_until("low and normal are refused",
                   lambda: loads["low"].refusals > 0 and loads["normal"].refusals > 0, 60)

        # High goes on, and with it what is Critical: its writes are committed and applied.
        acked = loads["high"].acked
        wait_until("high writes go on", lambda: loads["high"].acked > acked + 3, 60)
        assert int(info(operator, "raft")["applied_index"]) > applied
        assert loads["high"].refusals == 0 and states(operator)[0] == "closed"
        # An operator whose own level is open gets in and does what he must.
        with at_priority(server, "low") as low:
            wait_until("low refuses", lambda: refused(low.command("GET", "k"), "low"), 30)
            assert low.command("PING") == "PONG"
            assert isinstance(low.command("CONFIG", "GET", "port"), list)
            assert low.command("CLIENT", "PRIORITY", "high") == "OK"
            assert low.command("GET", "no such key") is None

        assert operator.command("FAULT.CLEAR") == 1
        wait_until("all close", lambda: states(operator) == ("closed",) * 3, 60)
        counts = {level: load.acked for level, load in loads.items()}
        wait_until("all write again", lambda: all(load.acked > counts[level] + 20
                                                  for level, load in loads.items()), 60)
        causes = [cause for level, _, _, cause in story_of(operator) if level == "low"]
        assert causes[-1] == "probes-passed", story_of(operator)
        assert runtime(operator)["breaker_high_opened"] == "0"


def open_low(server, operator):
    """Eight connections whose commands took too long: Low has a small time-out for it."""
    assert operator.command("CONFIG", "SET", "runtime.breaker.timeout-low-ms", 1) == "OK"
    assert operator.command("FAULT.INJECT", "slow-disk", 100)
    clients = [at_priority(server, "low") for _ in range(10)]
    deadline = time.monotonic() + 30
    while states(operator)[2] == "closed":
        assert time.monotonic() < deadline, runtime(operator)
        for client in clients:
            client.send(b"SET k v\r\n")
        for client in clients:
            client.read()
    for client in clients:
        client.close()
    assert operator.command("FAULT.CLEAR") == 1


def what_is_refused(binary):
    """An open level: clear errors at once, never executed, EXEC aborts; connections are served; others
    do not notice; and CONFIG SET closes it."""
    options = BREAKER | FAULTS | {"runtime.breaker.open-ms": 3600000}
    with Server(binary, options) as server, server.client(60) as operator:
        low = at_priority(server, "low")
        queued = at_priority(server, "low")
        assert queued.pipeline([("MULTI",), ("SET", "later", 1)]) == ["OK", "QUEUED"]
        open_low(server, operator)
        assert states(operator) == ("closed", "closed", "open")
        digest = operator.command("DEBUG", "DIGEST")
        keys = low.pipeline([("SET", "a", 1), ("GET", "a"), ("KEYS", "*"), ("PING",), ("INCR", "a"),
                             ("ECHO", "hi"), ("CLIENT", "ID"), ("WATCH", "a"), ("SELECT", 0), ("NOSUCH",)])
        for i in (0, 1, 2, 4, 7):
            assert refused(keys[i], "low"), (i, keys[i])
        assert keys[3] == "PONG" and keys[5] == b"hi" and isinstance(keys[6], int) and keys[8] == "OK"
        assert keys[9].startswith("ERR unknown command"), keys[9]
        assert low.command("SET", "a").startswith("ERR wrong number"), "an error of its own comes first"

        replies = low.pipeline([("MULTI",), ("SET", "a", 1), ("PING",), ("EXEC",), ("DISCARD",)])
        assert replies[0] == "OK" and refused(replies[1], "low") and replies[2] == "QUEUED", replies
        assert replies[3].startswith("EXECABORT") and replies[4].startswith("ERR DISCARD without"), replies
        aborted = queued.command("EXEC")
        assert aborted.startswith("EXECABORT Transaction discarded because of: TRYAGAIN"), aborted
        assert queued.command("EXEC").startswith("ERR EXEC without"), "the transaction is over"
        assert operator.command("DEBUG", "DIGEST") == digest, "nothing of it was done"

        assert operator.command("SET", "b", 1) == "OK", "other levels do not notice"
        figures = runtime(operator)
        assert int(figures["breaker_low_refused"]) >= 7 and figures["breaker_normal_refused"] == "0", figures
        assert operator.command("CONFIG", "SET", "runtime.breaker.enabled", "no") == "OK"
        assert low.command("SET", "a", 1) == "OK"
        assert story_of(operator)[-1] == ("low", "open", "closed", "switched-off"), story_of(operator)
        low.close()
        queued.close()


def what_waits_by_itself_is_no_failure(binary):
    """WAIT, DEBUG SLEEP and CLIENT PAUSE take longer than any time-out, and no breaker minds."""
    # The writes beside them are to take far less than the limits, and the three far more.
    options = BREAKER | {"runtime.breaker.timeout-normal-ms": 500, "runtime.breaker.queue-deadline-normal-ms": 500,
                         "runtime.breaker.min-failures": 1, "raft.fsync": "no"}
    with Server(binary, options) as server, server.client(60) as operator:
        assert operator.command("CLIENT", "PRIORITY", "high") == "OK"
        clients = [server.client(60) for _ in range(4)]
        for client in clients:
            client.send(encode("SET", "k", 1) + encode("WAIT", 1, 1500))
        for client in clients:
            assert [client.read(), client.read()] == ["OK", 0]
        for client in clients:  # one after the other: who waits for another's sleep is a failure
            assert client.pipeline([("SET", "k", 1), ("DEBUG", "SLEEP", 1.5)]) == ["OK", "OK"]
        assert operator.command("CLIENT", "PAUSE", 1500, "WRITE") == "OK"
        for client in clients:
            client.send(b"SET k v\r\n")
        for client in clients:
            assert client.read() == "OK"
        assert states(operator) == ("closed",) * 3, story_of(operator)
        for level in ("high", "normal", "low"):
            for kind in ("storage", "timeout", "queue"):
                assert runtime(operator)[f"breaker_{level}_failures_{kind}"] == "0", (level, kind)


def late_from_the_queue(binary):
    """Low work that waits for a busy worker beyond its deadline opens Low; it is answered nevertheless."""
    options = BREAKER | {"runtime.breaker.queue-deadline-low-ms": 100, "runtime.storage-threads-max": 1}
    with Server(binary, options) as server, server.client(60) as operator, server.client(60) as sleeper:
        low = [at_priority(server, "low") for _ in range(10)]
        sleeper.send(b"DEBUG SLEEP 0.5\r\n")
        assert operator.command("PING") == "PONG", "answered by the loop, which has read the sleeper's socket"
        for client in low:
            client.send(b"KEYS none\r\n")
        for client in low:
            reply = client.read()
            assert reply == [] or refused(reply, "low"), reply
        wait_until("low opens", lambda: runtime(operator)["breaker_low_opened"] == "1", 30)
        assert int(runtime(operator)["breaker_low_failures_queue"]) >= 8, runtime(operator)
        assert states(operator)[:2] == ("closed", "closed")
        for client in low:
            client.close()


def failures_of_high_open_all(binary):
    options = BREAKER | FAULTS | {"runtime.breaker.timeout-high-ms": 150, "runtime.breaker.open-ms": 3600000}
    with Server(binary, options) as server, server.client(60) as operator:
        normal = server.client(60)
        assert normal.command("SET", "k", 1) == "OK"
        with under_load(server, high=10) as loads:
            assert operator.command("FAULT.INJECT", "slow-disk", 500)
            wait_until("all open", lambda: states(operator) == ("open",) * 3, 60)
            wait_until("high is refused", lambda: loads["high"].refusals > 0, 60)
            assert refused(normal.command("GET", "k"), "normal")
            assert story_of(operator)[:3] == [("high", "closed", "open", "failures"),
                                              ("normal", "closed", "open", "level-above"),
                                              ("low", "closed", "open", "level-above")], story_of(operator)
            # The operator gets in, sees it, and ends it.
            assert operator.command("FAULT.CLEAR") == 1
            assert operator.command("CONFIG", "SET", "runtime.breaker.enabled", "no") == "OK"
            assert states(operator) == ("closed",) * 3
        assert normal.command("GET", "k") == b"1"
        normal.close()


class Repeater:
    """Clients of one level that send one command over and over; `done` counts the replies."""

    def __init__(self, server, level, clients, command):
        self.done = 0
        self.failure = None
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(server, level, command), daemon=True)
                        for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, server, level, command):
        try:
            with at_priority(server, level) as client:
                while not self.stopping.is_set():
                    reply = client.command(*command)
                    if isinstance(reply, RespError):
                        raise AssertionError(reply)
                    with self.lock:
                        self.done += 1
        except Exception as error:
            self.failure = error

    def finish(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        assert self.failure is None, self.failure


def weights_starve_nobody(binary):
    """One worker and more High work than it can do: Low gets next to nothing, and its share as soon as
    CONFIG SET says weighted."""
    options = {"runtime.storage-threads-max": 1, "raft.fsync": "no"}
    with Server(binary, options) as server, server.client(60) as operator:
        operator.command("CLIENT", "PRIORITY", "high")
        # What stands in the queues lasts while this process, which has to fill them, is not on a processor.
        sleep = ("DEBUG", "SLEEP", "0.004")
        high, low = Repeater(server, "high", 48, sleep), Repeater(server, "low", 48, sleep)

        def share_of_low():
            wait_until("high runs", lambda: high.failure or high.done > 50, 60)
            begin = high.done, low.done
            wait_until("high goes on", lambda: high.failure or high.done > begin[0] + 400, 60)
            return (low.done - begin[1]) / (high.done - begin[0])

        strict = share_of_low()
        assert operator.command("CONFIG", "SET", "runtime.priority.scheduling", "weighted") == "OK"
        weighted = share_of_low()
        assert operator.command("CONFIG", "SET", "runtime.priority.weight-low", 3) == "OK"
        even = share_of_low()
        high.finish()
        low.finish()
        # By weight a third, and then as much.
        assert strict < 0.1 < 0.2 < weighted < 0.6 < even, (strict, weighted, even)


def backpressure_shows(binary):
    """A level that is made short at run time fills up: sockets are paused, and what that costs shows."""
    options = {"runtime.storage-threads-max": 1, "raft.fsync": "no"}
    with Server(binary, options) as server, server.client(60) as operator:
        operator.command("CLIENT", "PRIORITY", "high")
        for begin in range(0, 4000, 1000):
            operator.pipeline([("SET", f"k{i}", i) for i in range(begin, begin + 1000)])
        keys = Repeater(server, "low", 48, ("KEYS", "none*"))
        wait_until("low works", lambda: keys.failure or keys.done > 100, 60)
        assert runtime(operator)["backpressure_events"] == "0", "there was room for all of them"
        assert operator.command("CONFIG", "SET", "runtime.priority.queue-low", 16) == "OK"
        wait_until("clients wait", lambda: int(runtime(operator)["backpressure_waiting_clients"]) > 0, 60)
        wait_until("their time is told", lambda: int(runtime(operator)["backpressure_waiting_ms"]) > 0, 60)
        wait_until("some have waited", lambda: int(runtime(operator)["backpressure_held_up_batches"]) > 20, 60)
        assert operator.command("CONFIG", "SET", "runtime.priority.queue-low", 16384) == "OK"
        wait_until("nobody waits", lambda: runtime(operator)["backpressure_waiting_clients"] == "0", 60)
        keys.finish()
        figures = runtime(operator)
        events = int(figures["backpressure_events"])
        pauses = dict(part.split("=") for part in figures["backpressure_pauses_by_ms"].split(","))
        assert sum(int(n) for n in pauses.values()) == events > 0, figures
        assert int(figures["backpressure_waited_ms"]) >= int(figures["backpressure_longest_ms"]) > 0, figures
        assert int(figures["backpressure_held_up_mean_us"]) > int(figures["backpressure_others_mean_us"]), figures
        assert figures["backpressure_waiting_ms"] == "0", figures


def a_user_has_a_level(binary):
    """user-priorities: what the user sends runs at that level, a high command too; CLIENT PRIORITY is
    still the connection's own choice."""
    with Server(binary, {"runtime.priority.high-commands": "get"}) as server, server.client(60) as operator:
        operator.command("CLIENT", "PRIORITY", "normal")
        assert operator.command("CONFIG", "SET", "requirepass", "secret") == "OK"
        client = server.client(60)
        assert client.command("AUTH", "secret") == "OK"

        def levels_of(*command):
            before = runtime(operator)
            for _ in range(20):
                client.command(*command)
            after = runtime(operator)
            return [level for level in ("high", "normal", "low")
                    if int(after[f"requests_{level}"]) - int(before[f"requests_{level}"]) >= 20]

        assert levels_of("GET", "k") == ["high"] and levels_of("SET", "k", 1) == ["normal"]
        wrong = operator.command("CONFIG", "SET", "runtime.priority.user-priorities", "default")
        assert "takes pairs" in wrong, wrong
        wrong = operator.command("CONFIG", "SET", "runtime.priority.user-priorities", "somebody low")
        assert "there is no user somebody" in wrong, wrong
        assert operator.command("CONFIG", "SET", "runtime.priority.user-priorities", "default low") == "OK"
        assert levels_of("GET", "k") == ["low"] and levels_of("SET", "k", 1) == ["low"]
        assert client.command("CLIENT", "PRIORITY", "high") == "OK"
        assert levels_of("SET", "k", 1) == ["high"]
        client.close()


def memory_stays_flat(binary):
    """Clients that send as much as they can and read nothing, on a disk that takes next to nothing."""
    with Server(binary, FAULTS) as server, server.client(60) as operator:
        assert operator.command("FAULT.INJECT", "slow-disk", 300)
        before = server.rss_bytes()
        raw = encode("SET", "k", b"x" * 16384) * 64 + encode("GET", "k") * 64
        floods = [server.client(60) for _ in range(40)]
        sent, blocked = 0, 0
        deadline = time.monotonic() + 60
        for flood in floods:
            flood.sock.setblocking(False)
        while blocked < 20 * len(floods):
            assert time.monotonic() < deadline, f"they are never stopped: {sent >> 20} MB"
            for flood in floods:
                try:
                    sent += flood.sock.send(raw)
                except BlockingIOError:
                    blocked += 1
            time.sleep(0.05)
            grown = server.rss_bytes() - before
            assert grown < FLAT_BYTES, f"{grown >> 20} MB for {sent >> 20} MB that were sent"
        assert operator.command("PING") == "PONG"
        assert operator.command("FAULT.CLEAR") == 1
        wait_until("those who do not read are told apart",
                   lambda: int(runtime(operator)["unread_replies_clients"]) > 0, 60)
        grown = server.rss_bytes() - before
        assert grown < FLAT_BYTES, f"{grown >> 20} MB"
        for flood in floods:
            flood.close()
        wait_until("none is left", lambda: runtime(operator)["unread_replies_clients"] == "0", 60)
        assert operator.command("SET", "k", 1) == "OK"


STORIES = [a_slow_disk, what_is_refused, what_waits_by_itself_is_no_failure, late_from_the_queue,
           failures_of_high_open_all, weights_starve_nobody, backpressure_shows, a_user_has_a_level,
           memory_stays_flat]


if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
