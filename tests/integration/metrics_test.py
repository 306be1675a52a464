#!/usr/bin/env python3
"""Stories of the metrics endpoint: what it tells is right, and nobody who asks can do harm."""
import base64
import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

from cluster_group import Group
from exposition import get, parse, scrape, value
from resp import RespError, info
from server import ROOT, Server, free_port, wait_until
from stories import run_stories

STAGES = ["parse", "queue", "propose", "fsync", "commit", "apply", "reply"]
PATHS = ["/metrics/runtime", "/metrics/raft", "/metrics/storage"]
DOCUMENT = ROOT / "docs" / "metrics.md"


@contextlib.contextmanager
def metered(binary, **args):
    """A server with an endpoint, and its port: --metrics.x from metrics_x."""
    port = free_port()
    options = {"metrics.port": port}
    options.update({k.replace("__", ".").replace("_", "-"): v for k, v in args.items()})
    with Server(binary, options) as server:
        yield server, port


def every_line_is_right(binary):
    """Whatever has happened before, each path is valid, and /metrics is all of them."""
    with metered(binary) as (server, port):
        with server.client() as client:
            for command in (("SET", "a", "1"), ("GET", "a"), ("NOSUCH",), ("INCR", "a"), ("GET",),
                            ("CONFIG", "SET", "nosuch", "1"), ("HSET", "h", "f", "v"), ("GET", "h")):
                client.command(*command)
        whole = scrape(port)
        parts = {}
        for path in PATHS:
            part = scrape(port, path)
            assert part and not set(part) & set(parts), path
            parts.update(part)
        assert set(whole) == set(parts)
        assert get(port, "/health") == (200, "ok\n")


def a_known_load(binary):
    """After a load that is known to the command, the figures are just that."""
    with metered(binary) as (server, port), server.client() as client:
        before = scrape(port)
        for i in range(800):
            assert client.command("SET", f"k{i}", "x" * 100) == "OK"
        for i in range(400):
            assert client.command("GET", f"k{2 * i}") is not None
        client.pipeline([("GET", "none")] * 50)
        assert isinstance(client.command("INCR", "k0"), RespError)
        assert isinstance(client.command("GET"), RespError)
        after = wait_until("the last reply was counted", lambda: settled(port, 1253), 30, 0.1)

        def grown(name, sample="", **labels):
            return value(after, name, sample, **labels) - value(before, name, sample, **labels)

        assert grown("kiwi_commands_total", command="set") == 800
        assert grown("kiwi_commands_total", command="get") == 450
        assert grown("kiwi_commands_failed_total", command="incr") == 1
        assert grown("kiwi_commands_rejected_total", command="get") == 1
        assert grown("kiwi_error_replies_total") == 2
        assert grown("kiwi_requests_total", priority="normal") == 800 + 400 + 50 + 2
        assert grown("kiwi_keyspace_lookups_total", result="hit") == 400
        assert grown("kiwi_keyspace_lookups_total", result="miss") == 50
        assert value(after, "kiwi_clients") == 1
        assert grown("kiwi_network_bytes_total", direction="in") > 800 * 100
        assert grown("kiwi_storage_written_bytes_total", backend="rocksdb", store="log") > 800 * 100
        assert grown("kiwi_raft_commit_index", node="1") >= 800
        syncs = grown("kiwi_raft_log_syncs_total", node="1")
        assert syncs >= 800, "every write of one client waits for a sync of its own"
        assert grown("kiwi_raft_log_sync_seconds", "_count", node="1") == syncs
        assert grown("kiwi_storage_sync_seconds", "_count", backend="rocksdb", store="log") == syncs
        assert value(after, "kiwi_raft_role", node="1", role="leader") == 1
        assert value(after, "kiwi_raft_elections_won_total", node="1") == 1


def settled(port, requests):
    families = scrape(port)
    return families if value(families, "kiwi_requests_total", priority="normal") >= requests else None


def stages_of_reads_and_writes(binary):
    """A write goes through seven stages, a read through four; their sum is the whole; a switch ends it."""
    with metered(binary) as (server, port), server.client() as client:
        for i in range(800):
            client.command("SET", "k", i)
        for i in range(800):
            client.command("GET", "k")
        families = scrape(port)

        def count(command, stage, sample="_count"):
            return value(families, "kiwi_command_stage_seconds", sample, command=command, stage=stage)

        for stage in STAGES:
            assert 99 <= count("set", stage) <= 101, (stage, count("set", stage))
            read = 0 if stage in ("propose", "fsync", "commit") else 1
            assert 99 * read <= count("get", stage) <= 101 * read, (stage, count("get", stage))
        assert count("set", "fsync", "_sum") > count("set", "parse", "_sum"), "disks are slower"
        parts = sum(value(families, "kiwi_batch_stage_seconds", "_sum", stage=s, priority="normal")
                    for s in STAGES)
        whole = value(families, "kiwi_batch_seconds", "_sum", priority="normal")
        assert abs(parts - whole) < 0.001 * whole, (parts, whole)
        shown = info(client, "runtime")
        assert re.match(r"count=\d+,p50=\d+,p99=\d+,p99.9=\d+,sum=\d+$", shown["stage_fsync"]), shown

        assert client.command("CONFIG", "SET", "metrics.stages", "no") == "OK"
        client.command("PING")
        before = value(scrape(port), "kiwi_batch_seconds", "_count", priority="normal")
        for i in range(100):
            client.command("GET", "k")
        families = scrape(port)
        assert value(families, "kiwi_batch_seconds", "_count", priority="normal") == before
        assert value(families, "kiwi_commands_total", command="get") == 900, "others go on"


def priorities_have_series_of_their_own(binary):
    with metered(binary) as (server, port), server.client() as client:
        for priority, n in (("HIGH", 40), ("LOW", 24)):
            assert client.command("CLIENT", "PRIORITY", priority) == "OK"
            for _ in range(n):
                client.command("PING")
        families = wait_until("all are counted", lambda: counted_low(port), 30, 0.1)
        # CLIENT PRIORITY itself comes with the priority of before.
        assert value(families, "kiwi_requests_total", priority="high") == 41
        assert value(families, "kiwi_requests_total", priority="low") == 24
        for priority, n in (("high", 5), ("low", 3)):
            assert n - 1 <= value(families, "kiwi_batch_seconds", "_count", priority=priority) <= n + 1
        assert value(families, "kiwi_queue_taken_total", priority="low") >= 24


def counted_low(port):
    families = scrape(port)
    return families if value(families, "kiwi_requests_total", priority="low") >= 24 else None


def statistics_may_be_reset(binary):
    """CONFIG RESETSTAT is for INFO: a counter never falls."""
    with metered(binary) as (server, port), server.client() as client:
        for _ in range(10):
            client.command("SET", "k", "v")
        assert client.command("CONFIG", "RESETSTAT") == "OK"
        assert "cmdstat_set" not in info(client, "commandstats")
        assert value(scrape(port), "kiwi_commands_total", command="set") == 10


def trouble_is_told(binary):
    """A disk that is slow for a while: the breaker of Low and the syncs of the log show it."""
    with metered(binary, fault__enabled="yes", fault__file_layer="yes", metrics__rate_limit=0,
                 runtime__breaker__min_failures=4, runtime__breaker__open_ms=3600000,
                 runtime__breaker__timeout_low_ms=1) as (server, port), server.client(60) as operator:
        with server.client(60) as low:
            assert low.command("CLIENT", "PRIORITY", "LOW") == "OK"
            assert operator.command("FAULT.INJECT", "slow-disk", 100)
            families = wait_until("low opens", lambda: opened_low(low, port), 60, 0)
            assert value(families, "kiwi_breaker_opened_total", priority="low") == 1
            assert value(families, "kiwi_breaker_failures_total", priority="low", kind="timeout") >= 4
            assert value(families, "kiwi_breaker_state", priority="normal") == 0
            before = value(families, "kiwi_breaker_refused_total", priority="low")
            assert low.command("SET", "k", "v").startswith("TRYAGAIN")
            families = scrape(port)
            assert value(families, "kiwi_breaker_refused_total", priority="low") == before + 1
            slow = value(families, "kiwi_raft_log_sync_seconds", "_sum", node="1")
            assert slow >= 4 * 0.1, slow
            assert operator.command("FAULT.CLEAR") == 1


def opened_low(client, port):
    client.command("SET", "k", "v")
    families = scrape(port)
    return families if value(families, "kiwi_breaker_state", priority="low") == 1 else None


def while_pools_resize(binary):
    """Threads come and go under load and scrapes: totals never fall, and in the end nothing is lost."""
    with metered(binary, metrics__rate_limit=0) as (server, port):
        sent, failures, stop = [0] * 4, [], threading.Event()

        def work(n):
            try:
                with server.client() as client:
                    while not stop.is_set():
                        client.pipeline([("SET", f"k{n}", "v"), ("GET", f"k{n}")] * 20)
                        client.command("KEYS", "none")  # on a worker
                        sent[n] += 20
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        last = 0
        with server.client() as client:
            for round_ in range(12):
                for pool in ("network", "storage"):
                    size = 1 + round_ % 3
                    assert client.command("CONFIG", "SET", f"runtime.{pool}-threads-max", 3,
                                          f"runtime.{pool}-threads-min", size) == "OK"
                for _ in range(5):
                    total = value(scrape(port), "kiwi_commands_total", command="set")
                    assert total >= last, "a counter fell"
                    last = total
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures
        families = scrape(port)
        for command in ("set", "get"):
            assert value(families, "kiwi_commands_total", command=command) == sum(sent), command
        assert value(families, "kiwi_runtime_growths_total", runtime="storage") + value(
            families, "kiwi_runtime_threads_alive", runtime="storage") >= 1


def who_may_ask(binary):
    """Token and password; neither is shown by anything; both can be changed."""
    secret, other = "s3cret-token", "an-other-one"
    with metered(binary, metrics__token=secret, metrics__password="pa55-word", metrics__user="prom",
                 slowlog_log_slower_than=0, loglevel="debug") as (server, port):
        basic = base64.b64encode(b"prom:pa55-word").decode()
        for path in PATHS + ["/metrics", "/health", "/"]:
            for header in (None, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic " + secret}):
                assert get(port, path, header)[0] == 401, (path, header)
        for header in ({"Authorization": f"Bearer {secret}"}, {"Authorization": f"Basic {basic}"}):
            parse(get(port, headers=header)[1])
        with server.client() as client:
            shown = client.command("CONFIG", "GET", "metrics.*")
            assert shown[shown.index(b"metrics.token") + 1] == b""
            assert shown[shown.index(b"metrics.password") + 1] == b""
            assert client.command("CONFIG", "SET", "metrics.token", other) == "OK"
            assert client.command("CONFIG", "SET", "password", "yet-an-other") == "OK"
            assert get(port, headers={"Authorization": f"Bearer {secret}"})[0] == 401
            assert get(port, headers={"Authorization": f"Basic {basic}"})[0] == 401
            assert get(port, headers={"Authorization": f"Bearer {other}"})[0] == 200
            told = str(client.command("SLOWLOG", "GET", 100)) + str(client.command("INFO", "everything"))
        told += server.log.read_text()
        for word in (secret, other, "pa55-word", "yet-an-other", basic):
            assert word not in told, word


def not_too_often(binary):
    with metered(binary, metrics__rate_limit=5) as (server, port):
        answers = [get(port, "/health")[0] for _ in range(30)]
        assert answers[:5] == [200] * 5 and 429 in answers, answers
        with server.client() as client:
            assert client.command("CONFIG", "SET", "metrics.rate-limit", 0) == "OK"
            assert all(get(port, "/health")[0] == 200 for _ in range(30))
        assert value(scrape(port), "kiwi_metrics_requests_total", answer="limited") == answers.count(429)


def off_loopback_it_does_not_start(binary):
    """Without credentials an address that others reach stops the start, before any data is touched."""
    for bind in ("0.0.0.0", "10.1.2.3"):
        folder = f"/tmp/kiwi-metrics-{free_port()}"
        done = subprocess.run([binary, "--port", str(free_port()), "--dir", folder, "--metrics.port",
                               str(free_port()), "--metrics.bind", bind], capture_output=True, text=True,
                              timeout=20)
        said = done.stdout + done.stderr
        assert done.returncode > 0 and bind in said and "metrics.password" in said, (done, said)
        assert not pathlib.Path(folder).exists(), "data was made"
    with metered(binary) as (_, port):
        done = subprocess.run([binary, "--port", str(free_port()), "--dir", f"/tmp/kiwi-metrics-{port}",
                               "--metrics.port", str(port)], capture_output=True, text=True, timeout=20)
        subprocess.run(["rm", "-r", f"/tmp/kiwi-metrics-{port}"], check=True)
        assert done.returncode > 0 and "in use" in done.stdout + done.stderr, done


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setblocking(True)
    return sock


def hostile_http(binary):
    """Rubbish, silence, drips and clients that do not read: the server's own clients notice nothing."""
    with metered(binary, metrics__rate_limit=0, raft__fsync="no") as (server, port), \
            server.client(timeout=30) as client:
        rubbish = [b"\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"x" * 200_000, b"GET / HTTP/9.9\r\n\r\n",
                   b"GET /" + b"a" * 50_000 + b" HTTP/1.1\r\n\r\n", b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
                   b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"y" * 100_000,
                   b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
                   b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
                   b"GET /metrics HTTP/1.1\r\nAuthorization: Basic " + b"=" * 7000 + b"\r\n\r\n",
                   b"*1\r\n$4\r\nPING\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        for text in rubbish:
            with connect(port) as sock, contextlib.suppress(OSError):
                sock.sendall(text)
                sock.shutdown(socket.SHUT_WR)
                answer = sock.recv(65536)
                assert b"root:" not in answer
            assert client.command("PING") == "PONG"
        crowd = [connect(port) for _ in range(100)]
        for i, sock in enumerate(crowd):  # some silent, some half a request, some that never read
            with contextlib.suppress(OSError):
                sock.sendall((b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\n\r\n")[i % 3])
        slowest = 0.0
        end = time.monotonic() + 2
        while time.monotonic() < end:
            start = time.monotonic()
            assert client.command("SET", "k", "v") == "OK"
            slowest = max(slowest, time.monotonic() - start)
            with contextlib.suppress(OSError):
                crowd[0].sendall(b"G")  # a drip
        assert slowest < 10, f"a client of the server waited {slowest} s"
        for sock in crowd:
            sock.close()
        wait_until("the endpoint answers again", lambda: answers(port), 30)
        assert server.alive()


def answers(port):
    try:
        return get(port, "/health", timeout=5)[0] == 200
    except OSError:
        return False


def health(binary):
    """Without a leader: 503, and why. A stop takes no time because of the endpoint."""
    with Group(binary, {}) as group:
        port = free_port()
        lonely = group.followers()[0]
        lonely.stop()
        lonely.args["metrics.port"] = port
        lonely.start()
        wait_until("it knows the leader", lambda: get(port, "/health") == (200, "ok\n"), 20, 0.05)
        for server in group.servers:
            if server is not lonely:
                server.kill()
        status, body = wait_until("it misses the leader", lambda: unhealthy(port), 20, 0.05)
        assert (status, body) == (503, "no leader is known\n"), (status, body)
        start = time.monotonic()
        lonely.stop()
        assert time.monotonic() - start < 10


def unhealthy(port):
    answer = get(port, "/health")
    return answer if answer[0] != 200 else None


def a_group_of_three(binary):
    """The leader tells the lag of each follower; a follower times its clients' writes, too."""
    with Group(binary, {}) as group:
        ports = {}
        for server in group.servers:  # one after the other, so that each has a port of its own
            server.stop()
            ports[server] = server.args["metrics.port"] = free_port()
            server.start()
            group.leader()
        leader = group.leader()
        follower = group.followers()[0]
        ids = {s: str(i + 1) for i, s in enumerate(group.servers)}
        with follower.client() as client:
            for i in range(160):
                assert client.command("SET", f"k{i}", "v") == "OK"
        node = ids[leader]

        def arrived():  # the one that was not needed for a majority may come later
            shown = scrape(ports[leader])
            return None if any(value(shown, "kiwi_raft_peer_match_index", node=node, peer=ids[server]) < 100
                               for server in group.servers if server is not leader) else shown

        families = wait_until("both followers have the writes", arrived, 30, 0.1)
        for server in group.followers():
            peer = ids[server]
            assert value(families, "kiwi_raft_link_up", node=node, peer=peer) == 1
            assert value(families, "kiwi_raft_link_bytes_total", node=node, peer=peer,
                         direction="out") > 1000
        assert value(families, "kiwi_raft_elections_won_total", node=node) >= 1
        assert value(families, "kiwi_raft_messages_total", node=node, type="append",
                     direction="out") >= 100
        theirs = scrape(ports[follower])
        assert value(theirs, "kiwi_raft_leader", node=ids[follower]) == float(node)
        for stage, expected in (("propose", 1), ("commit", 1), ("fsync", 0), ("apply", 1)):
            count = value(theirs, "kiwi_command_stage_seconds", "_count", command="set", stage=stage)
            assert 19 * expected <= count <= 21 * expected, (stage, count)


def what_was_refused_is_counted(binary):
    """Errors by their first word, and connections to the raft port that came to nothing."""
    with metered(binary, raft__port=free_port()) as (server, port), server.client() as client:
        client.command("SET", "text", "x")
        client.command("HSET", "text", "f", "v")
        client.command("RAFT.NODE", "REMOVE", "9")
        before = value(scrape(port), "kiwi_raft_refused_total", node="1", error="corrupt")
        with socket.create_connection(("127.0.0.1", int(server.args["raft.port"])), timeout=10) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert stranger.recv(1) == b""
        families = scrape(port)
        assert before == 0 and value(families, "kiwi_raft_refused_total", node="1", error="corrupt") == 1
        assert value(families, "kiwi_errors_total", code="WRONGTYPE") == 1
        assert value(families, "kiwi_errors_total", code="ERR") == 1
        assert value(families, "kiwi_error_replies_total") == 2


def the_last_while(binary):
    """A history of key figures, in INFO and RAFT.STATUS, no longer than it may be."""
    with metered(binary, metrics__interval_ms=100, metrics__retention_seconds=1) as (server, _):
        with server.client() as client:
            client.command("SET", "k", "v")
            wait_until("ten samples", lambda: len(history(client)) == 10, 20, 0.05)
            first = history(client)[0]
            wait_until("older ones go", lambda: first not in history(client), 20, 0.05)
            assert len(history(client)) == 10
            samples = client.command("RAFT.STATUS", "HISTORY")
            names = [name.decode() for name in samples[-1][::2]]
            assert len(samples) == 10 and "commit_index" in names, samples[-1]
            times = [sample[1] for sample in samples]
            assert times == sorted(set(times)), times
            assert samples[-1][2 * names.index("commit_index") + 1] >= 1
            assert "history_0" not in info(client, "everything"), "only when it is asked for"
            assert client.command("CONFIG", "SET", "metrics.retention-seconds", 2) == "OK"
            wait_until("more may stay", lambda: len(history(client)) > 10, 20, 0.05)


def history(client):
    return [line for name, line in info(client, "history").items() if name.startswith("history_")]


def the_document_is_true(binary):
    """docs/metrics.md names every family with its type, labels and meaning, and no other."""
    with metered(binary) as (server, port), server.client() as client:
        for _ in range(16):
            client.command("SET", "a", "1")
        for path in PATHS:
            families = scrape(port, path)
            section = DOCUMENT.read_text().split(f"\n## {path}\n")[1].split("\n## ")[0]
            rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", section, re.MULTILINE)
            documented = {name: (kind, labels, text) for name, kind, labels, text in rows}
            assert list(documented) == list(families), "\n".join(
                f"{path}: only in one of the two: {n}" for n in set(documented) ^ set(families))
            for name, family in families.items():
                kind, labels, text = documented[name]
                assert (kind, text) == (family.type, family.help), f"| `{name}` | {family.type} | … | {family.help} |"
                named = set(labels.replace("`", "").replace(" ", "").split(",")) - {""}
                assert not family.samples or named == family.label_names(), (name, named)


if __name__ == "__main__":
    sys.exit(run_stories([every_line_is_right, a_known_load, stages_of_reads_and_writes,
                          priorities_have_series_of_their_own, statistics_may_be_reset, trouble_is_told,
                          while_pools_resize, who_may_ask, not_too_often,
                          off_loopback_it_does_not_start, hostile_http, health, a_group_of_three,
                          what_was_refused_is_counted, the_last_while, the_document_is_true], __doc__))
