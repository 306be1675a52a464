#!/usr/bin/env python3
"""Line and branch coverage of src/ by folder, from the .gcda files of a build (gcov's JSON output).

A line that is compiled several times counts once: what any of its compilations ran. Left out are
lines of a closing brace alone (only destructors run there), branches that only an exception takes
(every call has one, and nothing here throws), and the branches of checks that end the process
(KIWI_CHECK, KIWI_DCHECK) and of the deliberate bugs (KIWI_MUTANT), constants in this build.
"""
import argparse
import collections
import gzip
import json
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NO_DECISION = re.compile(r"KIWI_D?CHECK|KIWI_MUTANT")


class File:
    def __init__(self, name):
        self.text = (ROOT / name).read_text(encoding="utf-8").splitlines()
        self.lines = {}  # line number -> times run
        self.branches = {}  # (line number, which of that line) -> times taken

    def add(self, line):
        number = line["line_number"]
        if number > len(self.text) or self.text[number - 1].strip() == "}":
            return
        self.lines[number] = self.lines.get(number, 0) + line["count"]
        if NO_DECISION.search(self.text[number - 1]):
            return
        for at, branch in enumerate(b for b in line.get("branches", []) if not b["throw"]):
            key = (number, at)
            self.branches[key] = self.branches.get(key, 0) + branch["count"]

    def counts(self):
        """lines run, lines, branches taken, branches"""
        return [sum(1 for n in self.lines.values() if n), len(self.lines),
                sum(1 for n in self.branches.values() if n), len(self.branches)]

    def missing(self):
        """(line number, what) for each line never run and each line with a branch never taken"""
        out = [(number, "never run") for number, count in self.lines.items() if not count]
        untaken = collections.Counter(number for (number, _), n in self.branches.items()
                                      if not n and self.lines[number])
        total = collections.Counter(number for number, _ in self.branches)
        out += [(number, f"{count} of {total[number]} branches never taken")
                for number, count in untaken.items()]
        return sorted(out)


def read(build):
    files = {}
    with tempfile.TemporaryDirectory() as scratch:
        for counter in sorted(build.rglob("*.gcda")):
            subprocess.run(["gcov", "--json-format", "--branch-probabilities", str(counter)],
                           cwd=scratch, check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            for report in pathlib.Path(scratch).glob("*.gcov.json.gz"):
                for entry in json.loads(gzip.decompress(report.read_bytes()))["files"]:
                    path = (build / entry["file"]).resolve()
                    if ROOT / "src" not in path.parents:
                        continue
                    name = str(path.relative_to(ROOT))
                    if name not in files:
                        files[name] = File(name)
                    for line in entry["lines"]:
                        files[name].add(line)
                report.unlink()
    return files


def percent(part, whole):
    return 100 * part / max(whole, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-coverage")
    parser.add_argument("--only", default="src/", help="files below this folder alone")
    parser.add_argument("--files", action="store_true", help="a row for each file")
    parser.add_argument("--missing", action="store_true", help="what was never run or taken")
    parser.add_argument("--lines-min", metavar="FOLDER=PERCENT", help="fail below that, if measured")
    args = parser.parse_args()
    files = {name: file for name, file in read((ROOT / args.build).resolve()).items()
             if name.startswith(args.only)}
    rows = collections.defaultdict(lambda: [0, 0, 0, 0])
    for name, file in files.items():
        key = name if args.files else str(pathlib.Path(name).parent)
        for row in (rows[key], rows["total"]):
            for i, count in enumerate(file.counts()):
                row[i] += count
    for key in sorted(rows, key=lambda k: (k == "total", k)):
        run, lines, taken, branches = rows[key]
        print(f"{key:40} {run:6} of {lines:6} lines {percent(run, lines):6.1f} %"
              f" {taken:6} of {branches:6} branches {percent(taken, branches):6.1f} %")
    if args.missing:
        for name, file in sorted(files.items()):
            for number, what in file.missing():
                print(f"{name}:{number}: {what}: {file.text[number - 1].strip()}")
    if args.lines_min:
        folder, least = args.lines_min.split("=")
        counts = [file.counts()[:2] for name, file in files.items() if name.startswith(folder)]
        if counts and percent(*map(sum, zip(*counts))) < float(least):
            raise SystemExit(f"less than {least} % of the lines of {folder} were run")


if __name__ == "__main__":
    main()
