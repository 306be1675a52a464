"""Prometheus's text format: asks a server for it and reads it, refusing every line that is not right."""
import dataclasses
import http.client
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"^({NAME})(?:\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


@dataclasses.dataclass
class Family:
    help: str = ""
    type: str = ""
    # (name of the sample, ((label, value), …) in order) → value
    samples: dict = dataclasses.field(default_factory=dict)

    def label_names(self):
        return {name for _, labels in self.samples for name, _ in labels} - {"le"}


def get(port, path="/metrics", headers=None, method="GET", timeout=20):
    """The status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scrape(port, path="/metrics", headers=None):
    status, body = get(port, path, headers)
    assert status == 200, (status, body)
    return parse(body)


def parse(text):
    """Families by name. Raises for a line that is malformed, out of place, or told twice."""
    assert text.endswith("\n"), "the last line has no end"
    families, current = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, text_of = line[7:].split(" ", 1)
            assert name not in families, f"{name} comes twice"
            families[name] = current = Family(help=text_of)
            current_name = name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert current is not None and name == current_name and not current.type, line
            assert kind in ("counter", "gauge", "histogram"), line
            current.type = kind
        else:
            add_sample(line, current_name, current)
    for name, family in families.items():
        assert family.type and family.help, f"{name} has no TYPE or no HELP"
        check_name(name, family.type)
        if family.type == "histogram":
            check_histogram(name, family)
    return families


def add_sample(line, name, family):
    match = SAMPLE.match(line)
    assert match and family.type, f"not a sample: {line!r}"
    suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
    assert match[1] in [name + s for s in suffixes], f"{line!r} stands under {name}"
    text, labels, at = match[2] or "", [], 0
    while at < len(text):
        label = LABEL.match(text, at)
        assert label, f"labels of {line!r}"
        labels.append((label[1], label[2]))
        at = label.end()
    assert len({n for n, _ in labels}) == len(labels), f"a label twice: {line!r}"
    key = (match[1], tuple(sorted(labels)))
    assert key not in family.samples, f"a series twice: {line!r}"
    family.samples[key] = float(match[3])
    assert family.type == "gauge" or family.samples[key] >= 0, line


def check_name(name, kind):
    assert name.startswith("kiwi_"), name
    assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
    for unit in ("_ms", "_us", "_ns", "_kb", "_mb"):
        assert unit not in name, f"{name} is not in base units"


def check_histogram(name, family):
    series = {}
    for (sample, labels), value in family.samples.items():
        bound = dict(labels).get("le")
        assert (bound is not None) == sample.endswith("_bucket"), (sample, labels)
        others = tuple(l for l in labels if l[0] != "le")
        one = series.setdefault(others, {"buckets": []})
        if bound is None:
            one[sample.rsplit("_", 1)[1]] = value
        else:
            one["buckets"].append((float(bound), value))
    for labels, one in series.items():
        bounds, counts = zip(*one["buckets"])
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == float("inf"), (name, labels)
        assert list(counts) == sorted(counts), f"{name}{labels}: buckets are not cumulative"
        assert counts[-1] == one["count"] and "sum" in one, (name, labels)


def value(families, name, sample="", **labels):
    """Of one series; sample: _sum or _count of a histogram. 0 where the series is not there."""
    family = families[name]
    return family.samples.get((name + sample, tuple(sorted(labels.items()))), 0.0)
