"""Random commands of the string, hash and generic groups, valid and malformed, from a seed.

Keys, fields and values come from small pools, so that commands meet on the same keys. Times to live
are far in the future or in the past, so that no reply hangs on the clock.
"""
import random
import time

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
