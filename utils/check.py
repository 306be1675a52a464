#!/usr/bin/env python3
"""`make check`: everything about the sources that needs no running server.

format       clang-format agrees with every C++ file
layers       a folder includes only what utils/layers.txt allows
length       no file is longer than 600 lines
readme       every folder of src/ says what it is for
hygiene      no unfinished work, no path of somebody's machine
headers      each header compiles by itself
lint         clang-tidy and clang's thread-safety analysis over src/, clang's warnings over tests/

Results of the compiler-backed checks are cached by content (the file, the project headers below it,
the flags and the tools), so a second run only looks at what changed.
"""
import argparse
import concurrent.futures
import hashlib
import pathlib
import re
import subprocess
import sys
import time

import check_layers

ROOT = check_layers.ROOT
MAX_LINES = 600
FLAGS = ["-std=c++20", "-Isrc", "-Itests", "-DSPDLOG_COMPILED_LIB", "-DSPDLOG_SHARED_LIB",
         "-Wall", "-Wextra", "-Wshadow", "-Wnon-virtual-dtor", "-Woverloaded-virtual",
         "-Wthread-safety", "-Wno-unused-const-variable"]
# In two halves, so that this file passes its own check.
UNFINISHED = ["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK", "place" "holder", "not yet " "implemented",
              "not " "implemented"]
MACHINE = ["/wo" "rk/", "/ho" "me/[a-z]", "/ro" "ot/", "/Us" "ers/"]
HYGIENE = re.compile("|".join([rf"\b(?:{'|'.join(UNFINISHED)})\b"] + MACHINE))


def git_files():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [f for f in sorted(set(out.splitlines())) if (ROOT / f).is_file()]


def read(name):
    try:
        return (ROOT / name).read_text()
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


class Cache:
    """Remembers what passed, keyed by a hash of all that the result depends on."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        tools = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True).stdout
        self.base = tools + read(".clang-tidy") + " ".join(FLAGS)
        self.closures = {}

    def includes(self, name):
        if name not in self.closures:
            found = set()
            for line in read(name).splitlines():
                match = check_layers.INCLUDE.match(line)
                for prefix in ("src/", "tests/") if match else ():
                    if (ROOT / prefix / match[1]).is_file():
                        found.add(prefix + match[1])
            self.closures[name] = found
        return self.closures[name]

    def key(self, kind, name):
        seen, queue = set(), [name]
        while queue:
            one = queue.pop()
            if one not in seen:
                seen.add(one)
                queue.extend(self.includes(one))
        digest = hashlib.sha256((self.base + kind + name).encode())
        for one in sorted(seen):
            digest.update(one.encode() + b"\0" + read(one).encode() + b"\0")
        return digest.hexdigest()

    def passed(self, key):
        return (self.folder / key).exists()

    def remember(self, key):
        (self.folder / key).touch()


def run_cached(cache, kind, names, command, jobs):
    """Runs command(name) for each file that has no cached pass; returns what the failures printed."""
    def one(name):
        key = cache.key(kind, name)
        if cache.passed(key):
            return None
        done = subprocess.run(command(name), cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            cache.remember(key)
            return None
        lines = [l for l in (done.stdout + done.stderr).splitlines()
                 if not re.match(r"^(\d+ warnings? |Suppressed |Use -header-filter|Error while)", l)]
        return f"{name}:\n" + "\n".join(lines[:40])

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return [r for r in pool.map(one, names) if r]


def check_format(cpp):
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *cpp], cwd=ROOT,
                          capture_output=True, text=True)
    bad = sorted({l.split(":")[0] for l in done.stderr.splitlines() if "error:" in l})
    return [f"{name}: run `make fmt`" for name in bad]


def check_length(files):
    # Data directories and generated tables are not read by people.
    code = [f for f in files if re.search(r"\.(cc|h|py|sh|md|txt|cmake)$", f) and
            not f.startswith("tests/golden/")]
    sizes = {f: len(read(f).splitlines()) for f in code}
    return [f"{f}: {n} lines, more than {MAX_LINES}" for f, n in sizes.items() if n > MAX_LINES]


def check_readme(cpp):
    folders = sorted({str(pathlib.Path(f).parent) for f in cpp if f.startswith("src/")})
    return [f"{d}: has no README.md" for d in folders if not (ROOT / d / "README.md").is_file() and
            not (ROOT / d).parent.joinpath("README.md").is_file()]


def check_hygiene(files):
    found = []
    for name in files:
        if name.startswith("tests/golden/"):
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            match = HYGIENE.search(line)
            if match:
                found.append(f"{name}:{number}: {match[0]!r}")
    return found


def lone_headers(cpp):
    """Headers that no .cc of the same name includes first: nothing proves yet that they stand alone."""
    def proven(header):
        source = header[:-2] + ".cc"
        first = next((m[1] for m in map(check_layers.INCLUDE.match, read(source).splitlines()) if m), "")
        return bool(first) and header.endswith(first)
    return [f for f in cpp if f.endswith(".h") and not proven(f)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the cache lies")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of checks (default: all)")
    parser.add_argument("--files", default="", help="only files whose path holds this")
    args = parser.parse_args()

    files = [f for f in git_files() if args.files in f]
    cpp = [f for f in files if re.match(r"(src|tests)/.*\.(cc|h)$", f)]
    src = [f for f in cpp if f.startswith("src/") and f.endswith(".cc")]
    tests = [f for f in cpp if f.startswith("tests/") and f.endswith(".cc")]
    cache = Cache(ROOT / args.build / "check-cache")
    tidy = lambda name: ["clang-tidy", "--quiet", name, "--", *FLAGS]
    # The simulator's mutants exist only under their macro.
    syntax = lambda name: ["clang++", "-fsyntax-only", "-Werror", *FLAGS,
                           *(["-DKIWI_MUTANTS"] if "mutants" in name else []), name]
    header = lambda name: ["clang++", "-fsyntax-only", "-Werror", *FLAGS, "-x", "c++",
                           "-Wno-pragma-once-outside-header", name]
    checks = {
        "format": lambda: check_format(cpp) if cpp else [],
        "layers": lambda: check_layers.check(ROOT),
        "length": lambda: check_length(files),
        "readme": lambda: check_readme(cpp),
        "hygiene": lambda: check_hygiene(files),
        "headers": lambda: run_cached(cache, "header", lone_headers(cpp), header, args.jobs),
        "lint": lambda: run_cached(cache, "tidy", src, tidy, args.jobs) +
                run_cached(cache, "syntax", tests, syntax, args.jobs),
    }
    failed = []
    for name, run in checks.items():
        if args.only and name not in args.only:
            continue
        start = time.monotonic()
        problems = run()
        print(f"{name:8} {'FAILED' if problems else 'ok':6} {time.monotonic() - start:6.1f} s", flush=True)
        if problems:
            print("\n".join(problems), flush=True)
            failed.append(name)
    if failed:
        print(f"check failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
