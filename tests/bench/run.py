#!/usr/bin/env python3
"""`make bench`: Kiwi and Debian's redis-server, on this machine, by turns, with the same client.

Parts (--only takes names or prefixes of them):
  get            GET, a million prefilled keys, 50 connections, pipeline 1 and 16
  set-always     SET; Kiwi raft.fsync always : Redis appendonly yes, appendfsync always
  set-everysec   SET; everysec on both sides
  set-no         SET; raft.fsync no : no persistence at all
  mixed          SET and GET by turns in one connection's pipeline : pure SET at the same depth
  memory         resident bytes a key, a million keys, after a checkpoint
  restart        time from the start of the process until all keys are served

Each measurement is a fixed number of requests, calibrated on Redis to take about --seconds; both
servers of a part are up, only one is driven at a time, and each waits until both are idle. The order
of the two changes from round to round. Results gather in build/bench/results.json, and a full run
(not --quick) rewrites the tables of docs/performance.md.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import report  # noqa: E402
from resp import RespError, encode  # noqa: E402
from server import KIWI, Server, wait_until  # noqa: E402

KEYS = 1_000_000
VALUE_BYTES = 64
CONNECTIONS = 50
PIPELINES = (1, 16)
MIXED_DEPTHS = (16, 100)
RESULTS = ROOT / "build" / "bench" / "results.json"

# What each durability class asks of each server.
CLASSES = {
    "always": ({"raft.fsync": "always"}, {"appendonly": "yes", "appendfsync": "always", "save": ""}),
    "everysec": ({"raft.fsync": "everysec"}, {"appendonly": "yes", "appendfsync": "everysec", "save": ""}),
    "no": ({"raft.fsync": "no"}, {"appendonly": "no", "save": ""}),
}


class Bench:
    def __init__(self, args):
        self.args = args
        self.results = {}

    def server(self, side, options):
        kiwi = side == "kiwi" and self.args.kiwi_binary != "redis"
        if side == "kiwi" and not kiwi:
            options = CLASSES["everysec"][1]  # --kiwi-binary redis: to try this script itself
        binary = self.args.kiwi_binary if kiwi else shutil.which("redis-server")
        if kiwi:
            options = {**options, **dict(self.args.kiwi_option)}
        folder = self.args.dir and f"{self.args.dir}/kiwi-bench-{os.getpid()}-{side}-{time.time_ns()}"
        server = Server(binary, options, kind="kiwi" if kiwi else "redis", folder=folder)
        server.owns_folder = True
        return server

    def pair(self, kind):
        return {"redis": self.server("redis", CLASSES[kind][1]),
                "kiwi": self.server("kiwi", CLASSES[kind][0])}

    def rounds(self, name, measure, servers):
        """measure(server, amount) → figure, for both by turns; stores lists of figures under `name`."""
        amount = max(1000, int(measure(servers["redis"], None) * self.args.seconds))
        figures = {"redis": [], "kiwi": []}
        for i in range(self.args.rounds):
            for side in ("redis", "kiwi") if i % 2 == 0 else ("kiwi", "redis"):
                settle(servers.values())
                figures[side].append(measure(servers[side], amount))
        self.store(name, figures)

    def store(self, name, figures):
        self.results[name] = figures
        print(report.line(name, figures), flush=True)

    # ---- the parts

    def get(self):
        self.throughput("get", "no", "get", prefilled=True, kiwi_options=CLASSES["always"][0])

    def set(self, kind):
        self.throughput(f"set-{kind}", kind, "set", prefilled=False)

    def throughput(self, name, kind, test, prefilled, kiwi_options=None):
        servers = self.pair(kind)
        if kiwi_options:
            servers["kiwi"] = self.server("kiwi", kiwi_options)
        with servers["redis"], servers["kiwi"]:
            for server in servers.values() if prefilled else ():
                prefill(server)
            for pipeline in PIPELINES:
                self.rounds(f"{name} P={pipeline}",
                            lambda s, n: redis_benchmark(s.port, test, pipeline, n), servers)

    def mixed(self):
        """Kiwi against itself: the mixed pipeline on the left, the pure one as the measure."""
        with self.server("kiwi", CLASSES["always"][0]) as server:
            prefill(server)
            for depth in MIXED_DEPTHS:
                run = lambda mode, n: float(subprocess.run(
                    [self.args.mixed_client, str(server.port), mode, str(depth), str(n)],
                    check=True, capture_output=True, text=True, timeout=300).stdout)
                amount = int(run("set", 5000) * self.args.seconds)
                figures = {"set": [], "mixed": []}
                for i in range(self.args.rounds):
                    for mode in ("set", "mixed") if i % 2 == 0 else ("mixed", "set"):
                        settle([server])
                        figures[mode].append(run(mode, amount))
                self.store(f"mixed depth={depth}", figures)

    def memory(self):
        figures = {"redis": [], "kiwi": []}
        for _ in range(1 if self.args.quick else 3):
            for side, options in (("redis", CLASSES["no"][1]), ("kiwi", CLASSES["always"][0])):
                with self.server(side, options) as server:
                    settle([server])
                    empty = server.rss_bytes()
                    prefill(server)
                    checkpoint(server)
                    figures[side].append((steady_rss(server) - empty) / KEYS)
        self.store("memory", figures)

    def restart(self):
        rewrite_off = {"auto-aof-rewrite-percentage": "0"}
        figures = {}
        for name, side, options, before in (
                ("redis AOF", "redis", {**CLASSES["everysec"][1], **rewrite_off}, None),
                ("redis AOF, RDB preamble", "redis", CLASSES["everysec"][1], "BGREWRITEAOF"),
                ("kiwi, clean stop", "kiwi", CLASSES["always"][0], None),
                ("kiwi, kill -9", "kiwi", CLASSES["always"][0], None)):
            with self.server(side, options) as server:
                prefill(server)
                if before:
                    with server.client(60) as client:
                        client.command(before)
                    wait_until("the AOF is rewritten", lambda: no_background_save(server), 60, 0.1)
                times = []
                for _ in range(self.args.rounds):
                    settle([server])
                    server.kill() if "kill" in name else server.stop(60)
                    begin = time.monotonic()
                    server.start(wait=False)
                    wait_until("all keys are served", lambda: key_count(server) == KEYS, 120, 0.005)
                    times.append(time.monotonic() - begin)
                figures[name] = times
        self.store("restart", figures)


def redis_benchmark(port, test, pipeline, requests):
    """Requests per second; requests None: a short run that tells the order of magnitude."""
    done = subprocess.run(
        ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-c", str(CONNECTIONS), "-d",
         str(VALUE_BYTES), "-r", str(KEYS), "-P", str(pipeline), "-t", test, "--csv", "-n",
         str(requests or 20000 * pipeline)],
        capture_output=True, text=True, timeout=300)
    rows = [line for line in done.stdout.splitlines() if line.lower().startswith(f'"{test}"')]
    if done.returncode != 0 or not rows:
        raise RuntimeError(f"redis-benchmark failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return float(rows[0].split(",")[1].strip('"'))


def prefill(server):
    """A million keys named as redis-benchmark names them, so that each of its GETs is a hit."""
    value = b"v" * VALUE_BYTES
    with server.client(60) as client:
        for start in range(0, KEYS, 10000):
            client.send(b"".join(encode("SET", b"key:%012d" % i, value)
                                 for i in range(start, start + 10000)))
            answer = client._exactly(5 * 10000)
            if answer != b"+OK\r\n" * 10000:
                raise RuntimeError(f"a SET was refused: {answer[:200]!r}")


def key_count(server):
    try:
        with server.client(10) as client:
            reply = client.command("DBSIZE")
            return reply if isinstance(reply, int) else -1
    except OSError:
        return -1


def no_background_save(server):
    with server.client(60) as client:
        text = client.command("INFO", "persistence").decode()
    return "rdb_bgsave_in_progress:1" not in text and "aof_rewrite_in_progress:1" not in text


def checkpoint(server):
    with server.client(120) as client:
        reply = client.command("BGSAVE")
        if isinstance(reply, RespError):
            raise RuntimeError(f"BGSAVE: {reply}")
    wait_until("the checkpoint is done", lambda: no_background_save(server), 120, 0.1)


def settle(servers, seconds=8):
    """Waits until the servers use hardly any CPU (a checkpoint of one must not slow the other's turn)."""
    def ticks():
        fields = [pathlib.Path(f"/proc/{s.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                  for s in servers]
        return sum(int(f[11]) + int(f[12]) for f in fields)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = ticks()
        time.sleep(0.25)
        if ticks() - before <= 1:
            return


def steady_rss(server, seconds=30):
    """Resident bytes once they have not changed by half a percent for two seconds: an allocator
    gives freed pages back to the system after a while, not at once."""
    deadline = time.monotonic() + seconds
    before, since = server.rss_bytes(), time.monotonic()
    while time.monotonic() < min(deadline, since + 2):
        time.sleep(0.25)
        now = server.rss_bytes()
        if abs(now - before) > before / 200:
            before, since = now, time.monotonic()
    return server.rss_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kiwi-binary", default=str(KIWI), help='or "redis", to try the script')
    parser.add_argument("--mixed-client", default=str(ROOT / "build/tests/bench/mixed_pipeline"))
    parser.add_argument("--kiwi-option", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"))
    parser.add_argument("--dir", help="where the data folders go (default: the temporary folder)")
    parser.add_argument("--only", default="", help="parts, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--quick", action="store_true", help="1 round of 1 s; writes no document")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 1, 1.0

    load = os.getloadavg()[0]  # what else the machine is doing
    bench = Bench(args)
    parts = {"get": bench.get, **{f"set-{k}": (lambda k=k: bench.set(k)) for k in CLASSES},
             "mixed": bench.mixed, "memory": bench.memory, "restart": bench.restart}
    chosen = [p for p in parts if not args.only or any(p.startswith(o) for o in args.only.split(","))]
    if not chosen:
        parser.error(f"--only: there are {', '.join(parts)}")
    for part in chosen:
        parts[part]()
    if not args.quick and args.kiwi_binary != "redis":
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        for name in list(known):
            if any(name == p or name.startswith(p + " ") for p in chosen):
                del known[name]
        conditions = {"rounds": args.rounds, "seconds": args.seconds, "load": round(load, 1)}
        known.update({name: {"date": time.strftime("%Y-%m-%d"), **conditions, "figures": figures}
                      for name, figures in bench.results.items()})
        RESULTS.write_text(json.dumps(known, indent=1))
        report.write(ROOT / "docs" / "performance.md", known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
