#!/usr/bin/env python3
"""Checks every #include "folder/..." under src/ against utils/layers.txt.

Prints one line for each include that the table does not allow; exits 1 if there is any.
"""
import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def read_layers(path):
    layers = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, allowed = line.split(":")
            layers[folder.strip()] = allowed.split()
    return layers


def layer_of(path, layers):
    """The row that owns a file: the longest listed folder above it; None if there is none."""
    parts = path.split("/")[:-1]
    while parts:
        if "/".join(parts) in layers:
            return "/".join(parts)
        parts.pop()
    return None


def check(root=ROOT):
    layers = read_layers(root / "utils" / "layers.txt")
    problems = []
    src = root / "src"
    for path in sorted(src.rglob("*")):
        if path.suffix not in (".cc", ".h"):
            continue
        name = str(path.relative_to(src))
        own = layer_of(name, layers)
        if own is None:
            problems.append(f"src/{name}: its folder has no row in utils/layers.txt")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            where = f"src/{name}:{number}"
            target = layer_of(match[1], layers)
            if target is None:
                problems.append(f'{where}: "{match[1]}" names no folder of utils/layers.txt')
            elif not (src / match[1]).exists():
                problems.append(f'{where}: there is no src/{match[1]}')
            elif target not in (own, "base") and not any(
                    fnmatch.fnmatchcase(target, pattern) for pattern in layers[own]):
                problems.append(f"{where}: {own} may not include {target} ({match[1]})")
    return problems


if __name__ == "__main__":
    found = check()
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
