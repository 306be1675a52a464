#!/usr/bin/env python3
"""Sends the same seeded random commands to Kiwi and to redis-server and compares the replies.

Both servers must be empty or expendable: every run begins with FLUSHALL. Commands come in batches
(pipelines), many of them malformed. Replies whose order or content is free (KEYS, SCAN, HGETALL,
RANDOMKEY, HRANDFIELD) are compared as sets or by what must hold for them; times to live may differ
by the time that the run itself takes. At the end the whole content of both is compared.

Exit status 1 when anything differed. A failure is replayed by its seed; --trace N prints the
commands that touched the keys of the Nth one.
"""
import argparse
import random
import socket
import sys
import time

TIME_SLACK_MS = 3000


class Error(str):
    """An error reply."""


class Client:
    def __init__(self, port, resp):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb", buffering=1 << 20)
        if resp == 3:
            self.call("HELLO", "3")

    def send(self, commands):
        out = []
        for args in commands:
            out.append(b"*%d\r\n" % len(args))
            out.extend(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)
        self.socket.sendall(b"".join(out))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return "+" + rest.decode("latin1")
        if kind == b"-":
            return Error(rest.decode("latin1"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*" or kind == b"~":
            size = int(rest)
            return None if size < 0 else [self.read() for _ in range(size)]
        if kind == b"%":
            return {"map": [(self.read(), self.read()) for _ in range(int(rest))]}
        if kind == b"_":
            return None
        if kind == b",":
            return ("double", rest)
        if kind == b"#":
            return ("bool", rest)
        raise ValueError("unknown reply %r" % line)

    def call(self, *args):
        self.send([[a if isinstance(a, bytes) else str(a).encode() for a in args]])
        return self.read()


# --- what the commands are made of ---

STRING_KEYS = [b"k0", b"k1", b"k2", b"{t}a"]  # mostly, so that not everything is a wrong type
HASH_KEYS = [b"k4", b"k5", b"", b"{t}b"]
KEYS = STRING_KEYS + HASH_KEYS + [b"k3", b"k6", b"k7", b"key\r\nwith\x00bytes"]
FIELDS = [b"f%d" % i for i in range(12)] + [b"", b"1", b"-7", b"long field " * 8]
NUMBERS = [b"0", b"1", b"-1", b"2", b"3", b"5", b"10", b"100", b"-100", b"7", b"-3"]
ODD_NUMBERS = [b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"1.5",
               b"01", b"+1", b" 1", b"1 ", b"", b"x", b"-0", b"4294967296", b"2147483648",
               b"-9223372036854775807", b"9223372036854775", b"1e3", b"0x10", b"-"]
FLOATS = [b"0", b"1.5", b"-2.25", b"3.0e3", b"0.1", b"1e10", b"-0", b"5", b"100", b"1e-5",
          b"3.14159", b"1234567890.5"]
ODD_FLOATS = [b"inf", b"-inf", b"nan", b"x", b"", b" 1", b"1 ", b"1e400", b"1e5000", b"0x1p3",
              b"1e-400", b"+1.5", b"infinity", b"1e17", b"123456789012345678901234567890"]
PAYLOADS = [bytes.fromhex(text) for text in (  # of DUMP: "hello", -12345, two small hashes, a bad one
    "000568656c6c6f0a006372df766534200a", "00c1c7cf0a0067eda236b4db26d0",
    "04010161c30940410179" "79e034000179790a0033a0305944b8db8b",
    "0401016101620a0070cd45b7bce5883a", "04000a00933196c0279295bf")]
PATTERNS = [b"*", b"k*", b"k[1-3]", b"k?", b"*t*", b"k[^1]", b"\\k1", b"k1", b"", b"[", b"f*",
            b"*1", b"f[0-4]", b"{t}*"]  # not "**": Redis lets it match everything but ""


def without_short_lives(args):
    """A key that lives for less than the run decides replies by the clock: no such times."""
    name = args[0].lower()
    for i in range(2, len(args)):
        is_time = i == 2 and name in (b"setex", b"psetex", b"expire", b"pexpire", b"restore") or \
            name in (b"set", b"getex") and args[i - 1].lower() in (b"ex", b"px")
        if is_time and args[i].isdigit() and int(args[i]) < 1000000:
            args[i] = b"0"
    return args


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.started_ms = int(time.time() * 1000)

    def one(self, *choices):
        return self.random.choice(choices)

    def chance(self, p):
        return self.random.random() < p

    def key(self, favourites=KEYS):
        return self.random.choice(favourites if self.chance(0.9) else KEYS)

    def field(self):
        return self.random.choice(FIELDS)

    def integer(self):
        return self.random.choice(ODD_NUMBERS if self.chance(0.08) else NUMBERS)

    def floating(self):
        return self.random.choice(ODD_FLOATS if self.chance(0.12) else FLOATS)

    def value(self):
        r = self.random.random()
        if r < 0.35:
            return self.random.choice(NUMBERS)
        if r < 0.45:
            return self.random.choice(FLOATS + ODD_FLOATS + ODD_NUMBERS)
        if r < 0.5:
            return bytes(self.random.randrange(256) for _ in range(self.random.randrange(100)))
        if r < 0.53:
            return self.random.choice([b"x" * 44, b"x" * 45, b"y" * 64, b"y" * 65, b"z" * 2000])
        return bytes(self.random.choice(b"abc") for _ in range(self.random.randrange(12)))

    # Far in the future or in the past, so that the time between the two servers does not matter.
    # Relative times hardly ever meet one another or an absolute one, because whether GT and LT see
    # them as equal would hang on a millisecond.
    def expire_value(self, milliseconds, absolute):
        if self.chance(0.12):
            return self.random.choice(ODD_NUMBERS + [b"0", b"-1"])
        if not absolute:
            seconds = 1500 + 1000 * self.random.randrange(10000)
        elif self.chance(0.1):
            seconds = 1
        else:
            seconds = self.started_ms // 1000 + self.one(1000, 2000, 50000, 1000000)
        return b"%d" % (seconds * 1000 if milliseconds else seconds)

    def expire_option(self):
        unit, ms, absolute = self.one((b"EX", 0, 0), (b"PX", 1, 0), (b"EXAT", 0, 1), (b"PXAT", 1, 1))
        return [unit, self.expire_value(ms, absolute)]

    def set_options(self):
        options = []
        while self.chance(0.45):
            options += self.one([b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], self.expire_option(),
                                self.expire_option())
        return options

    def expire_flags(self):
        flags = []
        while self.chance(0.3):
            flags.append(self.one(b"NX", b"XX", b"GT", b"LT"))
        return flags

    def some(self, make, most=4):
        return [make() for _ in range(self.random.randrange(1, most + 1))]

    def pairs(self, first, second, most=3):
        return [x for _ in range(self.random.randrange(1, most + 1)) for x in (first(), second())]

    def strings(self):
        k, v, n = lambda: self.key(STRING_KEYS), self.value, self.integer
        return self.one(
            lambda: [b"SET", k(), v()],
            lambda: [b"SET", k(), v()] + self.set_options(),
            lambda: [b"SET", k(), v()] + self.set_options(),
            lambda: [b"SETEX", k(), self.expire_value(0, 0), v()],
            lambda: [b"PSETEX", k(), self.expire_value(1, 0), v()],
            lambda: [b"SETNX", k(), v()],
            lambda: [b"GET", k()],
            lambda: [b"GETSET", k(), v()],
            lambda: [b"GETDEL", k()],
            lambda: [b"GETEX", k()] + self.one([], [b"PERSIST"], self.expire_option(),
                                              self.expire_option() + [b"PERSIST"]),
            lambda: [self.one(b"GETRANGE", b"SUBSTR"), k(), n(), n()],
            lambda: [b"SETRANGE", k(), self.one(b"0", b"1", b"5", b"20", b"600000000", n()), v()],
            lambda: [b"APPEND", k(), v()],
            lambda: [b"STRLEN", k()],
            lambda: [self.one(b"INCR", b"DECR"), k()],
            lambda: [self.one(b"INCRBY", b"DECRBY"), k(), n()],
            lambda: [b"INCRBYFLOAT", k(), self.floating()],
            lambda: [b"MGET"] + self.some(k),
            lambda: [b"MSET"] + self.pairs(k, v),
            lambda: [b"MSETNX"] + self.pairs(k, v, 2),
            lambda: [b"LCS", k(), k()] + self.one([], [], [b"LEN"], [b"IDX"], [b"IDX", b"WITHMATCHLEN"],
                                                 [b"IDX", b"MINMATCHLEN", n()],
                                                 [b"MINMATCHLEN", n()], [b"LEN", b"IDX"]),
        )()

    def hashes(self):
        k, f, v, n = lambda: self.key(HASH_KEYS), self.field, self.value, self.integer
        return self.one(
            lambda: [b"HSET", k()] + self.pairs(f, v, 4),
            lambda: [b"HSET", k()] + self.pairs(f, v, 4),
            lambda: [b"HMSET", k()] + self.pairs(f, v, 4),
            lambda: [b"HSETNX", k(), f(), v()],
            lambda: [b"HGET", k(), f()],
            lambda: [b"HMGET", k()] + self.some(f),
            lambda: [b"HINCRBY", k(), f(), n()],
            lambda: [b"HINCRBYFLOAT", k(), f(), self.floating()],
            lambda: [b"HDEL", k()] + self.some(f),
            lambda: [b"HLEN", k()],
            lambda: [b"HSTRLEN", k(), f()],
            lambda: [b"HKEYS", k()],
            lambda: [b"HVALS", k()],
            lambda: [b"HGETALL", k()],
            lambda: [b"HEXISTS", k(), f()],
            lambda: [b"HRANDFIELD", k()] + self.one([], [n()], [n(), b"WITHVALUES"]),
            lambda: [b"HSCAN", k(), b"0"] + self.scan_options(False),
            lambda: [b"HSET", k()] + [x for i in range(600) for x in (b"n%d" % i, b"%d" % i)]
            if self.chance(0.05) else [b"HLEN", k()],
        )()

    def scan_options(self, with_type):
        options = []
        while self.chance(0.4):
            options += self.one([b"MATCH", self.random.choice(PATTERNS)],
                                [b"COUNT", self.one(b"1", b"10", b"1000", self.integer())],
                                [b"TYPE", self.one(b"string", b"HASH", b"list", b"x")]
                                if with_type or self.chance(0.1) else [])
        return options

    def generic(self):
        k, n = self.key, self.integer
        db = lambda: self.one(b"0", b"1", b"2", b"3", n())
        return self.one(
            lambda: [self.one(b"DEL", b"UNLINK")] + self.some(k, 2),
            lambda: [self.one(b"EXISTS", b"TOUCH")] + self.some(k),
            lambda: [b"TYPE", k()],
            lambda: [b"KEYS", self.random.choice(PATTERNS)],
            lambda: [b"SCAN", b"0"] + self.scan_options(True),
            lambda: [b"RANDOMKEY"],
            lambda: [self.one(b"RENAME", b"RENAMENX"), k(), k()],
            lambda: [b"COPY", k(), k()] + self.one([], [b"REPLACE"], [b"DB", db()],
                                                  [b"DB", db(), b"REPLACE"]),
            lambda: [b"MOVE", k(), db()],
            lambda: [b"SELECT", self.one(b"0", b"1", b"2")],
            lambda: [b"DBSIZE"],
            lambda: [b"EXPIRE", k(), self.expire_value(0, 0)] + self.expire_flags(),
            lambda: [b"PEXPIRE", k(), self.expire_value(1, 0)] + self.expire_flags(),
            lambda: [b"EXPIREAT", k(), self.expire_value(0, 1)] + self.expire_flags(),
            lambda: [b"PEXPIREAT", k(), self.expire_value(1, 1)] + self.expire_flags(),
            lambda: [self.one(b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"), k()],
            lambda: [b"PERSIST", k()],
            lambda: [b"OBJECT", self.one(b"ENCODING", b"FREQ", b"REFCOUNT", b"IDLETIME", b"FOO"),
                     k()],
            lambda: [b"DUMP", k()],
            lambda: [b"RESTORE", k(), self.one(b"0", b"0", b"10000000", b"-1", b"x"),
                     self.value() if self.chance(0.1) else self.random.choice(PAYLOADS)] +
            self.one([], [b"REPLACE"], [b"REPLACE"], [b"REPLACE", b"ABSTTL"], [b"IDLETIME", n()],
                     [b"REPLACE", b"FREQ", n()]),
        )()

    def malformed(self, args):
        args = list(args)
        what = self.random.randrange(6)
        at = self.random.randrange(len(args))
        if what == 0:
            del args[at]
        elif what == 1:
            args.insert(at, self.random.choice(args))
        elif what == 2:
            args[at] = self.value()
        elif what == 3:
            args.append(self.one(b"foo", b"NX", b"10", b"", b"a\r\nb", b"a\x00b", b"GET", b"COUNT"))
        elif what == 4:
            args = args[:1]
        else:
            args[0] = self.one(args[0] + b"x", b"x" * 200, b"", b"NO\r\nSUCH", b"OBJECT", b"object")
        return args or [b"GET"]

    def command(self):
        args = self.one(self.strings, self.strings, self.hashes, self.hashes, self.generic)()
        if self.chance(0.07):
            args = without_short_lives(self.malformed(args))
        if self.chance(0.2):
            args[0] = self.one(args[0].lower(), args[0].capitalize())
        # What would fill the machine's memory, or end the test.
        if args[0].lower() == b"hrandfield" and len(args) > 2 and args[2][:2] == b"-9":
            args[2] = b"-9"
        return args


# --- comparing ---

def flat_pairs(reply):
    if isinstance(reply, dict):
        return sorted(reply["map"])
    if reply and isinstance(reply[0], list):
        return sorted(tuple(pair) for pair in reply)
    return sorted(zip(reply[::2], reply[1::2]))


def close(a, b, slack):
    return a == b or (a > 0 and b > 0 and abs(a - b) <= slack)


def same(args, kiwi, redis):
    """Whether the replies agree as far as the command promises."""
    if type(kiwi) is not type(redis):
        return False
    if isinstance(kiwi, Error) or kiwi is None:
        return kiwi == redis
    name = args[0].lower()
    if name in (b"keys", b"hkeys", b"hvals"):
        return sorted(kiwi) == sorted(redis)
    if name == b"hgetall":
        return flat_pairs(kiwi) == flat_pairs(redis)
    if name in (b"scan", b"hscan"):
        # One step: comparable when it is a whole walk. (Longer ones are compared with the contents.)
        cursor = args[2 if name == b"hscan" else 1]
        if cursor.strip(b"-+0") or kiwi[0] != b"0" or redis[0] != b"0":
            return True
        return (flat_pairs if name == b"hscan" else sorted)(kiwi[1]) == \
            (flat_pairs if name == b"hscan" else sorted)(redis[1])
    if name in (b"randomkey", b"dump"):
        return True
    if name == b"hrandfield":
        return not isinstance(kiwi, list) or len(kiwi) == len(redis)
    if name in (b"ttl", b"expiretime"):
        return close(kiwi, redis, TIME_SLACK_MS // 1000)
    if name in (b"pttl", b"pexpiretime"):
        return close(kiwi, redis, TIME_SLACK_MS)
    if name == b"object":
        sub = args[1].lower() if len(args) > 1 else b""
        if sub == b"encoding":
            # Redis keeps what INCRBYFLOAT and RESTORE wrote as text even where it is an integer.
            return kiwi == redis or {kiwi, redis} <= {b"int", b"embstr", b"raw"}
        if sub in (b"help", b"refcount", b"idletime", b"freq"):
            return True
    if name == b"dbsize":
        return True  # Redis counts keys that have expired and were not looked at since
    return kiwi == redis


def walk(client, command, *options):
    cursor, elements = b"0", []
    while True:
        reply = client.call(*command, cursor, *options)
        if isinstance(reply, Error):
            return reply
        elements += reply[1]
        cursor = reply[0]
        if cursor == b"0":
            return elements


def contents(client):
    """Everything in the first databases: {(db, key): (type, value, expiry)}."""
    everything = {}
    for db in range(4):
        client.call("SELECT", db)
        keys = set(walk(client, ["SCAN"], "COUNT", 100))
        if keys != set(client.call("KEYS", "*")):
            everything[db, "SCAN and KEYS differ"] = (sorted(keys),)
        for key in keys:
            kind = client.call("TYPE", key)
            if kind == "+string":
                value = client.call("GET", key)
            else:
                value = flat_pairs(client.call("HGETALL", key))
                walked = walk(client, ["HSCAN", key], "COUNT", 7)
                if sorted(set(zip(walked[::2], walked[1::2]))) != value:
                    value = "HSCAN and HGETALL differ"
            everything[db, key] = (kind, value, client.call("PEXPIRETIME", key))
    return everything


def fields(reply):
    """A map reply, or the flat array that RESP2 makes of it, as a dict."""
    pairs = reply["map"] if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {key: value for key, value in pairs}


def command_info(reply):
    """What of a COMMAND INFO entry must agree: {name: (…)}, the subcommands' too."""
    if reply is None:
        return {}
    name, arity, flags, first, last, step, categories, tips, specs, subcommands = reply
    keys = []
    for spec in map(fields, specs):
        parts = [fields(spec[part]) for part in (b"begin_search", b"find_keys")]
        keys.append((sorted(spec[b"flags"]), [(p[b"type"], fields(p[b"spec"])) for p in parts]))
    info = {name: (arity, sorted(flags), first, last, step, sorted(categories), sorted(tips), keys)}
    for sub in subcommands:
        info.update(command_info(sub))
    return info


class Comparison:
    def __init__(self, options):
        self.options = options
        self.kiwi = Client(options.kiwi_port, options.resp)
        self.redis = Client(options.redis_port, options.resp)
        self.history = []
        self.differences = 0
        self.replies = {}  # how many of each kind redis-server gave, by command

    def both(self, *args):
        self.kiwi.call(*args)
        self.redis.call(*args)

    def reset(self):
        self.both("FLUSHALL")
        self.both("SELECT", 0)
        self.history = []

    def report(self, what, kiwi, redis, about=None):
        self.differences += 1
        print("DIFFERENCE %d: %s\n  kiwi:  %s\n  redis: %s" %
              (self.differences, what, shorten(kiwi), shorten(redis)))
        if self.options.trace == self.differences:
            for args in self.history:
                if about is None or about == b"*" or about in args or args[0].lower() in (b"select", b"move"):
                    print("   ", shorten(args))

    def run_batch(self, commands):
        """True when all replies agreed."""
        self.kiwi.send(commands)
        self.redis.send(commands)
        agreed = True
        for args in commands:
            kiwi, redis = self.kiwi.read(), self.redis.read()
            self.history.append(args)
            self.count(args, redis)
            if agreed and not same(args, kiwi, redis):
                self.report(shorten(args), kiwi, redis, args[1] if len(args) > 1 else None)
                agreed = False  # what follows in the batch may only follow from it
        return agreed

    def count(self, args, reply):
        name = args[0].lower()
        kind = "error" if isinstance(reply, Error) else "null" if reply in (None, [], 0) else "ok"
        self.replies.setdefault(name, {"ok": 0, "null": 0, "error": 0})[kind] += 1

    def print_counts(self):
        """Whether the generator reaches what it is meant to reach."""
        for name, kinds in sorted(self.replies.items()):
            if sum(kinds.values()) > 20:
                print("%-14s %s" % (name.decode("latin1"),
                                    "  ".join("%s %d" % item for item in kinds.items())))

    def compare_contents(self):
        kiwi, redis = contents(self.kiwi), contents(self.redis)
        for place in sorted(set(kiwi) | set(redis), key=repr):
            a, b = kiwi.get(place), redis.get(place)
            if a == b or (a and b and len(a) == 3 and a[:2] == b[:2] and
                          close(a[2], b[2], TIME_SLACK_MS)):
                continue
            self.report("content of %r" % (place,), a, b)

    def exchange_dumps(self):
        """What one dumps the other restores, and the value is the same."""
        for db in range(3):
            self.both("SELECT", db)
            for key in sorted(self.redis.call("KEYS", "*")):
                for source, target in ((self.kiwi, self.redis), (self.redis, self.kiwi)):
                    reply = target.call("RESTORE", "dumped", 0, source.call("DUMP", key), "REPLACE")
                    if reply != "+OK":
                        self.report("RESTORE of %r" % key, reply, "+OK")
                for client in (self.kiwi, self.redis):
                    kind = client.call("TYPE", "dumped")
                    read = ("GET",) if kind == "+string" else ("HGETALL",)
                    a, b = client.call(*read, key), client.call(*read, "dumped")
                    if a != b and (kind == "+string" or flat_pairs(a) != flat_pairs(b)):
                        self.report("value of the restored %r" % key, a, b)
            self.both("DEL", "dumped")

    def compare_command_info(self):
        """Every command that both know is described alike."""
        names = self.kiwi.call("COMMAND", "LIST")
        for name in sorted(names):
            kiwi, redis = (command_info(client.call("COMMAND", "INFO", name)[0])
                           for client in (self.kiwi, self.redis))
            for full_name in sorted(set(kiwi) & set(redis)):
                if kiwi[full_name] != redis[full_name]:
                    self.report("COMMAND INFO of %s" % full_name.decode(), kiwi[full_name],
                                redis[full_name])

    def expire_soon(self, generator):
        """Keys with short lives: both servers must have dropped them when their time is over."""
        keys = [generator.key() for _ in range(6)]
        commands = [[b"SET", key, b"x", b"PX", b"20"] for key in keys[:3]]
        commands += [[b"PEXPIRE", key, b"20"] for key in keys[3:]]
        self.run_batch(commands)
        time.sleep(0.04)
        self.run_batch([generator.one([b"GET", key], [b"EXISTS", key], [b"SETNX", key, b"1"],
                                      [b"APPEND", key, b"a"], [b"HSETNX", key, b"f", b"v"],
                                      [b"RENAME", key, b"k0"], [b"PERSIST", key], [b"KEYS", b"*"],
                                      [b"SET", key, b"1", b"XX"], [b"DEL", key], [b"PTTL", key],
                                      [b"COPY", key, b"k1"], [b"MOVE", key, b"1"])
                        for key in keys for _ in range(2)])


def shorten(value, limit=400):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "… (%d)" % len(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kiwi-port", type=int, required=True)
    parser.add_argument("--redis-port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000, help="how many commands")
    parser.add_argument("--batch", type=int, default=50, help="how many a pipeline")
    parser.add_argument("--resp", type=int, choices=(2, 3), default=2)
    parser.add_argument("--max-differences", type=int, default=20)
    parser.add_argument("--trace", type=int, default=0)
    parser.add_argument("--no-command-info", action="store_true")
    parser.add_argument("--counts", action="store_true", help="print what kinds of replies came")
    options = parser.parse_args()

    comparison = Comparison(options)
    generator = Generator(options.seed)
    if not options.no_command_info:
        comparison.compare_command_info()
    comparison.reset()
    sent = 0
    batches = 0
    while sent < options.count and comparison.differences < options.max_differences:
        commands = [generator.command() for _ in range(min(options.batch, options.count - sent))]
        if not comparison.run_batch(commands):
            comparison.reset()
        sent += len(commands)
        batches += 1
        if batches % 40 == 0:
            comparison.expire_soon(generator)
            comparison.compare_contents()
            comparison.exchange_dumps()
            comparison.reset()
    comparison.compare_contents()
    if options.counts:
        comparison.print_counts()
    print("%d commands, seed %d, RESP%d: %d differences" %
          (sent, options.seed, options.resp, comparison.differences))
    if comparison.differences:
        print("replay: %s --seed %d --count %d --batch %d --resp %d" %
              (sys.argv[0], options.seed, options.count, options.batch, options.resp))
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
