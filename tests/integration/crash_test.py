#!/usr/bin/env python3
"""kill -9 at random moments under pipelined writes of several clients, again and again.

After each restart every acknowledged write must be there, none torn; what was in flight may be there or
not, but whole and in order (load.py judges). Some kills hit the recovery itself; checkpoints are asked
for under way, so that some hit those.

  --file-layer         over the server's own file layer, which throws away what was not synced
  --lie-about .log     files of that name are not synced although the layer says so: the test must then
                       see a loss, or it proves nothing
"""
import argparse
import random
import sys
import time

from load import Torn, Writer
from resp import RespError
from server import KIWI, Server


def options(args):
    out = {"storage.backend": args.backend, "raft.fsync": "always"}
    if args.file_layer:
        out.update({"fault.enabled": "yes", "fault.file-layer": "yes"})
    out.update(dict(args.option))
    return out


def one_life(server, writers, chance, lie_about):
    """Runs the writers against the server until it is killed."""
    if lie_about:
        with server.client() as client:
            for fault in (("paths", lie_about), ("lie-all-syncs", 1)):
                reply = client.command("FAULT.DISK", *fault)
                assert reply == "OK", reply
    for writer in writers:
        writer.start()
    until = time.monotonic() + chance.uniform(0.05, 1.2)
    while time.monotonic() < until:
        if chance.random() < 0.1:
            try:
                with server.client() as client:
                    client.command("BGSAVE")
            except OSError as error:
                raise Torn(f"the server is gone before the kill: {error} {server.log_tail()}") from error
        time.sleep(0.02)
    if not server.alive():
        raise Torn(f"the server ended by itself: {server.log_tail()}")
    server.kill()
    for writer in writers:
        writer.join(30)


def restart(server, chance):
    """Starts again; every fourth time, kills the recovery once before."""
    if chance.random() < 0.25:
        server.start(wait=False)
        time.sleep(chance.uniform(0.0, 0.15))
        server.kill()
    server.start()


def run(args):
    chance = random.Random(args.seed)
    server = Server(args.server, options(args)) if args.kind == "kiwi" else Server(
        args.server, {"appendonly": "yes", "appendfsync": "always", "save": ""}, kind="redis")
    writers = [Writer(f"w{i}", server, depth=args.depth, seed=args.seed) for i in range(args.clients)]
    total = 0
    try:
        server.start()
        for kill in range(1, args.kills + 1):
            one_life(server, writers, chance, args.lie_about)
            restart(server, chance)
            with server.client(timeout=60) as client:
                for writer in writers:
                    writer.check(client)
                if kill % 10 == 0 or kill == args.kills:
                    for writer in writers:
                        writer.check_kept(client)
            total += sum(w.acked - w.first + 1 for w in writers)
            if args.verbose:
                print(f"kill {kill}: {total} writes acknowledged so far", flush=True)
            writers = [w.clone() for w in writers]
        with server.client() as client:
            digest = client.command("DEBUG", "DIGEST")
        code = server.stop()
        if code != 0:
            raise Torn(f"SIGTERM ended the server with {code}: {server.log_tail()}")
        server.start()
        with server.client(timeout=60) as client:
            if not isinstance(digest, RespError) and client.command("DEBUG", "DIGEST") != digest:
                raise Torn("a clean restart changed the data")
        return total
    finally:
        server.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--kind", choices=("kiwi", "redis"), default="kiwi")
    parser.add_argument("--backend", default="rocksdb")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--file-layer", action="store_true")
    parser.add_argument("--lie-about", default="")
    parser.add_argument("--option", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"))
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    replay = " ".join(["tests/integration/crash_test.py", *sys.argv[1:], f"--seed {args.seed}"])
    try:
        total = run(args)
    except (Torn, RuntimeError, TimeoutError) as error:
        if args.lie_about:
            print(f"ok: with the syncs of {args.lie_about} left out, the loss was seen: {error}")
            return 0
        print(f"FAILED: {error}\nagain: {replay}")
        return 1
    if args.lie_about:
        print(f"FAILED: {args.lie_about} was never synced and {args.kills} kills showed no loss\nagain: {replay}")
        return 1
    print(f"ok: {args.kills} kills ({args.backend}{', unsynced data thrown away' if args.file_layer else ''}), "
          f"{total} acknowledged writes, none lost or torn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
