"""The clients of a chaos run: each writes down what it asked, when, and what it was answered (history.h).

A client uses one connection to a random node at a time, takes another one after an error or once in a
while, and goes on. Keys change their names every EPOCH_SECONDS, so that each key's history stays short
enough to be judged; values are never written twice, so that a read tells which write it saw.

Some connections ask for less than linearizable reads. One that may be so much old sees a state that stood at
some moment from so long before it was sent until it was answered: it is written down as a read that began
then, and judged like all others.
"""
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from resp import Client, RespError, encode  # noqa: E402
from server import wait_until  # noqa: E402

EPOCH_SECONDS = 5
ACCOUNTS = 4
TOTAL = 400
BUCKETS_A_SECOND = 10
TIMEOUT_SECONDS = 1.5
LATE_MS = 3000  # elections, pauses and clocks that are slow
# A key goes by a log entry. Where no other node can take over, none is written while the disk is full.
LATE_ALONE_MS = LATE_MS + 9000

# family: (share of the operations, keys an epoch, {operation: share})
FAMILIES = {
    "r": (35, 10, {"GET": 40, "SET": 25, "SETNX": 10, "DEL": 5, "CAS": 20}),
    "c": (20, 6, {"INCR": 60, "GET": 30, "DEL": 5, "CAS": 5}),
    "l": (15, 5, {"APPEND": 50, "GET": 40, "DEL": 10}),
    "bank": (15, 3, {"GET": 45, "CAS": 55}),
    "t": (15, 24, {"GET": 65, "SETPX": 30, "DEL": 5}),
}


BOUNDS_MS = (20, 200, 1000)  # of reads that may be a little old
ANY_SHARE = 0.25  # of the weak ones: as old as they like


class Unanswered(Exception):
    """What was sent has no answer, or the answer says that nobody knows."""


def now_us():
    return time.monotonic_ns() // 1000


def value_text(value):
    if value is None:
        return "nil"
    return "=" + "".join(chr(b) if 33 <= b <= 126 and b != 37 else f"%{b:02X}" for b in value)


def pick(chance, shares):
    return chance.choices(list(shares), list(shares.values()))[0]


class Recorder:
    """One thread's part of the history, and its figures."""

    def __init__(self, path, client_id):
        self.out = open(path, "w", buffering=1 << 16)
        self.client_id = client_id
        self.counts = {"answered": 0, "unknown": 0, "refused": 0}
        self.errors = {}  # the first word of an error → how often
        self.answered = {}  # second / BUCKETS_A_SECOND → answered operations
        self.latest = 0

    def write(self, start, key, operation, result):
        end = now_us()
        self.out.write(f"{self.client_id} {start} {'-' if result == '?' else end} {key} {operation} -> {result}\n")
        kind = "unknown" if result == "?" else "refused" if result[0] == "!" else "answered"
        self.counts[kind] += 1
        if kind == "answered":
            bucket = end * BUCKETS_A_SECOND // 1_000_000
            self.answered[bucket] = self.answered.get(bucket, 0) + 1

    def error(self, text):
        word = text[:60] if text.startswith(("ERR", "no connection", "READONLY:")) else text.split(" ", 1)[0]
        self.errors[word] = self.errors.get(word, 0) + 1

    def close(self):
        self.out.close()


class ChaosClient:
    def __init__(self, ports, recorder, chance, settings):
        self.ports = ports  # () → the client ports of the members now
        self.recorder = recorder
        self.chance = chance
        self.settings = settings
        self.connection = None
        self.uses_left = 0
        self.serial = 0
        self.oldest_us = 0  # what reads of the connection may miss

    # ---- the connection

    def connect(self):
        """A connection to some node; raises OSError."""
        if self.connection and self.uses_left > 0:
            self.uses_left -= 1
            return
        self.disconnect()
        self.connection = Client(self.chance.choice(self.ports()), timeout=TIMEOUT_SECONDS)
        self.uses_left = self.chance.randint(20, 300)
        if self.chance.random() < self.settings["follower_reads"]:
            reply = self.connection.command("READONLY")  # reads where it is connected to, by ReadIndex
            if isinstance(reply, RespError):
                self.recorder.error(f"READONLY: {reply.split(' ', 1)[0]}")
        self.oldest_us = 0
        if self.chance.random() < self.settings["weak_reads"]:
            self.ask_for_less()

    def ask_for_less(self):
        if self.chance.random() < ANY_SHARE:
            level, oldest_us = ("ANY",), None
        else:
            bound_ms = self.chance.choice(BOUNDS_MS)
            slowest = 1 - self.settings["drift_percent"] / 100  # of a node's clock
            level, oldest_us = ("BOUNDED", bound_ms), int(bound_ms * 1000 / slowest) + 1000
        reply = self.connection.command("CLIENT", "CONSISTENCY", *level)
        if reply == "OK":
            self.oldest_us = oldest_us
        else:
            self.recorder.error(reply)

    def read_from(self, start):
        """The first moment whose state a read that was sent at `start` may show."""
        return 0 if self.oldest_us is None else max(0, start - self.oldest_us)

    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def exchange(self, *commands):
        """Sends all, reads all replies; raises Unanswered once anything may have been sent."""
        try:
            return self.connection.pipeline(commands)
        except (OSError, ValueError) as error:
            self.recorder.error(type(error).__name__)
            self.disconnect()
            raise Unanswered from error

    def result(self, reply, show):
        """The history's word for a reply; show(reply) for one that is no error."""
        if not isinstance(reply, RespError):
            return show(reply)
        self.recorder.error(reply)
        return "?" if reply.startswith("UNKNOWN") else "!" + reply.split(" ", 1)[0]

    def do(self, key, operation, command, show):
        start = now_us()
        if operation == "GET":
            start = self.read_from(start)
        try:
            reply, = self.exchange(command)
        except Unanswered:
            self.recorder.write(start, key, operation, "?")
            return None
        self.recorder.write(start, key, operation, self.result(reply, show))
        return reply

    # ---- the operations

    def step(self):
        epoch = int((time.monotonic() - self.settings["begin"]) / EPOCH_SECONDS)
        family = pick(self.chance, {name: share for name, (share, _, _) in FAMILIES.items()})
        _, keys, operations = FAMILIES[family]
        key = f"{family}:{epoch}:{self.chance.randrange(keys)}"
        operation = pick(self.chance, operations)
        self.connect()
        self.serial += 1
        fresh = f"{self.recorder.client_id}.{self.serial}"
        if family == "bank":
            return self.bank(key, operation, fresh)
        if operation == "CAS":
            fresh = str(self.chance.randrange(10**9) * 1000) if family == "c" else fresh
            return self.compare_and_set(key, fresh)
        ok = lambda reply: "OK" if reply == "OK" else value_text(reply)
        number = lambda reply: f":{reply}"
        if operation == "GET":
            self.do(key, "GET", ("GET", key), value_text)
        elif operation == "SET":
            self.do(key, f"SET ={fresh}", ("SET", key, fresh), ok)
        elif operation == "SETNX":
            self.do(key, f"SETNX ={fresh}", ("SET", key, fresh, "NX"), ok)
        elif operation == "SETPX":
            self.expiring(key, fresh, ok)
        elif operation == "APPEND":
            self.do(key, f"APPEND ={fresh}", ("APPEND", key, fresh), number)
        else:
            self.do(key, operation, (operation, key), number)

    def expiring(self, key, fresh, ok):
        life_ms = self.chance.randint(100, 1500)
        slack_ms = self.settings["expiry_slack_ms"]  # None: clocks may drift too much to tell
        early = 0 if slack_ms is None else max(0, int(life_ms * 0.9) - slack_ms) * 1000
        late_ms = LATE_ALONE_MS if self.settings["alone"] else LATE_MS
        late = 0 if slack_ms is None else (life_ms + slack_ms + late_ms) * 1000
        self.do(key, f"SETPX ={fresh} {early} {late}", ("SET", key, fresh, "PX", life_ms), ok)

    def compare_and_set(self, key, fresh):
        start = now_us()
        try:
            watched, old = self.exchange(("WATCH", key), ("GET", key))
        except Unanswered:
            return
        self.recorder.write(self.read_from(start), key, "GET", self.result(old, value_text))
        if isinstance(watched, RespError) or isinstance(old, RespError):
            return self.abandon()
        self.execute(key, value_text(old), f"={fresh}", ("SET", key, fresh))

    def bank(self, key, operation, fresh):
        """The accounts and a tag that no other transfer has: one object, written by MSET alone."""
        names = [f"{{{key}}}:{i}" for i in range(ACCOUNTS)] + [f"{{{key}}}:tag"]
        start = now_us()
        transfer = operation == "CAS"
        try:
            replies = self.exchange(*([("WATCH", *names)] if transfer else []), ("MGET", *names))
        except Unanswered:
            return
        parts = replies[-1]
        self.recorder.write(self.read_from(start), key, "GET", self.result(parts, self.bank_value))
        if not transfer:
            return
        if any(isinstance(r, RespError) for r in replies) or (None in parts and any(parts)):
            return self.abandon()
        if parts[-1] is None:
            new = [TOTAL // ACCOUNTS] * ACCOUNTS
            changed = range(ACCOUNTS)
        else:
            new = [int(p) for p in parts[:-1]]
            changed = self.chance.sample(range(ACCOUNTS), 2)
            amount = self.chance.randint(1, 50)
            new[changed[0]] -= amount
            new[changed[1]] += amount
        command = ["MSET", names[-1], fresh]
        for i in changed:
            command += [names[i], new[i]]
        after = ",".join(map(str, new)) + f",{fresh}"
        self.execute(key, self.bank_value(parts), f"={after}", command)

    def bank_value(self, parts):
        """Torn transfers are values that nobody wrote, so the judge sees them; so it does wrong sums."""
        if not any(parts):
            return "nil"
        return value_text(b",".join(b"missing" if p is None else p for p in parts))

    def execute(self, key, old, new, command):
        """MULTI, the write, EXEC: one operation that happens if nobody changed what was watched."""
        if self.chance.random() < 0.5:  # in two steps: the transaction is open for a while
            try:
                reply, = self.exchange(("MULTI",))
            except Unanswered:
                return
            if reply != "OK":
                return self.abandon()
            first = []
        else:
            first = [("MULTI",)]
        start = now_us()
        try:
            replies = self.exchange(*first, command, ("EXEC",))
        except Unanswered:
            return self.recorder.write(start, key, f"CAS {old} {new}", "?")
        if first and replies[0] != "OK":  # then the write was one of its own
            self.recorder.write(start, key, f"SET {new}", self.result(replies[1], lambda r: "OK"))
            return self.abandon()
        show = lambda reply: "FAIL" if reply is None else "OK"
        done = replies[-1]
        inner = done[0] if isinstance(done, list) and done and isinstance(done[0], RespError) else done
        self.recorder.write(start, key, f"CAS {old} {new}", self.result(inner, show))

    def abandon(self):
        """The transaction's state on this connection is not worth knowing."""
        self.disconnect()


def run_threads(process, threads, ports, settings, stop):
    """The threads of one client process, until stop.is_set(); their histories and figures lie in settings["folder"]."""
    def live(thread):
        client_id = process * threads + thread + 1
        recorder = Recorder(f"{settings['folder']}/history.{client_id}", client_id)
        chance = random.Random(f"{settings['seed']}-{client_id}")
        client = ChaosClient(ports, recorder, chance, settings)
        while not stop.is_set():
            try:
                client.step()
                if settings["pace"]:
                    time.sleep(chance.expovariate(settings["pace"]))
            except OSError:  # nothing was sent
                client.disconnect()
                recorder.error("no connection")
                time.sleep(0.02)
            if recorder.counts["refused"] and recorder.counts["refused"] != recorder.latest:
                recorder.latest = recorder.counts["refused"]
                time.sleep(0.01)
        client.disconnect()
        recorder.close()
        results.append((recorder.counts, recorder.errors, recorder.answered))

    results = []
    running = [threading.Thread(target=live, args=(i,)) for i in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    totals = {"counts": {}, "errors": {}, "answered": {}}
    for parts in results:
        for name, part in zip(totals, parts):
            for key, count in part.items():
                totals[name][key] = totals[name].get(key, 0) + count
    pathlib.Path(f"{settings['folder']}/figures.{process}.json").write_text(json.dumps(totals))


def read_back(nodes, keys, path):
    """The final reads: every key through every node, as one more client each."""
    for node in nodes:
        recorder = Recorder(f"{path}.{node.id}", 100000 + node.id)
        for start in range(0, len(keys), 200):
            part = keys[start:start + 200]

            def read():
                try:
                    return read_keys(node, [names for _, names in part])
                except OSError:
                    return None
            asked, replies = wait_until(f"node {node.id} answers its final reads", read, 60, 0.1)
            for (key, names), reply in zip(part, replies):
                if len(names) > 1:
                    recorder.write(asked, key, "GET", ChaosClient.bank_value(None, reply))
                else:
                    recorder.write(asked, key, "GET", value_text(reply))
        recorder.close()


def read_keys(node, all_names):
    """(when asked, the replies), or None where a leader was missing."""
    with Client(node.port, timeout=30) as client:
        asked = now_us()
        client.send(b"".join(encode("MGET", *names) if len(names) > 1 else encode("GET", *names)
                             for names in all_names))
        replies = [client.read() for _ in all_names]
    refused = [r for r in replies if isinstance(r, RespError)]
    if any(not r.startswith(("CLUSTERDOWN", "UNKNOWN")) for r in refused):
        raise RuntimeError(f"node {node.id} refuses a read after the run: {refused[0]}")
    return None if refused else (asked, replies)


def all_keys(seconds):
    """(key of the history, names in the server) of all epochs of a run."""
    keys = []
    for epoch in range(int(seconds / EPOCH_SECONDS) + 1):
        for family, (_, count, _) in FAMILIES.items():
            for i in range(count):
                key = f"{family}:{epoch}:{i}"
                names = ([f"{{{key}}}:{n}" for n in [*range(ACCOUNTS), "tag"]] if family == "bank" else [key])
                keys.append((key, names))
    return keys
