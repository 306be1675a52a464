#!/usr/bin/env python3
"""Writes tests/golden/<version>/<backend>-<ending>/: once for each released version and backend.

`clean` was ended by SIGTERM, `killed` by kill -9 with writes behind the last checkpoint.
"""
import argparse
import json
import shutil
import sys

import golden_data
from resp import RespError
from server import KIWI, ROOT, Server, wait_until


def send(client, commands):
    for command in commands:
        reply = client.command(*command)
        if isinstance(reply, RespError):
            raise RuntimeError(f"{command[:2]}: {reply}")


def make(args, backend, ending):
    target = ROOT / "tests" / "golden" / args.version / f"{backend}-{ending}"
    if target.exists():
        print(f"{target} is there already; a golden directory never changes")
        return 1
    server = Server(args.server, {"storage.backend": backend, "raft.fsync": "always"})
    try:
        server.start()
        with server.client() as client:
            send(client, golden_data.before_checkpoint())
            send(client, [("BGSAVE",)])
            wait_until("the checkpoint is done", lambda: "rdb_bgsave_in_progress:0" in
                       client.command("INFO", "persistence").decode())
            send(client, golden_data.behind_checkpoint())
            seen = golden_data.observe(client)
        server.stop() if ending == "clean" else server.kill()
        # Logs for people and dumps of options are no part of the format.
        shutil.copytree(server.folder, target / "data", ignore=shutil.ignore_patterns(
            "LOG", "LOG.old*", "OPTIONS-*", "LOCK", "kiwi.lock"))
        (target / "expected.json").write_text(json.dumps(seen, indent=1) + "\n")
    finally:
        server.remove()
    size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
    print(f"{target.relative_to(ROOT)}: {size >> 10} KiB")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--version", required=True, help="the version that writes it, such as 0.1.0")
    args = parser.parse_args()
    return max(make(args, backend, ending) for backend in ("rocksdb", "leveldb")
               for ending in ("clean", "killed"))


if __name__ == "__main__":
    sys.exit(main())
