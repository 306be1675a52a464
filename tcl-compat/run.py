#!/usr/bin/env python3
"""Runs unit files of Redis 7.0's own Tcl suite against Kiwi and scores them.

The suite comes from Debian's source package of redis. It is fetched, with apt's own tools, from the
archive that this machine is already configured for, into build/tcl/ (its own lists and caches:
nothing outside of that folder changes), and is not part of this repository.

Each unit file gets a fresh server and a time limit. A file's score is the number of its [ok] lines,
held against what redis-server 7.0 passes (units.txt), never against what happened to run. A score
below baseline.txt is tried once more, as its tests have deadlines of their own that a busy machine may
miss; both results are printed, and the second counts. If it is below, too, the run fails, as it does when
a server has ended. --record raises the baseline.
"""
import argparse
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from cluster_group import Group  # noqa: E402
from server import KIWI, Server  # noqa: E402

HERE = ROOT / "tcl-compat"
TREE = ROOT / "build" / "tcl"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
ENDED = "THE SERVER ENDED"


class Unreachable(Exception):
    """Debian's archive could not be used; the message says why."""


def apt(*args):
    own = {
        "Dir::Etc::sourcelist": TREE / "sources.list", "Dir::Etc::sourceparts": "-",
        "Dir::State": TREE / "state", "Dir::State::lists": TREE / "state" / "lists",
        "Dir::Cache": TREE / "cache", "Dir::State::status": "/var/lib/dpkg/status",
        "APT::Sandbox::User": "root", "Acquire::Retries": "2", "Acquire::http::Timeout": "20",
    }
    options = [f"-o{key}={value}" for key, value in own.items()]
    return subprocess.run(["apt-get", "-q", *options, *args], cwd=TREE, text=True,
                          capture_output=True, timeout=300)


def archive_entries():
    """(uri, release) of the Debian archives that apt on this machine uses."""
    out = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages"], capture_output=True, text=True, check=True).stdout
    release = re.search(r"VERSION_CODENAME=(\S+)", pathlib.Path("/etc/os-release").read_text())
    wanted = {release[1], release[1] + "-security"} if release else set()
    found = {tuple(line.split()[:2]) for line in out.splitlines() if line.endswith(" main")}
    return sorted(e for e in found if e[1] in wanted)


def fetch_suite():
    """The unpacked source tree, with the installed binaries linked in; fetched once."""
    ready = [p for p in TREE.glob("redis-7.0*") if (p / "runtest").is_file()]
    if not ready:
        entries = archive_entries()
        if not entries:
            raise Unreachable("apt is not configured for a Debian archive on this machine")
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (TREE / folder).mkdir(parents=True, exist_ok=True)
        keyring = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        signed = f"[signed-by={keyring}] " if keyring.exists() else ""
        (TREE / "sources.list").write_text(
            "".join(f"deb-src {signed}{uri} {release} main\n" for uri, release in entries))
        for step in (("update",), ("source", "redis")):
            done = apt(*step)
            if done.returncode != 0:
                raise Unreachable(f"apt-get {' '.join(step)} failed:\n{done.stdout}{done.stderr}")
        ready = [p for p in TREE.glob("redis-7.0*") if (p / "runtest").is_file()]
        if not ready:
            raise Unreachable("the archive's redis is not a 7.0")
    tree = ready[0]
    for name in ("redis-server", "redis-cli", "redis-benchmark"):
        link, installed = tree / "src" / name, shutil.which(name)
        if not installed:
            raise Unreachable(f"{name} is not installed; `make deps` installs it")
        if not link.exists():
            link.symlink_to(installed)
    return tree


def read_table(path):
    rows = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            unit, number = line.rsplit(None, 1)
            rows[unit] = int(number)
    return rows


def skipped_tests():
    lines = (HERE / "skiplist.txt").read_text().splitlines()
    return [l.split(" # ")[0].strip() for l in lines if l.strip() and not l.startswith("#")]


@contextlib.contextmanager
def fresh_server(args):
    """The server that the suite speaks to; with --through, one node of three."""
    # The suite is about semantics and writes one by one: a sync for each would measure the disk.
    options = {"raft.fsync": "everysec"}
    if args.server == "redis":
        options = {"save": "", "enable-debug-command": "yes", "enable-protected-configs": "yes"}
        with Server(shutil.which("redis-server"), options, kind="redis") as server:
            yield server
    elif args.through:
        with Group(args.kiwi_binary, options) as group:
            yield group.leader() if args.through == "leader" else group.followers()[0]
    else:
        with Server(args.kiwi_binary, options) as server:
            yield server


def run_unit(tree, unit, args):
    """(ok, err names, note) of one unit file on a fresh server."""
    skipfile = TREE / "skipfile"
    skipfile.write_text("\n".join(skipped_tests()) + "\n")
    log = TREE / "logs" / (unit.replace("/", "-") + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    note = ""
    with fresh_server(args) as server:
        command = ["./runtest", "--host", "127.0.0.1", "--port", str(server.port), "--clients", "1",
                   "--durable", "--tags", "-slow", "--skipfile", str(skipfile), "--single", unit]
        with open(log, "wb") as out:
            process = subprocess.Popen(command, cwd=tree, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
            try:
                process.wait(args.timeout)
            except subprocess.TimeoutExpired:
                note = f"stopped after {args.timeout} s"
                os.killpg(process.pid, signal.SIGKILL)  # the group that we started
                process.wait()
        if not server.alive():
            note = f"{ENDED} ({server.process.returncode}) {server.log_tail(5)}"
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    ok = len(re.findall(r"^\[ok\]:", text, re.M))
    bad = re.findall(r"^\[(?:err|exception|timeout)\]:? ?(.*)$", text, re.M)
    return ok, list(dict.fromkeys(bad)), note


def write_document(scores, fixed):
    """Rewrites the table of docs/compatibility.md between its two marks."""
    path = ROOT / "docs" / "compatibility.md"
    rows = ["| unit file | redis-server 7.0 | Kiwi |", "|---|---:|---:|"]
    rows += [f"| {unit} | {fixed[unit]} | {scores[unit]} |" for unit in fixed if unit in scores]
    rows.append(f"| all of these | {sum(fixed[u] for u in fixed if u in scores)} | {sum(scores.values())} |")
    text = path.read_text()
    new = re.sub(r"(<!-- tcl table begin -->\n).*?(<!-- tcl table end -->)",
                 lambda m: m[1] + "\n".join(rows) + "\n" + m[2], text, flags=re.S)
    path.write_text(new)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kiwi-binary", default=str(KIWI))
    parser.add_argument("--server", choices=("kiwi", "redis"), default="kiwi")
    parser.add_argument("--through", choices=("leader", "follower"),
                        help="three nodes; the suite speaks to this one")
    parser.add_argument("--unit", nargs="*", help="unit files (default: all of units.txt)")
    parser.add_argument("--timeout", type=int, default=280, help="seconds a unit file may take")
    parser.add_argument("--record", action="store_true",
                        help="raise baseline.txt and rewrite the table of docs/compatibility.md")
    parser.add_argument("--may-skip", action="store_true",
                        help="exit 77 instead of 1 when Debian's archive cannot be reached")
    args = parser.parse_args()

    fixed, baseline = read_table(HERE / "units.txt"), read_table(HERE / "baseline.txt")
    try:
        TREE.mkdir(parents=True, exist_ok=True)
        lock = open(TREE / "lock", "w")  # two runs in one tree would disturb each other
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree = fetch_suite()
    except (Unreachable, subprocess.SubprocessError) as error:
        print(f"{'SKIPPED' if args.may_skip else 'FAILED'}: the Redis 7.0 suite is not available: {error}")
        return SKIPPED if args.may_skip else 1

    scores, fell, again, crashed = {}, [], [], []
    print(f"{'unit':28} {'redis':>6} {args.server:>6} {'base':>6}  not passed")

    def score(unit, floor):
        scores[unit], bad, note = run_unit(tree, unit, args)
        print(f"{unit:28} {fixed.get(unit, 0):6} {scores[unit]:6} {floor:6}  {len(bad)} errors {note}", flush=True)
        for name in bad:
            print(f"    {name}")
        if ENDED in note:
            crashed.append(unit)
        return scores[unit] >= floor or ENDED in note

    for unit in args.unit or fixed:
        floor = baseline.get(unit, 0) if args.server == "kiwi" else fixed.get(unit, 0)
        if not score(unit, floor):
            print(f"{unit} is below the baseline: once more", flush=True)
            again.append(unit)
            if not score(unit, floor):
                fell.append(unit)
    print(f"{'all of these':28} {sum(fixed.get(u, 0) for u in scores):6} {sum(scores.values()):6}")

    if args.record and args.server == "kiwi":
        for unit, ok in scores.items():
            baseline[unit] = max(ok, baseline.get(unit, 0))
        (HERE / "baseline.txt").write_text(
            "# unit file and the number of its tests that pass; it may only rise (run.py --record)\n" +
            "".join(f"{u} {n}\n" for u, n in sorted(baseline.items())))
        write_document({u: baseline[u] for u in fixed if u in baseline}, fixed)
    if again:
        print(f"tried twice: {', '.join(again)}")
    if fell:
        print(f"below the baseline: {', '.join(fell)}")
    if crashed:
        print(f"the server ended: {', '.join(crashed)}")
    return 1 if fell or crashed else 0


if __name__ == "__main__":
    sys.exit(main())
