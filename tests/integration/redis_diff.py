#!/usr/bin/env python3
"""Sends the same seeded random commands to Kiwi and to redis-server and compares the replies.

With --server it starts both servers itself; with the two ports it uses servers that run already,
and which must be expendable: every run begins with FLUSHALL. Commands come in batches
(pipelines), many of them malformed. Replies whose order or content is free (KEYS, SCAN, HGETALL,
RANDOMKEY, HRANDFIELD) are compared as sets or by what must hold for them; times to live may differ
by the time that the run itself takes. At the end the whole content of both is compared.

Exit status 1 when anything differed. A failure is replayed by its seed; --trace N prints the
commands that touched the keys of the Nth one.
"""
import argparse
import shutil
import socket
import sys
import time

import server
from command_generator import Generator

TIME_SLACK_MS = 3000

# LOLWUT reads no key: in Kiwi it is no read that would wait for a linearizable point.
DESCRIBED_OTHERWISE = {b"lolwut"}


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
        for name in sorted(set(names) - DESCRIBED_OTHERWISE):
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


def compare(options):
    """One run; how many differences it found."""
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
        print("replay: %s --seed %d --count %d --batch %d --resp %d, with --server or the ports" %
              (sys.argv[0], options.seed, options.count, options.batch, options.resp))
    return comparison.differences


def compare_own_servers(options):
    """The same against servers of our own, once a protocol version."""
    redis = shutil.which("redis-server")
    if redis is None:
        sys.exit("redis-server is not installed: nothing to compare with")
    differences = 0
    with server.Server(binary=options.server) as kiwi, \
            server.Server(binary=redis, kind="redis", args={"save": "", "appendonly": "no"}) as other:
        options.kiwi_port, options.redis_port = kiwi.port, other.port
        for resp in [options.resp] if options.resp else [2, 3]:
            options.resp = resp
            differences += compare(options)
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", help="Kiwi's binary: start it and a redis-server, and end them")
    parser.add_argument("--kiwi-port", type=int)
    parser.add_argument("--redis-port", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10000, help="how many commands")
    parser.add_argument("--batch", type=int, default=50, help="how many a pipeline")
    parser.add_argument("--resp", type=int, choices=(2, 3), default=None)
    parser.add_argument("--max-differences", type=int, default=20)
    parser.add_argument("--trace", type=int, default=0)
    parser.add_argument("--no-command-info", action="store_true")
    parser.add_argument("--counts", action="store_true", help="print what kinds of replies came")
    options = parser.parse_args()
    if options.server:
        return 1 if compare_own_servers(options) else 0
    if not options.kiwi_port or not options.redis_port:
        parser.error("give --server, or --kiwi-port and --redis-port")
    options.resp = options.resp or 2
    return 1 if compare(options) else 0


if __name__ == "__main__":
    sys.exit(main())
