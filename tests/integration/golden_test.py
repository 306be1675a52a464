#!/usr/bin/env python3
"""Every data directory that an earlier version wrote opens, holds the same, and can be written on."""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile

import golden_data
from server import KIWI, ROOT, Server


def check(binary, golden):
    backend = golden.name.split("-")[0]
    expected = json.loads((golden / "expected.json").read_text())
    with tempfile.TemporaryDirectory(prefix="kiwi-golden-") as scratch:
        folder = pathlib.Path(scratch) / "data"
        shutil.copytree(golden / "data", folder)
        server = Server(binary, {"storage.backend": backend}, folder=folder)
        try:
            server.start()
            with server.client() as client:
                seen = golden_data.observe(client)
                different = {k: (v, seen.get(k)) for k, v in expected.items() if seen.get(k) != v}
                assert not different, f"differs (expected, found): {different}"
                assert client.command("SET", "written by", "a later build") == "OK"
            assert server.stop() == 0
            server.start()
            with server.client() as client:
                assert client.command("GET", "written by") == b"a later build"
                assert client.command("DEL", "written by") == 1
                digest = golden_data.digest_of(client.command("DEBUG", "DIGEST"))
                assert digest == expected["digest"], "a restart changed the data"
        finally:
            server.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=str(KIWI))
    args = parser.parse_args()
    found = sorted((ROOT / "tests" / "golden").glob("*/*/expected.json"))
    failed = not found
    if not found:
        print("FAILED: there is no golden directory under tests/golden")
    for path in found:
        name = path.parent.relative_to(ROOT)
        try:
            check(args.server, path.parent)
            print(f"ok      {name}", flush=True)
        except Exception as error:  # look at the others too
            failed = True
            print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
