#!/usr/bin/env python3
"""Real servers, concurrent clients, and a nemesis; at the end, one question: was every promise kept?

Starts NODES servers on loopback, lets clients work on them while the nemesis kills, pauses, partitions
and skews (all drawn from the seed), heals, and then checks:
- all nodes come to one applied index and one digest,
- the history of all clients is linearizable, final reads through every node included (so that no
  acknowledged write is missing): tests/chaos/linearize,
- no server ended by itself.
Prints the figures and the command that repeats the run. After a violation the folders, logs and the
history stay, and their place is printed. Exit: 0 all promises kept, 1 not.
"""
import argparse
import json
import multiprocessing
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import nemesis as nemesis_module
import workload
from group import ROOT, Cluster, RespError, wait_until
from server import KIWI

PROCESSES = 4
MOST_NODES = 16


class Violation(Exception):
    pass


class NotBegun(Violation):
    """There was no run: it shows nothing."""


class Run:
    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"kiwi-chaos-{args.seed}-", dir=args.dir))
        options = dict(args.option)
        options.setdefault("raft.snapshot-entries", "1500")  # so that who lags needs a snapshot
        if args.readindex:
            options["raft.read-mode"] = "readindex"
        self.cluster = Cluster(args.nodes, args.server, options, self.folder)
        self.ports = multiprocessing.Array("i", MOST_NODES)
        self.stop = multiprocessing.Event()
        self.begin = time.monotonic()
        self.settings = {
            "seed": args.seed, "folder": str(self.folder), "begin": self.begin, "pace": args.pace,
            "follower_reads": 0.2, "weak_reads": args.weak_reads, "skew_ms": args.skew_ms,
            "drift_percent": 50 if args.readindex else 9, "alone": args.nodes == 1,
            # A group counts time by monotonic clocks, a lone node by its wall clock.
            "expiry_slack_ms": None if args.readindex else 30 if args.nodes > 1 else 30 + 2 * args.skew_ms,
        }
        self.nemesis = None
        self.first_term = 0

    def log(self, text):
        line = f"{time.monotonic() - self.begin:7.1f} s  {text}"
        with open(self.folder / "nemesis.log", "a") as out:
            out.write(line + "\n")
        if self.args.verbose:
            print(line, flush=True)

    def publish_ports(self):
        ports = [node.port for node in self.cluster.nodes.values()]
        with self.ports.get_lock():
            self.ports[:] = ports + [0] * (MOST_NODES - len(ports))

    def members(self):
        return [port for port in self.ports if port]

    def clients(self):
        threads = max(1, self.args.clients // PROCESSES)
        settings = {**self.settings, "begin": self.begin}
        return [multiprocessing.Process(target=workload.run_threads,
                                        args=(i, threads, self.members, settings, self.stop), daemon=True)
                for i in range(PROCESSES)]

    def go(self):
        """The whole run; raises Violation."""
        try:
            self.cluster.start()
        except (RuntimeError, TimeoutError) as error:
            raise NotBegun(f"the cluster does not start: {error}") from error
        missing = self.cluster.probe()
        self.nemesis = nemesis_module.Nemesis(
            self.cluster, random.Random(f"{self.args.seed}-nemesis"),
            {**self.settings, "members_changed": self.publish_ports},
            [f for f in self.args.faults.split(",") if f], self.args.without.split(","), missing)
        print(f"faults: {', '.join(self.nemesis.shares) or 'none'}", flush=True)
        if self.nemesis.unavailable:
            print(f"not available: {', '.join(self.nemesis.unavailable)}", flush=True)
            for what, why in missing.items():
                print(f"  {what}: {why.split(', with args')[0]}", flush=True)
        if not self.nemesis.shares:
            raise NotBegun("none of the faults asked for is available")
        self.first_term = self.term()
        self.begin = time.monotonic()
        self.publish_ports()
        clients = self.clients()
        for client in clients:
            client.start()
        try:
            self.disturb()
            time.sleep(1.0)  # and a little peace
        finally:
            self.ran = time.monotonic() - self.begin
            self.stop.set()
            for client in clients:
                client.join(30)
        stuck = [c for c in clients if c.is_alive()]
        for client in stuck:
            client.kill()
        if stuck:
            raise Violation("clients did not end: a reply never came within its deadline")
        self.compare_nodes()
        self.read_back()
        self.judge()

    def term(self):
        return max(int(n.status().get("term", 0)) for n in self.cluster.nodes.values())

    def disturb(self):
        until = self.begin + self.args.seconds
        while time.monotonic() < until:
            try:
                self.nemesis.round(self.log)
            except (TimeoutError, RuntimeError) as error:
                raise Violation(f"after healing: {error}") from error

    def compare_nodes(self):
        cluster = self.cluster

        def settled():
            leader = cluster.agreed_leader()
            applied = {n.status().get("applied_index") for n in cluster.nodes.values()}
            return leader and len(applied) == 1
        try:
            wait_until("all nodes have applied the same", settled, 30, 0.2)
        except TimeoutError as error:
            raise Violation(f"{error}: {cluster.describe()}") from error

        digests = {}

        def equal():
            # Expiry goes on by entries of its own, so the nodes are asked again until they meet.
            for node in cluster.nodes.values():
                digests[node.id] = node.ask("DEBUG", "DIGEST", timeout=30)
            return len({str(d) for d in digests.values()}) == 1
        try:
            wait_until("all nodes have the same digest", equal, 20, 0.3)
        except TimeoutError as error:
            raise Violation(f"{error}: {digests}; {cluster.describe()}") from error
        if isinstance(next(iter(digests.values())), RespError):
            raise Violation(f"DEBUG DIGEST: {digests}")
        self.log(f"digest {next(iter(digests.values()))}")

    def read_back(self):
        keys = workload.all_keys(self.ran)
        try:
            workload.read_back(self.cluster.nodes.values(), keys, self.folder / "history.final")
        except (OSError, RuntimeError, TimeoutError) as error:
            raise Violation(f"the final reads: {error}; {self.cluster.describe()}") from error

    def judge(self):
        history = self.folder / "history"
        with open(history, "wb") as out:
            for part in sorted(self.folder.glob("history.*")):
                with open(part, "rb") as lines:
                    shutil.copyfileobj(lines, out)
        begin = time.monotonic()
        done = subprocess.run([self.args.linearize, str(history)], capture_output=True, text=True, timeout=300)
        self.judged = done.stdout.splitlines()[0] if done.stdout else done.stderr
        self.judging_seconds = time.monotonic() - begin
        if done.returncode != 0:
            raise Violation(f"{done.stdout[-6000:]}{done.stderr[-2000:]}")

    def report(self):
        totals = {"counts": {}, "errors": {}, "answered": {}}
        for part in self.folder.glob("figures.*.json"):
            for name, figures in json.loads(part.read_text()).items():
                for key, count in figures.items():
                    totals[name][key] = totals[name].get(key, 0) + count
        counts = totals["counts"]
        answered = sorted(int(b) for b in totals["answered"])
        gaps = [b - a - 1 for a, b in zip(answered, answered[1:])] or [0]
        span = max(1, answered[-1] - answered[0] + 1) if answered else 1
        print(f"clients: {counts.get('answered', 0) / self.ran:.0f} operations/s answered, "
              f"{counts.get('unknown', 0)} unknown, {counts.get('refused', 0)} refused; something was answered in "
              f"{100 * len(answered) / span:.1f} % of all tenths of a second, longest gap {max(gaps) / 10:.1f} s")
        print(f"errors: {json.dumps(dict(sorted(totals['errors'].items(), key=lambda e: -e[1])[:12]))}")
        faults = ", ".join(f"{n} {c}" for n, c in sorted(self.nemesis.count.items()))
        print(f"faults: {faults or 'none'}; slowest healing {self.nemesis.slowest_heal:.1f} s; "
              f"elections: term {self.first_term} → {self.last_term}")

    def judge_logs(self):
        """A server that saw a broken promise of its own says so in its log."""
        for log in self.folder.glob("*.log"):
            found = re.search(r".*(?:CHECK failed|Sanitizer|terminate called).*", log.read_text(errors="replace"))
            if found:
                raise Violation(f"{log.name}: {found[0][:300]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--linearize", default=str(ROOT / "build/tests/chaos/linearize"))
    parser.add_argument("--nodes", type=int, default=3, help="1: a single durable node, killed and paused")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--pace", type=float, default=150, help="operations a second of one client; 0: no limit")
    parser.add_argument("--faults", default="", help="only these, separated by commas: " + ", ".join(nemesis_module.FAULTS))
    parser.add_argument("--readindex", action="store_true", help="no lease reads; clocks may drift without limit")
    parser.add_argument("--weak-reads", type=float, default=0.2,
                        help="share of the connections that ask for bounded reads, or for any")
    parser.add_argument("--skew-ms", type=int, help="greatest skew of a wall clock (an hour; of a lone node 200)")
    parser.add_argument("--without", default="", help="leave these faults out")
    parser.add_argument("--option", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"))
    parser.add_argument("--dir", help="where the data folders go (default: the temporary folder)")
    parser.add_argument("--expect-violation", action="store_true", help="with --faults lying-disk: 0 if one was seen")
    parser.add_argument("--keep", action="store_true", help="keep the folders after a good run too")
    parser.add_argument("--verbose", action="store_true", help="say what the nemesis does")
    args = parser.parse_args()
    args.skew_ms = args.skew_ms or (3_600_000 if args.nodes > 1 else 200)
    again = " ".join(["tests/chaos/chaos.py", *sys.argv[1:]] + ([] if "--seed" in sys.argv else [f"--seed {args.seed}"]))
    print(f"chaos: {args.nodes} nodes, {args.clients} clients, {args.seconds:g} s, seed {args.seed}", flush=True)

    run = Run(args)
    failure = None
    try:
        run.go()
    except Violation as violation:
        failure = violation
    finally:
        run.last_term = run.term() if run.nemesis else 0
        run.cluster.remove(keep=True)
    try:
        run.judge_logs()
    except Violation as violation:
        failure = failure or violation
    if hasattr(run, "ran"):
        run.report()
    if args.expect_violation:
        seen = failure is not None and not isinstance(failure, NotBegun)
        shutil.rmtree(run.folder, ignore_errors=True)
        print(f"ok, the violation was seen: {str(failure)[:500]}" if seen else
              f"FAILED: no violation was seen ({failure})\nagain: {again}")
        return 0 if seen else 1
    if failure:
        print(f"VIOLATION: {failure}\nnodes' folders, logs, history: {run.folder}\nagain: {again}")
        return 1
    if not args.keep:
        shutil.rmtree(run.folder, ignore_errors=True)
    print(f"{run.judged} ({run.judging_seconds:.1f} s); digests equal\nagain: {again}\nok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
