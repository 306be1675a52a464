#!/usr/bin/env python3
"""Runs each fuzz target of a build for a bounded time; a finding is copied where it can be replayed.

Seeds lie in tests/fuzz/corpus/<target>/ (inputs that once broke something stay there for ever).
"""
import argparse
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-fuzz")
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    folder = (ROOT / args.build / "tests" / "fuzz").resolve()
    targets = sorted(p for p in folder.glob("*_fuzz") if p.is_file())
    if not targets:
        print(f"no fuzz targets in {folder}")
        return 1
    failed = []
    for target in targets:
        work = folder / "corpus" / target.name
        work.mkdir(parents=True, exist_ok=True)
        corpora = [str(work)]
        seeds = ROOT / "tests" / "fuzz" / "corpus" / target.name
        if seeds.is_dir():
            corpora.append(str(seeds))
        dictionary = ROOT / "tests" / "fuzz" / f"{target.name}.dict"
        command = [str(target), f"-max_total_time={args.seconds}", "-timeout=10", "-rss_limit_mb=2048",
                   "-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={folder}/{target.name}-"]
        if dictionary.is_file():
            command.append(f"-dict={dictionary}")
        done = subprocess.run(command + corpora, capture_output=True, text=True,
                              timeout=args.seconds + 120)
        runs = [l.split(":")[-1].strip() for l in done.stderr.splitlines() if "number_of_executed" in l]
        print(f"{target.name:24} {'ok' if done.returncode == 0 else 'FAILED':6} "
              f"{runs[0] if runs else '?'} inputs", flush=True)
        if done.returncode != 0:
            print(done.stderr[-4000:])
            print(f"replay: {target} <the file that artifact_prefix names above>")
            failed.append(target.name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
