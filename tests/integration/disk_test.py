#!/usr/bin/env python3
"""A full disk and a failing fsync under load: nothing that was acknowledged is lost, nothing that was
refused appears, reads go on, the error is clear, and service returns when the disk does.

Over the server's own file layer, which is told what to do wrong while clients write (load.py judges).
"""
import argparse
import os
import re
import sys
import time

from load import Writer
from server import KIWI, Server, wait_until

REFUSED = r"^(MISCONF|UNKNOWN|EXECABORT)"


def inject(server, fault, value):
    with server.client() as client:
        reply = client.command("FAULT.DISK", fault, value)
        assert reply == "OK", f"FAULT.DISK {fault} {value}: {reply}"


def write_state(server):
    """What one SET is answered: "OK", or the error's text."""
    with server.client(timeout=20) as client:
        return str(client.command("SET", "probe", time.time_ns()))


def reads_go_on(server):
    with server.client(timeout=5) as client:
        reply = client.command("GET", "kept")
        assert reply == b"from before", f"a read during the fault: {reply!r}"


def fault_under_load(server, writers, begin, end):
    """Load; the fault; refusals; the end of the fault; load again; kill -9; the verdict."""
    with server.client() as client:
        assert client.command("SET", "kept", "from before") == "OK"
    for writer in writers:
        writer.tolerate = REFUSED
        writer.start()
    wait_until("the load runs", lambda: all(w.acked > 200 for w in writers), 20)
    inject(server, *begin)
    text = wait_until("writes are refused", lambda: refusal(server), 20, 0.05)
    assert len(text) > 30, f"not a clear error: {text}"
    for _ in range(20):
        reads_go_on(server)
    inject(server, *end)
    wait_until("writes are taken again", lambda: write_state(server) == "OK", 20, 0.05)
    mark = [w.acked for w in writers]
    wait_until("the load goes on", lambda: all(w.acked > m + 500 for w, m in zip(writers, mark)), 30)
    server.kill()
    for writer in writers:
        writer.join(30)
    server.start()
    with server.client(timeout=60) as client:
        for writer in writers:
            writer.check(client)
    refused = sum(len(w.skipped) for w in writers)
    assert refused > 0, "no writer saw the fault"
    return sum(w.acked for w in writers) - refused, refused


def refusal(server):
    """The definite error; a write that is in flight when the fault comes may end as UNKNOWN before."""
    text = write_state(server)
    assert text == "OK" or re.search(REFUSED, text), text
    return text if text.startswith("MISCONF") else ""


def one_failed_sync(server, writers):
    """A single failure heals by itself; what it covered must not be acknowledged."""
    for writer in writers:
        writer.tolerate = REFUSED
        writer.start()
    wait_until("the load runs", lambda: all(w.acked > 200 for w in writers), 20)
    for _ in range(5):
        inject(server, "fail-sync", 2)
        time.sleep(0.3)
        wait_until("writes are taken again", lambda: write_state(server) == "OK", 20, 0.02)
    server.kill()
    for writer in writers:
        writer.join(30)
    server.start()
    with server.client(timeout=60) as client:
        for writer in writers:
            writer.check(client)
    return sum(w.acked for w in writers), sum(len(w.skipped) for w in writers)


FAULTS = {
    "a full disk": (("space-left", 50000), ("space-left", "off")),
    "a disk that fails each sync": (("fail-all-syncs", 1), ("clear", "")),
    "one failed sync": (("fail-sync", 3), ("clear", "")),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--backends", nargs="*", default=["rocksdb", "leveldb"])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parser.parse_args()
    failed = False
    for backend in args.backends:
        for name, (begin, end) in FAULTS.items():
            server = Server(args.server, {"storage.backend": backend, "raft.fsync": "always",
                                          "fault.enabled": "yes", "fault.file-layer": "yes"})
            try:
                server.start()
                writers = [Writer(f"w{i}", server, depth=8, seed=args.seed) for i in range(3)]
                if name == "one failed sync":
                    done, refused = one_failed_sync(server, writers)
                else:
                    done, refused = fault_under_load(server, writers, begin, end)
                print(f"ok      {backend}: {name}: {done} acknowledged, {refused} refused", flush=True)
            except (AssertionError, TimeoutError, RuntimeError, OSError) as error:
                failed = True
                print(f"FAILED  {backend}: {name}: {type(error).__name__}: {error}\n{server.log_tail(5)}",
                      flush=True)
            finally:
                server.remove()
    if failed:
        print(f"again: tests/integration/disk_test.py --seed {args.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
