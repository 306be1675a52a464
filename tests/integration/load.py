"""Write load whose outcome can be judged after a crash.

Each Writer owns one connection and its own keys. It numbers its operations 1, 2, 3, … and derives
every value from the number, so that what must be there follows from two numbers alone: `acked` (the
last operation whose reply came) and `sent` (the last one that was sent). What lies between has an
unknown outcome: there or not, but whole, and, as one connection's commands keep their order, always a
prefix of what was sent.

Operation n does one of:
  SET        <w>:set:<n>        a value with a checksum
  HSET       <w>:hash <n>       the same value
  INCR       <w>:counter
  APPEND     <w>:log:<epoch>    a record of fixed form
  MULTI      SET <w>:left n, SET <w>:right n, EXEC: both or neither
"""
import hashlib
import random
import re
import threading

from resp import RespError, encode

KINDS = ("set", "set", "hash", "incr", "append", "multi")


class Torn(AssertionError):
    """The data is not what the acknowledgements promised."""


def value_of(writer, n):
    seed = f"{writer}-{n}"
    body = hashlib.sha256(seed.encode()).hexdigest() * (1 + n % 5)
    return f"{seed}:{body}".encode()


def record_of(n):
    digest = hashlib.sha256(str(n).encode()).hexdigest()[:8]
    return f"<{n}:{digest}>".encode()


class Writer(threading.Thread):
    """Writes until the connection ends. start(); join(); then check(client) on the server's next life."""

    def __init__(self, name, server, depth=16, seed=0):
        super().__init__(daemon=True)
        self.label = name
        self.server = server
        self.depth = depth
        self.random = random.Random(f"{seed}-{name}")
        self.sent = 0
        self.acked = 0
        self.kind_of = {}  # operation → kind, for those not yet judged
        self.counts = {kind: 0 for kind in KINDS}  # judged effects, by kind
        self.first = 1  # the first operation of this epoch
        self.epoch = 0
        self.kept = []  # operations of kind set that are known to be there
        self.refused = None
        self.stopping = False
        self.tolerate = None  # a pattern of error replies that may come (nothing was done then)
        self.skipped = {}  # operation → such an error

    def clone(self, server=None):
        """The writer's next life: a thread runs once."""
        other = Writer(self.label, server or self.server, self.depth)
        for field in ("random", "sent", "acked", "counts", "kept", "epoch", "tolerate"):
            setattr(other, field, getattr(self, field))
        other.first = self.sent + 1
        other.epoch += 1
        return other

    def _commands(self, n, kind):
        w = self.label
        if kind == "set":
            return [("SET", f"{w}:set:{n}", value_of(w, n))]
        if kind == "hash":
            return [("HSET", f"{w}:hash", n, value_of(w, n))]
        if kind == "incr":
            return [("INCR", f"{w}:counter")]
        if kind == "append":
            return [("APPEND", f"{w}:log:{self.epoch}", record_of(n))]
        return [("MULTI",), ("SET", f"{w}:left", n), ("SET", f"{w}:right", n), ("EXEC",)]

    def run(self):
        try:
            with self.server.client(timeout=30) as client:
                while not self.stopping:
                    self._batch(client)
        except (OSError, TimeoutError):
            pass  # the crash that this is about

    def _batch(self, client):
        batch = []
        raw = []
        for _ in range(self.random.randint(1, self.depth)):
            kind = self.random.choice(KINDS)
            n = self.sent + 1 + len(batch)
            self.kind_of[n] = kind
            commands = self._commands(n, kind)
            batch.append((n, len(commands)))
            raw += [encode(*c) for c in commands]
        self.sent += len(batch)  # from here on their outcome is open
        client.send(b"".join(raw))
        for n, replies in batch:
            answers = [client.read() for _ in range(replies)]
            errors = [a for a in answers if isinstance(a, RespError)]
            if errors and self.tolerate and all(re.search(self.tolerate, e) for e in errors):
                self.skipped[n] = errors[-1]
            elif errors:
                self.refused = self.refused or f"{self.label}: operation {n} got {errors[0]}"
            self.acked = n

    def check(self, client):
        """Judges this life's operations by what the server has now; raises Torn."""
        if self.refused:
            raise Torn(f"an unexpected error reply: {self.refused}")
        done = self._present(client)
        if self.skipped:
            return self._check_with_errors(done, client)
        span = range(self.first, self.sent + 1)
        reached = max([n for n in span if n in done], default=self.first - 1)
        lost = [n for n in span if n <= self.acked and n not in done and self.kind_of[n] in ("set", "hash", "append")]
        if lost:
            raise Torn(f"{self.label}: {len(lost)} acknowledged writes are lost, the first is operation "
                       f"{lost[0]} ({self.kind_of[lost[0]]}); acknowledged up to {self.acked}")
        holes = [n for n in span if n < reached and n not in done and self.kind_of[n] in ("set", "hash", "append")]
        if holes:
            raise Torn(f"{self.label}: operation {holes[0]} is missing although {reached} is there")
        self._check_counter(client, max(reached, self.acked))
        self._check_pair(client, max(reached, self.acked))
        self.kept += [n for n in done if self.kind_of[n] == "set"]


    def _present(self, client):
        """The operations of this life whose effect is there; each value is compared byte by byte."""
        w, done = self.label, set()
        mine = {kind: [n for n in range(self.first, self.sent + 1) if self.kind_of[n] == kind]
                for kind in KINDS}
        for ask, kind in ((lambda ns: ("MGET", *(f"{w}:set:{n}" for n in ns)), "set"),
                          (lambda ns: ("HMGET", f"{w}:hash", *ns), "hash")):
            for start in range(0, len(mine[kind]), 500):
                part = mine[kind][start:start + 500]
                for n, value in zip(part, self._ask(client, *ask(part))):
                    if value is not None:
                        if value != value_of(w, n):
                            raise Torn(f"{w}: {kind} {n} is torn: {value[:80]!r}")
                        done.add(n)
        log = self._ask(client, "GET", f"{w}:log:{self.epoch}") or b""
        at = 0
        for n in mine["append"]:
            record = record_of(n)
            if log[at:at + len(record)] == record:
                at += len(record)
                done.add(n)
        if at != len(log):
            raise Torn(f"{w}: the log holds what nobody appended there: {log[at:at + 40]!r}")
        return done

    @staticmethod
    def _ask(client, *command):
        reply = client.command(*command)
        if isinstance(reply, RespError):
            raise Torn(f"{command[0]} answered {reply}")
        return reply

    def _bounds(self, kind, reached):
        """How many operations of a kind must be there at least, and can be at most."""
        mine = [n for n in range(self.first, self.sent + 1) if self.kind_of[n] == kind]
        return sum(n <= reached for n in mine), len(mine)

    def _check_counter(self, client, reached):
        low, high = self._bounds("incr", reached)
        value = int(self._ask(client, "GET", f"{self.label}:counter") or 0) - self.counts["incr"]
        if not low <= value <= high:
            raise Torn(f"{self.label}: the counter rose by {value}, not by {low} to {high}")
        self.counts["incr"] += value

    def _check_pair(self, client, reached):
        left, right = self._ask(client, "MGET", f"{self.label}:left", f"{self.label}:right")
        if left != right:
            raise Torn(f"{self.label}: half a transaction is there: {left!r} and {right!r}")
        mine = [n for n in range(self.first, self.sent + 1) if self.kind_of[n] == "multi"]
        least = max([n for n in mine if n <= reached], default=0)
        if int(left or 0) < least or int(left or 0) > self.sent:
            raise Torn(f"{self.label}: the pair holds {left!r}, at least {least} was acknowledged")

    def _check_with_errors(self, done, client):
        """With refused operations in between: what was acknowledged is there, what was refused is not."""
        for n in range(self.first, self.sent + 1):
            if self.kind_of[n] not in ("set", "hash", "append"):
                continue
            if n <= self.acked and n not in self.skipped and n not in done:
                raise Torn(f"{self.label}: the acknowledged operation {n} is lost")
            if n in done and n in self.skipped and not self.skipped[n].startswith("UNKNOWN"):
                raise Torn(f"{self.label}: operation {n} is there, but was refused: {self.skipped[n]}")
        left, right = self._ask(client, "MGET", f"{self.label}:left", f"{self.label}:right")
        if left != right:
            raise Torn(f"{self.label}: half a transaction is there: {left!r} and {right!r}")
        self.counts["incr"] = int(self._ask(client, "GET", f"{self.label}:counter") or 0)
        self.kept += [n for n in done if self.kind_of[n] == "set"]

    def check_kept(self, client):
        """Everything that was ever judged to be there is still there."""
        for start in range(0, len(self.kept), 500):
            part = self.kept[start:start + 500]
            values = self._ask(client, "MGET", *(f"{self.label}:set:{n}" for n in part))
            for n, value in zip(part, values):
                if value != value_of(self.label, n):
                    raise Torn(f"{self.label}: set {n} of an earlier life is gone or changed")
