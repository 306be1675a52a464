#!/usr/bin/env python3
"""Flips bits in the files of a data directory: all that was acknowledged is served, or the start is
refused with a message that names a file. Never is something else served in silence.

The one case that no checksum can tell from a crash is damage in the last record of the newest log: it
looks like a torn write and is cut off (docs/formats.md). So the last writes of the story are markers
that may be lost together with what lies behind the damage, but only as a suffix.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile

from resp import RespError
from server import KIWI, Server, wait_until

KEYS = 2000
TAIL = 50


def value_of(i):
    return f"value {i} ".encode() * (1 + i % 20)


def fill(server):
    """KEYS keys under a checkpoint, then as many in the log behind it, then the markers."""
    with server.client(30) as client:
        for part in range(2):
            for start in range(0, KEYS, 500):
                replies = client.pipeline([("SET", f"k:{part}:{i}", value_of(i))
                                           for i in range(start, start + 500)])
                assert all(r == "OK" and not isinstance(r, RespError) for r in replies), replies[0]
            if part == 0:
                client.command("BGSAVE")
                wait_until("the checkpoint is done", lambda: "rdb_bgsave_in_progress:0" in
                           client.command("INFO", "persistence").decode())
        for i in range(TAIL):
            assert client.command("SET", f"tail:{i}", value_of(i)) == "OK"


def victims(folder):
    """The files that hold data (not the engines' logs for people, locks or option dumps)."""
    skip = re.compile(r"(LOG|LOCK|IDENTITY|OPTIONS|kiwi\.)")
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not skip.match(p.name)]
    return [p for p in files if p.stat().st_size > 0]


def flip(path, chance):
    raw = bytearray(path.read_bytes())
    used = len(raw.rstrip(b"\0")) or 1  # preallocated zeros hold nothing
    at = chance.randrange(used)
    raw[at] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)
    return at


def judge(server):
    """Looks at all the keys through a running server: 'served', or what is wrong."""
    with server.client(30) as client:
        for part in range(2):
            for start in range(0, KEYS, 500):
                span = range(start, start + 500)
                values = client.command("MGET", *(f"k:{part}:{i}" for i in span))
                if isinstance(values, RespError):
                    return "refused", str(values)
                for i, value in zip(span, values):
                    if value != value_of(i):
                        return "WRONG", f"k:{part}:{i} is {str(value)[:60]}"
        values = client.command("MGET", *(f"tail:{i}" for i in range(TAIL)))
        there = [value is not None for value in values]
        if any(v is not None and v != value_of(i) for i, v in enumerate(values)):
            return "WRONG", "a marker holds another value"
        if there != sorted(there, reverse=True):
            return "WRONG", f"the lost markers are no suffix: {there}"
        return ("served", "") if all(there) else ("cut", f"{there.count(False)} markers")


def trial(args, backend, original, chance):
    with tempfile.TemporaryDirectory(prefix="kiwi-damage-") as scratch:
        folder = pathlib.Path(scratch) / "data"
        shutil.copytree(original, folder)
        victim = chance.choice(victims(folder))
        at = flip(victim, chance)
        what = f"{victim.relative_to(folder)} at {at} of {victim.stat().st_size}"
        server = Server(args.server, {"storage.backend": backend}, folder=folder)
        try:
            server.start()
            outcome, detail = judge(server)
        except RuntimeError:
            text = server.log_tail(40)
            named = re.search(r"[\w./-]*(\d{6}\.(log|sst|ldb)|MANIFEST|CURRENT|file|offset|index)", text)
            crashed = server.process.returncode < 0
            outcome = "refused" if named and not crashed else "WRONG"
            detail = f"exit {server.process.returncode}: {text.splitlines()[-1] if text else ''}"
        finally:
            server.remove()
        return outcome, f"{what}: {detail}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--flips", type=int, default=10, help="for each backend")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    wrong = 0
    for backend in ("rocksdb", "leveldb"):
        counts = {}
        server = Server(args.server, {"storage.backend": backend, "raft.fsync": "always"})
        try:
            server.start()
            fill(server)
            server.kill()
            for _ in range(args.flips):
                outcome, detail = trial(args, backend, server.folder, chance)
                counts[outcome] = counts.get(outcome, 0) + 1
                if outcome == "WRONG" or args.verbose:
                    print(f"{outcome}: {backend} {detail}", flush=True)
                wrong += outcome == "WRONG"
        finally:
            server.remove()
        print(f"{backend}: {counts}", flush=True)
    if wrong:
        print(f"again: tests/integration/damage_test.py --flips {args.flips} --seed {args.seed}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
