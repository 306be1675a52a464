#!/usr/bin/env python3
"""Clients from npm through a failover: the leader is killed with kill -9 under their writes, and comes
back; then a graceful one. They may see retryable errors alone, and lose no acknowledged write."""
import argparse
import json
import pathlib
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from cluster_group import Group  # noqa: E402
from server import KIWI  # noqa: E402

CLIENTS = {  # name: cluster-enabled
    "ioredis-cluster": "yes", "ioredis-5-cluster": "yes", "node-redis-cluster": "yes",
    "node-redis-4-cluster": "yes", "ioredis": "no", "node-redis": "no",
}
SKIPPED = 77
DEADLINE_SECONDS = 90


def install(folder):
    """npm ci into `folder`; False if npm or its registry is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "adapters.js", "failover.js"):
        (folder / name).write_bytes((HERE / name).read_bytes())
    stamp = folder / "node_modules" / ".installed"
    wanted = (HERE / "package-lock.json").read_text()
    if stamp.is_file() and stamp.read_text() == wanted:
        return True
    try:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder,
                       timeout=120, check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"skipped: npm cannot install the clients here: {error}")
        return False
    stamp.write_text(wanted)
    return True


class Script:
    def __init__(self, folder, name, ports):
        self.process = subprocess.Popen(["node", "failover.js", name, ",".join(map(str, ports))], cwd=folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.limit = threading.Timer(DEADLINE_SECONDS, self.process.kill)
        self.limit.start()
        line = self.process.stdout.readline().strip()
        assert line == "running", f"{name} does not run: {line}"

    def result(self):
        out, _ = self.process.communicate("end\n")
        self.limit.cancel()
        assert out, "the script was ended at its deadline"
        return json.loads(out.splitlines()[-1])


def run(binary, folder, name, seconds):
    with Group(binary, {"cluster-enabled": CLIENTS[name]}) as group:
        leader = group.leader()
        # A plain client is given to a follower, so that its writes are forwarded.
        first = leader if CLIENTS[name] == "yes" else group.followers()[0]
        ports = [first.port] + [s.port for s in group.servers if s is not first]
        script = Script(folder, name, ports)
        try:
            time.sleep(seconds / 4)
            leader.kill()
            group.leader(other_than=leader)
            time.sleep(seconds / 4)
            leader.start()
            time.sleep(seconds / 4)
            second = group.leader()
            second.stop()
            time.sleep(seconds / 4)
            second.start()
            return script.result()
        finally:
            script.limit.cancel()
            script.process.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--folder", default=str(KIWI.parent.parent / "clients"), help="where npm installs")
    parser.add_argument("--seconds", type=float, default=4, help="of writes, a client")
    parser.add_argument("clients", nargs="*", help=", ".join(CLIENTS))
    args = parser.parse_args()
    folder = pathlib.Path(args.folder)
    if not install(folder):
        sys.exit(SKIPPED)
    failed = 0
    for name in args.clients or CLIENTS:
        result = run(args.server, folder, name, args.seconds)
        bad = result.get("failed") or result["lost"] or result["stale"] or result["unexpected"]
        failed += bool(bad)
        print(f"{'FAILED' if bad else 'ok'} {name}: {json.dumps(result)[:1500]}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
