"""Turns the figures of run.py into lines and into the tables of docs/performance.md."""
import os
import platform
import re
import statistics

# What the project asks of each ratio (Kiwi : Redis); for memory and restart less is better.
TARGETS = {
    "get P=1": 0.9, "get P=16": 1.2,
    "set-always P=1": 0.9, "set-always P=16": 1.5,
    "set-everysec P=1": 0.9, "set-everysec P=16": 1.2,
    "set-no P=1": 0.8, "set-no P=16": 1.1,
}
BEGIN, END = "<!-- figures begin -->", "<!-- figures end -->"


def median(values):
    return statistics.median(values)


def cell(values, scale=1.0, digits=1):
    show = lambda v: f"{v / scale:.{digits}f}"
    if len(values) == 1:
        return show(values[0])
    return f"{show(median(values))} ({show(min(values))}-{show(max(values))})"


def paired(figures):
    """The ratio round by round: what changed on the machine between rounds cancels out."""
    return [k / r for k, r in zip(figures["kiwi"], figures["redis"])]


def line(name, figures):
    """One line for the terminal."""
    if name.startswith("mixed"):
        ratio = median(figures["mixed"]) / median(figures["set"])
        return (f"{name:20} set {cell(figures['set'], 1e3)} k/s  mixed {cell(figures['mixed'], 1e3)} k/s  "
                f"ratio {ratio:.2f} (at least 0.5)")
    if name == "restart":
        return "\n".join(f"restart  {what:26} {cell(values, 1, 2)} s" for what, values in figures.items())
    if name == "memory":
        return (f"{name:20} redis {cell(figures['redis'])} B/key  kiwi {cell(figures['kiwi'])} B/key  "
                f"ratio {median(figures['kiwi']) / median(figures['redis']):.2f} (at most 0.75)")
    return (f"{name:20} redis {cell(figures['redis'], 1e3)} k/s  kiwi {cell(figures['kiwi'], 1e3)} k/s  "
            f"ratio {cell(paired(figures), 1, 2)}" +
            (f"  (at least {TARGETS[name]})" if name in TARGETS else ""))


def verdict(reached):
    return "yes" if reached else "**no**"


def machine():
    model = re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read())
    return (f"{os.cpu_count()} cores ({platform.machine()}), {int(model[1]) / 2**20:.0f} GiB of memory, "
            f"Linux {platform.release().split('-')[0]}; client and both servers on the same machine")


def tables(results):
    runs = sorted({(r["rounds"], r["seconds"], r["load"]) for r in results.values()})
    out = [f"Machine: {machine()}.",
           "Runs: " + "; ".join(f"{n} rounds of {s:g} s, load average before the run {l}" for n, s, l in runs) +
           " (a quiet machine has less than 0.5).", ""]
    rates = [n for n in TARGETS if n in results]
    if rates:
        out += ["| thousand operations a second | redis-server 7.0 | Kiwi | ratio, by rounds | wanted | reached | measured |",
                "|---|---:|---:|---:|---:|---|---|"]
        for name in rates:
            figures = results[name]["figures"]
            ratio = median(paired(figures))
            out.append(f"| {name} | {cell(figures['redis'], 1e3)} | {cell(figures['kiwi'], 1e3)} | "
                       f"{cell(paired(figures), 1, 2)} | {TARGETS[name]} | "
                       f"{verdict(ratio >= TARGETS[name])} | {results[name]['date']} |")
        out.append("")
    mixed = [n for n in results if n.startswith("mixed")]
    if mixed:
        out += ["| one connection, thousand commands a second | pure SET | SET and GET by turns | ratio | wanted | reached | measured |",
                "|---|---:|---:|---:|---:|---|---|"]
        for name in mixed:
            figures = results[name]["figures"]
            ratio = median(figures["mixed"]) / median(figures["set"])
            out.append(f"| {name.replace('mixed ', '')} | {cell(figures['set'], 1e3)} | {cell(figures['mixed'], 1e3)} | "
                       f"{ratio:.2f} | 0.5 | {verdict(ratio >= 0.5)} | {results[name]['date']} |")
        out.append("")
    if "memory" in results:
        figures = results["memory"]["figures"]
        ratio = median(figures["kiwi"]) / median(figures["redis"])
        out += ["| resident bytes a key (16 B key, 64 B value, a million, after a checkpoint) | redis-server 7.0 | Kiwi | ratio | wanted | reached | measured |",
                "|---|---:|---:|---:|---:|---|---|",
                f"| RSS less the empty server's | {cell(figures['redis'])} | {cell(figures['kiwi'])} | {ratio:.2f} | "
                f"at most 0.75 | {verdict(ratio <= 0.75)} | {results['memory']['date']} |", ""]
    if "restart" in results:
        figures = results["restart"]["figures"]
        base = median(figures["redis AOF"])
        out += ["| restart with a million keys | seconds until all is served | ratio to Redis with AOF | wanted | reached | measured |",
                "|---|---:|---:|---:|---|---|"]
        for what, values in figures.items():
            ratio = median(values) / base
            wanted = "at most 0.8" if what.startswith("kiwi") else ""
            out.append(f"| {what} | {cell(values, 1, 2)} | {ratio:.2f} | {wanted} | "
                       f"{verdict(ratio <= 0.8) if wanted else ''} | {results['restart']['date']} |")
        out.append("")
    return "\n".join(out)


def write(path, results):
    """Rewrites what stands between the two marks; the text around it is written by hand."""
    text = path.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n{tables(results)}{END}{tail}")
