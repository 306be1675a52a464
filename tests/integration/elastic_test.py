#!/usr/bin/env python3
"""Stories of a server whose pools grow and shrink while clients are busy."""
import contextlib
import random
import selectors
import socket
import sys
import threading
import time

from resp import encode, info
from server import Server, wait_until
from stories import run_stories


class Talker:
    """A connection that keeps a pipeline of commands under way and checks every reply, byte by byte."""

    def __init__(self, port, name, seed):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.setblocking(False)
        self.name = name
        self.random = random.Random(f"{seed}-{name}")
        self.counter = 0
        self.to_send = b""
        self.expected = b""
        self.received = b""
        self.rounds = 0

    def next_round(self):
        """A pipeline of reads and writes of its own keys, sometimes with something slow in it."""
        commands, replies = [], []
        for _ in range(self.random.randint(1, 40)):
            self.counter += 1
            n = self.counter
            text = str(n).encode()
            for command, reply in ((("SET", self.name, n), b"+OK\r\n"),
                                   (("GET", self.name), b"$%d\r\n%s\r\n" % (len(text), text)),
                                   (("INCR", self.name + ":n"), b":%d\r\n" % n)):
                commands.append(command)
                replies.append(reply)
        kind = self.random.random()
        if kind < 0.05:
            commands.append(("KEYS", self.name))
            key = self.name.encode()
            replies.append(b"*1\r\n$%d\r\n%s\r\n" % (len(key), key))
        elif kind < 0.07:
            commands.append(("DEBUG", "SLEEP", "0.003"))
            replies.append(b"+OK\r\n")
        elif kind < 0.17:
            commands += [("MULTI",), ("GET", self.name), ("EXEC",)]
            replies.append(b"+OK\r\n+QUEUED\r\n*1\r\n$%d\r\n%s\r\n" % (len(text), text))
        self.to_send = b"".join(encode(*c) for c in commands)
        self.expected = b"".join(replies)
        self.received = b""
        self.rounds += 1

    def send_some(self):
        # Cut anywhere, so that a move finds half a command.
        size = min(len(self.to_send), self.random.choice((7, 500, 1 << 16)))
        with contextlib.suppress(BlockingIOError):
            self.to_send = self.to_send[self.sock.send(self.to_send[:size]):]

    def receive(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise ConnectionError(f"{self.name} was dropped")
        self.received += data
        if not self.expected.startswith(self.received):
            raise AssertionError(f"{self.name}: expected {self.expected[:200]!r}, got {self.received[:200]!r}")
        return len(self.received) == len(self.expected)


class Crowd(threading.Thread):
    """Many talkers, driven by one thread."""

    def __init__(self, port, names, seed):
        super().__init__(daemon=True)
        self.talkers = [Talker(port, name, seed) for name in names]
        self.failure = None
        self.stopping = False

    def run(self):
        try:
            self.talk()
        except Exception as error:  # reported by check()
            self.failure = f"{type(error).__name__}: {error}"

    def talk(self):
        selector = selectors.DefaultSelector()
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        for talker in self.talkers:
            talker.next_round()
            selector.register(talker.sock, both, talker)
        active = len(self.talkers)
        silent_since = time.monotonic()
        while active:
            events = selector.select(5)
            if events:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > 60:
                raise TimeoutError(f"{active} clients wait for replies")
            for key, mask in events:
                talker = key.data
                if mask & selectors.EVENT_WRITE:
                    talker.send_some()
                    if not talker.to_send:
                        selector.modify(talker.sock, selectors.EVENT_READ, talker)
                if mask & selectors.EVENT_READ and talker.receive():
                    if self.stopping:
                        selector.unregister(talker.sock)
                        active -= 1
                    else:
                        talker.next_round()
                        selector.modify(talker.sock, both, talker)

    def check(self):
        assert self.failure is None, self.failure

    def rounds(self):
        return sum(t.rounds for t in self.talkers)

    def finish(self):
        self.stopping = True
        self.join(120)
        self.check()
        assert not self.is_alive(), "clients did not come to an end"
        for talker in self.talkers:
            talker.sock.close()


def runtime(client):
    return info(client, "runtime")


def set_loops(client, count):
    # The minimum first when growing, the maximum first when shrinking: one CONFIG SET does both.
    assert client.command("CONFIG", "SET", "runtime.network-threads-min", count,
                          "runtime.network-threads-max", count) == "OK"


def loops_are(client, count):
    figures = runtime(client)
    return int(figures["network_threads"]) == count and int(figures["network_threads_alive"]) == count


def victims_are_killed(server, control, rounds):
    """Clients that wait for nothing, die by CLIENT KILL, and nobody else does."""
    for _ in range(rounds):
        with server.client(60) as victim:
            victim_id = victim.command("CLIENT", "ID")
            assert control.command("CLIENT", "KILL", "ID", victim_id) == 1
            try:
                raise AssertionError(f"a killed client got {victim.command('PING')!r}")
            except (ConnectionError, BrokenPipeError):
                pass


def loops_come_and_go_under_pipelines(binary, clients=300, swings=12):
    """Loops grow and shrink between 1 and 4: every reply right, in order, and nobody is dropped."""
    options = {"runtime.priority.queue-normal": 16, "runtime.priority.queue-low": 16, "raft.fsync": "no"}
    with Server(binary, options) as server, server.client(60) as control:
        crowds = [Crowd(server.port, [f"c{j}-{i}" for i in range(clients // 3)], 1) for j in range(3)]
        for crowd in crowds:
            crowd.start()
        assert control.command("CLIENT", "PRIORITY", "HIGH") == "OK"
        for swing in range(swings):
            count = (4, 1, 3, 2)[swing % 4]
            set_loops(control, count)
            victims_are_killed(server, control, 5)
            listed = control.command("CLIENT", "LIST").decode().splitlines()
            assert len(listed) >= clients, len(listed)
            wait_until(f"{count} loops run; {runtime(control)}", lambda: loops_are(control, count), 60, 0.02)
            before = [crowd.rounds() for crowd in crowds]
            wait_until("all go on", lambda: all(c.failure or c.rounds() > b + 50
                                                for c, b in zip(crowds, before)), 60)
            for crowd in crowds:
                crowd.check()
        for crowd in crowds:
            crowd.finish()
        figures = runtime(control)
        assert int(figures["network_moves"]) > clients, figures
        assert int(figures["backpressure_events"]) > 0, figures
        assert int(figures["backpressure_waiting_clients"]) == 0, figures
        assert float(figures["network_thread_seconds"]) > 0
        set_loops(control, 1)
        wait_until("one loop is left", lambda: loops_are(control, 1), 60, 0.02)


def paused_clients_wait_and_move(binary):
    """CLIENT PAUSE: those that wait are counted as blocked, move between loops, and go on after it."""
    with Server(binary) as server, server.client(60) as control:
        waiting = [server.client(60) for _ in range(20)]
        assert control.command("CLIENT", "PAUSE", 600000, "WRITE") == "OK"
        for i, client in enumerate(waiting):
            client.send(encode("SET", f"k{i}", i) + encode("GET", f"k{i}"))
        wait_until("all are blocked", lambda: info(control, "clients")["blocked_clients"] == "20")
        for count in (4, 1):
            set_loops(control, count)
            wait_until(f"{count} loops", lambda: loops_are(control, count), 30, 0.02)
            # One that is between two loops waits in neither.
            wait_until("all wait again", lambda: info(control, "clients")["blocked_clients"] == "20")
        killed = waiting.pop()
        address = "{}:{}".format(*killed.sock.getsockname())
        assert control.command("CLIENT", "KILL", "ADDR", address) == 1
        wait_until("one fewer", lambda: info(control, "clients")["blocked_clients"] == "19")
        assert control.command("CLIENT", "UNPAUSE") == "OK"
        for i, client in enumerate(waiting):
            assert [client.read(), client.read()] == ["OK", str(i).encode()]
            client.close()
        wait_until("none waits", lambda: info(control, "clients")["blocked_clients"] == "0")


@contextlib.contextmanager
def flood(server, clients=24):
    """Clients that do nothing but sleep on a worker: more workers help however few cores there are."""
    stop = threading.Event()

    def sleep_on():
        with contextlib.suppress(OSError), server.client(60) as client:
            while not stop.is_set():
                client.pipeline([("DEBUG", "SLEEP", "0.02")] * 4)

    threads = [threading.Thread(target=sleep_on, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


FLOOD_OPTIONS = {"runtime.scaling.storage-queue-high": 4, "runtime.scaling.storage-queue-low": 1,
                 "runtime.scaling.storage-response-high-us": 10**9, "raft.fsync": "no"}


def workers_follow_the_queue(binary):
    """A flood of slow commands makes the storage pool grow, and its end makes it shrink."""
    with Server(binary, FLOOD_OPTIONS | {"runtime.scaling.shrink-sustain-ms": 200}) as server:
        with server.client(60) as control:
            assert runtime(control)["storage_threads"] == "1"
            with flood(server):
                wait_until("the pool grows", lambda: int(runtime(control)["storage_threads"]) >= 4, 60, 0.05)
            wait_until("it shrinks", lambda: runtime(control)["storage_threads"] == "1", 60, 0.05)
            wait_until("threads end", lambda: runtime(control)["storage_threads_alive"] == "1", 60, 0.05)
            figures = runtime(control)
            assert int(figures["storage_grown"]) >= 3 and int(figures["storage_shrunk"]) >= 3, figures
            assert "cause=low-pressure" in figures["storage_resize_0"], figures


def growing_in_vain_is_taken_back(binary):
    """What a growth must bring is set so high that none does: it is undone, and not tried again soon."""
    vain = {"runtime.storage-threads-min": 2, "runtime.scaling.min-gain-percent": 100}
    with Server(binary, FLOOD_OPTIONS | vain) as server, server.client(60) as control:
        with flood(server):
            wait_until(f"a growth is taken back; {runtime(control)}",
                       lambda: runtime(control)["storage_grown_in_vain"] == "1", 30, 0.05)
            figures = runtime(control)
            assert int(figures["storage_barred_ms"]) > 0, figures
            assert "cause=growth-in-vain" in figures["storage_resize_0"], figures


STORIES = [loops_come_and_go_under_pipelines, paused_clients_wait_and_move, workers_follow_the_queue,
           growing_in_vain_is_taken_back]


if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
