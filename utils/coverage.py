#!/usr/bin/env python3
"""Line coverage of src/ by folder, from the .gcda files of a build (gcov's JSON output)."""
import argparse
import collections
import gzip
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-coverage")
    parser.add_argument("--files", action="store_true", help="a row for each file")
    args = parser.parse_args()
    counters = sorted((ROOT / args.build).resolve().rglob("*.gcda"))
    lines = collections.defaultdict(dict)  # file -> line number -> times run
    with tempfile.TemporaryDirectory() as scratch:
        for counter in counters:
            subprocess.run(["gcov", "--json-format", str(counter)], cwd=scratch, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for report in pathlib.Path(scratch).glob("*.gcov.json.gz"):
                for entry in json.loads(gzip.decompress(report.read_bytes()))["files"]:
                    path = pathlib.Path(entry["file"])
                    path = (ROOT / args.build / path).resolve() if not path.is_absolute() else path
                    if ROOT / "src" not in path.parents:
                        continue
                    seen = lines[str(path.relative_to(ROOT))]
                    for line in entry["lines"]:
                        number = line["line_number"]
                        seen[number] = seen.get(number, 0) + line["count"]
                report.unlink()
    rows = collections.defaultdict(lambda: [0, 0])
    for name, seen in lines.items():
        key = name if args.files else str(pathlib.Path(name).parent)
        for row in (rows[key], rows["total"]):
            row[0] += sum(1 for count in seen.values() if count)
            row[1] += len(seen)
    for key in sorted(rows, key=lambda k: (k == "total", k)):
        covered, total = rows[key]
        print(f"{key:40} {covered:6} of {total:6} lines  {100 * covered / max(total, 1):5.1f} %")


if __name__ == "__main__":
    main()
