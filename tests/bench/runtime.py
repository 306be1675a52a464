#!/usr/bin/env python3
"""`make bench-runtime`: what priorities, elastic pools and figures do and cost, on this machine.

Parts (--only takes names or prefixes of them):
  priority   High clients at a fixed rate beside a flood of Low ones, with priorities and without, by turns
  weighted   the same command from three levels at once: everybody's share
  channel    the priority channel against one plain queue, both in the whole server and alone
  metrics    stage stamps on against off
  steps      a load that goes up and down: elastic pools against fixed ones of the maximum size; a plot
  crowd      ten thousand connections that move between loops while they pipeline, every reply checked

Each part writes its own block of docs/performance.md as soon as it is measured (not with --quick).
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import runtime_report as report  # noqa: E402
from resp import encode, info  # noqa: E402
from server import Server, wait_until  # noqa: E402

KEYS = 200_000
HASH_FIELDS = {"big": 10_000, "mid": 1000, "small": 10}
DOCUMENT = ROOT / "docs" / "performance.md"

# The flood: O(N) commands on their own connections, and pipelines of SETs.
FLOOD = (f"scans:priority={{low}},connections=50,mix=keys+hmid*4+scan*4,keys={KEYS}",
         f"sets:priority={{low}},connections=50,depth=50,mix=set,keys={KEYS}")
HIGH_RATE = 300  # pipelines a second of each kind
HIGH_KINDS = ("get", "set", "hget")
HIGH = tuple(f"{kind}:priority={{high}},connections=4,rate={HIGH_RATE},mix={kind},keys={KEYS}"
             for kind in HIGH_KINDS)


class Bench:
    def __init__(self, args):
        self.args = args

    def server(self, options=None, binary=None):
        options = {**(options or {}), **dict(self.args.kiwi_option)}
        return Server(binary or self.args.kiwi_binary, options)

    def load(self, server, seconds, classes, *more):
        """A load client in a process of its own."""
        return Load([self.args.load_client, str(server.port), str(seconds), *more, *classes], seconds)

    # ---- the parts; each returns the lines of its block

    def priority(self):
        rounds, seconds = self.args.rounds, self.args.seconds
        figures = {"with": [], "without": []}
        with self.server() as server:
            prefill(server)
            alone = self.load(server, seconds, [c.format(high="high") for c in HIGH]).result()
            for i in range(rounds):
                for mode in ("with", "without") if i % 2 == 0 else ("without", "with"):
                    figures[mode].append(self.mixed_load(server, mode == "with", seconds))
                    print(report.mixed_line(mode, figures[mode][-1]), flush=True)
                    time.sleep(0.5)
        return report.priority(alone, figures, rounds, seconds)

    def mixed_load(self, server, priorities, seconds):
        levels = {"low": "low", "high": "high"} if priorities else {"low": "normal", "high": "normal"}
        flood = self.load(server, seconds + 0.6, [c.format(**levels) for c in FLOOD], "--warm-up", "0.4")
        time.sleep(0.5)  # the flood runs
        high = self.load(server, seconds, [c.format(**levels) for c in HIGH], "--warm-up", "0.3").result()
        return {**flood.result(), **high}

    def weighted(self):
        figures = {}
        seconds = self.args.seconds
        for scheduling in ("strict", "weighted"):
            with self.server({"runtime.priority.scheduling": scheduling}) as server:
                prefill(server)
                classes = [f"{level}:priority={level},connections=16,mix=hgetall"
                           for level in ("high", "normal", "low")]
                figures[scheduling] = [self.load(server, seconds, classes).result()
                                       for _ in range(self.args.rounds)]
        return report.weighted(figures, self.args.rounds, seconds)

    def channel(self):
        binaries = {"priority": self.args.kiwi_binary, "plain": self.args.plain_binary}
        alone = self.micro(self.args.channel_bench)
        figures = self.compare({side: {"binary": binary} for side, binary in binaries.items()})
        return report.cost("channel", ("priority", "plain"), figures, 0.05, report.channel_alone(alone))

    def metrics(self):
        option = self.args.metrics_option
        if not self.has_option(option):
            print(f"no option {option}: left out")
            return None
        figures = self.compare({"on": {"options": {option: "yes"}}, "off": {"options": {option: "no"}}})
        return report.cost("metrics", ("on", "off"), figures, 0.01,
                           report.recording_alone(self.micro(self.args.metrics_bench), figures))

    def micro(self, program):
        """Medians of a Google Benchmark program, by name."""
        done = subprocess.run([program, "--benchmark_format=json", "--benchmark_min_time=0.1",
                               "--benchmark_repetitions=9", "--benchmark_enable_random_interleaving=true"],
                              check=True, capture_output=True, text=True, timeout=300)
        return {b["run_name"]: b for b in json.loads(done.stdout)["benchmarks"] if b.get("aggregate_name") == "median"}

    def has_option(self, name):
        with self.server() as server, server.client() as client:
            return bool(client.command("CONFIG", "GET", name))

    def compare(self, sides):
        """Two servers side by side, by turns; by load the rates, and CPU seconds a million commands."""
        servers = {side: self.server({"raft.fsync": "no", **how.get("options", {})}, how.get("binary"))
                   for side, how in sides.items()}
        loads = {"GET, pipeline 1": ("get", 1), "GET, pipeline 16": ("get", 16), "SET, pipeline 16": ("set", 16)}
        figures = {name: {side: [] for side in sides} for name in loads}
        names = list(sides)
        try:
            for server in servers.values():
                prefill(server.start())
            for name, (test, depth) in loads.items():
                amount = max(1000, int(redis_benchmark(servers[names[1]], test, depth, 20000 * depth)["rate"] *
                                       self.args.cost_seconds))
                for i in range(self.args.cost_rounds):
                    for side in names if i % 2 == 0 else names[::-1]:
                        figures[name][side].append(redis_benchmark(servers[side], test, depth, amount))
                print(report.cost_line(name, names, figures[name]), flush=True)
        finally:
            for server in servers.values():
                server.remove()
        return figures

    def steps(self):
        seconds = self.args.step_seconds * len(report.STEPS)
        # Network: pipelines of GETs. Storage: HGETALL of a big hash, which no loop runs.
        rates = lambda full, least=1: "/".join(str(max(least, round(full * s))) for s in report.STEPS)
        classes = (f"gets:connections=50,depth=16,mix=get,keys={KEYS},rate={rates(self.args.step_gets)}",
                   f"scans:connections=200,mix=hgetall,rate={rates(self.args.step_scans)}")
        fixed = {"runtime.network-threads-min": os.cpu_count(), "runtime.storage-threads-min": 8}
        figures = {"elastic": [], "fixed": []}
        for i in range(self.args.step_rounds):
            for mode in ("elastic", "fixed") if i % 2 == 0 else ("fixed", "elastic"):
                with self.server({"runtime.network-threads-max": os.cpu_count(),
                                  **(fixed if mode == "fixed" else {})}) as server:
                    prefill(server)
                    figures[mode].append(self.one_climb(server, seconds, classes))
                    print(report.steps_line(mode, figures[mode][-1]), flush=True)
        if not self.args.quick:
            report.plot_steps(figures["elastic"][0], ROOT / "docs")
        return report.steps(figures, self.args.step_seconds)

    def one_climb(self, server, seconds, classes):
        watcher = Watcher(server)
        cpu_before = server_cpu(server)
        before = watcher.look()
        watcher.start()
        load = self.load(server, seconds, classes, "--warm-up", "0", "--series", str(report.SERIES_MS))
        watcher.begin = time.monotonic()
        result = load.result()
        after = watcher.finish()
        return {"load": result, "seen": watcher.seen, "resizes": watcher.resizes,
                "cpu": server_cpu(server) - cpu_before,
                "thread_seconds": {pool: float(after[f"{pool}_thread_seconds"]) - float(before[f"{pool}_thread_seconds"])
                                   for pool in ("network", "storage")},
                "moves": int(after["network_moves"])}

    def crowd(self):
        clients, processes = self.args.crowd, 4
        seconds = self.args.crowd_seconds
        options = {"maxclients": clients + 100, "runtime.priority.queue-normal": 4096}
        with self.server(options) as server, server.client(60) as control:
            control.command("CLIENT", "PRIORITY", "HIGH")
            loads = [self.load(server, seconds,
                               [f"crowd:mix=check,name=p{i},connections={clients // processes},depth=8"], "--hold")
                     for i in range(processes)]
            for load in loads:
                load.wait_connected()
            connected = int(info(control, "clients")["connected_clients"]) - 1
            if connected != clients:
                raise RuntimeError(f"{connected} clients are connected, not {clients}")
            for load in loads:
                load.go()
            swings = 0
            while any(load.running() for load in loads):
                count = (4, 1, 3, 2)[swings % 4]
                reply = control.command("CONFIG", "SET", "runtime.network-threads-min", count,
                                        "runtime.network-threads-max", count)
                if reply != "OK":
                    raise RuntimeError(reply)
                wait_until(f"{count} loops", lambda: loops_are(control, count), 60, 0.02)
                swings += 1
                time.sleep(0.3)
            results = [load.result()["crowd"] for load in loads]
            return report.crowd(clients, processes, seconds, swings, results, info(control, "runtime"))


class Load:
    def __init__(self, command, seconds):
        self.seconds = seconds
        # In a session of its own: the kernel shares the processors between sessions first.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True)

    def wait_connected(self):  # with --hold
        if self.process.stdout.readline() != "connected\n":
            self.result()

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def running(self):
        return self.process.poll() is None

    def result(self):
        try:
            out, errors = self.process.communicate(timeout=self.seconds + 120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if self.process.returncode != 0:
            raise RuntimeError(f"the load client failed: {errors[-500:]}")
        return json.loads(out)


class Watcher(threading.Thread):
    """Looks at INFO runtime twenty times a second, and remembers each resize once."""

    INTERVAL = 0.05

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client(30)
        self.client.command("CLIENT", "PRIORITY", "HIGH")
        self.begin = time.monotonic()
        self.seen = []
        self.resizes = []
        self.known = {"network": 0, "storage": 0}
        self.ended = False
        self.look()

    def look(self):
        figures = info(self.client, "runtime")
        now = time.monotonic() - self.begin
        for pool in self.known:
            count = int(figures[f"{pool}_grown"]) + int(figures[f"{pool}_shrunk"])
            for i in range(min(4, count - self.known[pool]))[::-1]:
                record = dict(part.split("=") for part in figures[f"{pool}_resize_{i}"].split(","))
                self.resizes.append({"pool": pool, "s": now - int(record["ms_ago"]) / 1000, **record})
            self.known[pool] = count
        queued = sum(int(figures[f"queue_{level}"]) for level in ("critical", "high", "normal", "low"))
        self.seen.append({"s": now, "queued": queued + int(figures["backpressure_waiting_clients"]),
                          "network": int(figures["network_threads_alive"]),
                          "storage": int(figures["storage_threads_alive"])})
        return figures

    def run(self):
        while not self.ended:
            self.look()
            time.sleep(self.INTERVAL)

    def finish(self):
        self.ended = True
        self.join(30)
        return self.look()


def loops_are(client, count):
    figures = info(client, "runtime")
    return int(figures["network_threads"]) == int(figures["network_threads_alive"]) == count


def server_cpu(server):
    """User and system seconds of the process so far."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def redis_benchmark(server, test, pipeline, requests):
    before = server_cpu(server)
    done = subprocess.run(
        ["redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port), "-c", "50", "-d", "64", "-r", str(KEYS),
         "-P", str(pipeline), "-t", test, "--csv", "-n", str(requests)],
        capture_output=True, text=True, timeout=300)
    rows = [line for line in done.stdout.splitlines() if line.lower().startswith(f'"{test}"')]
    if done.returncode != 0 or not rows:
        raise RuntimeError(f"redis-benchmark failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return {"rate": float(rows[0].split(",")[1].strip('"')),
            "cpu_us": (server_cpu(server) - before) / requests * 1e6}


def prefill(server):
    """Keys as redis-benchmark names them, a hash that is long to read, and many that are not."""
    with server.client(60) as client:
        for start in range(0, KEYS, 10000):
            client.pipeline([("SET", b"key:%012d" % i, b"v" * 64) for i in range(start, start + 10000)])
        for name in ("big", "mid"):
            for start in range(0, HASH_FIELDS[name], 1000):
                client.command("HSET", f"hash:{name}", *fields(start, 1000))
        client.pipeline([("HSET", f"hash:{i}", *fields(0, HASH_FIELDS["small"])) for i in range(1000)])


def fields(start, count):
    return [part for i in range(start, start + count) for part in (f"field:{i}", f"value:{i}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build"), help="where the servers and clients are")
    parser.add_argument("--kiwi-option", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"))
    parser.add_argument("--metrics-option", default="metrics.stages")
    parser.add_argument("--only", default="", help="parts, separated by commas")
    parser.add_argument("--rounds", type=int, default=5, help="of priority and weighted")
    parser.add_argument("--seconds", type=float, default=4, help="each of them")
    parser.add_argument("--cost-rounds", type=int, default=15)
    parser.add_argument("--cost-seconds", type=float, default=1)
    parser.add_argument("--step-rounds", type=int, default=2)
    parser.add_argument("--step-seconds", type=float, default=5)
    parser.add_argument("--step-gets", type=float, default=20000, help="pipelines a second at the top")
    parser.add_argument("--step-scans", type=float, default=1500, help="HGETALLs a second at the top")
    parser.add_argument("--crowd", type=int, default=10_000, help="connections")
    parser.add_argument("--crowd-seconds", type=float, default=20)
    parser.add_argument("--quick", action="store_true", help="few and short rounds; writes no document")
    args = parser.parse_args()
    build = pathlib.Path(args.build)
    args.kiwi_binary = build / "src/kiwi-server"
    args.plain_binary = build / "tests/bench/kiwi-server-plain-queue"
    args.load_client = str(build / "tests/bench/runtime_load")
    args.channel_bench = str(build / "tests/bench/priority_channel_bench")
    args.metrics_bench = str(build / "tests/bench/metrics_bench")
    if args.quick:
        args.rounds, args.seconds, args.cost_rounds, args.cost_seconds = 2, 2.0, 3, 0.5
        args.step_rounds, args.step_seconds, args.crowd_seconds = 1, 3.0, 5.0

    bench = Bench(args)
    parts = {name: getattr(bench, name) for name in report.PARTS}
    chosen = [p for p in parts if not args.only or any(p.startswith(o) for o in args.only.split(","))]
    if not chosen:
        parser.error(f"--only: there are {', '.join(parts)}")
    for part in chosen:
        load = os.getloadavg()[0]  # what else the machine is doing
        begin = time.monotonic()
        block = parts[part]()
        if block is None:
            continue
        text = "\n".join([f"Measured {time.strftime('%Y-%m-%d')}, load average before {load:.1f} "
                          f"(a quiet machine has less than 0.5); `make bench-runtime ARGS=\"--only {part}\"`.", ""] + block)
        print(f"\n== {part} ({time.monotonic() - begin:.0f} s)\n{text}\n", flush=True)
        if not args.quick:
            report.write(DOCUMENT, part, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
