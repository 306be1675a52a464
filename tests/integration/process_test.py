#!/usr/bin/env python3
"""Stories of the server as a process: starting, stopping, being configured, being full, being busy."""
import pathlib
import subprocess
import sys
import tempfile
import threading

from load import Writer
from resp import Client, RespError, encode, info
from server import Server, free_port, wait_until
from stories import run_stories


def written_killed_read(binary):
    """The README's promise: set, kill -9, start, get."""
    with Server(binary) as server:
        with server.client() as client:
            assert client.command("SET", "a", 1) == "OK"
        server.kill()
        server.start()
        with server.client() as client:
            assert client.command("GET", "a") == b"1"


def stop_under_load(binary):
    """SIGTERM while clients write: exit code 0, and what was acknowledged is there."""
    with Server(binary) as server:
        writers = [Writer(f"w{i}", server) for i in range(3)]
        for writer in writers:
            writer.tolerate = "."  # whatever a server that is leaving says
            writer.start()
        wait_until("the load runs", lambda: all(w.acked > 300 for w in writers), 20)
        assert server.stop() == 0, server.log_tail()
        for writer in writers:
            writer.join(30)
        server.start()
        with server.client(60) as client:
            for writer in writers:
                writer.check(client)


def one_server_a_folder(binary):
    """A second server on the same folder is refused, says why, and does no harm."""
    with Server(binary) as first:
        with first.client() as client:
            client.command("SET", "mine", "yes")
        second = Server(binary, folder=first.folder)
        second.log = pathlib.Path(str(first.log) + ".second")
        try:
            second.start(wait=False)
            assert second.wait_exit(20) != 0
            assert str(first.folder) in second.log_tail(), second.log_tail()
        finally:
            second.remove()
        with first.client() as client:
            assert client.command("GET", "mine") == b"yes"


def bad_configuration(binary):
    """A bad value stops the start: file, line, key, value, and what is allowed."""
    with tempfile.TemporaryDirectory(prefix="kiwi-config-") as folder:
        path = pathlib.Path(folder) / "bad.conf"
        for text, words in (
                ("[network]\nport = 70000\n", [str(path), "2", "port", "70000", "65535"]),
                ("[raft]\n\nfsync = sometimes\n", [str(path), "3", "fsync", "sometimes", "everysec"]),
                ("[network]\nprot = 1\n", [str(path), "2", "prot", "port"]),
                ("[raft]\nheartbeat-ms = 500\nelection-timeout-min-ms = 600\n", ["heartbeat", "600"])):
            path.write_text(text)
            done = subprocess.run([binary, str(path), "--dir", f"{folder}/data"], capture_output=True,
                                  text=True, timeout=20)
            said = done.stdout + done.stderr
            assert done.returncode not in (0, None) and done.returncode > 0, (text, done.returncode)
            missing = [w for w in words if w not in said]
            assert not missing, f"{text!r}: {missing} is not in: {said}"
        done = subprocess.run([binary, "--port", "none"], capture_output=True, text=True, timeout=20)
        assert done.returncode > 0 and "port" in done.stdout + done.stderr


def rewritten_configuration(binary):
    """CONFIG SET and REWRITE, and a start from what was written."""
    with tempfile.TemporaryDirectory(prefix="kiwi-config-") as folder:
        path, port = pathlib.Path(folder) / "kiwi.conf", free_port()
        path.write_text(f"# kept\n[network]\nport = {port}\n[storage]\ndir = {folder}/data\n")
        for expected in (b"0", b"77"):
            process = subprocess.Popen([binary, str(path)], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            try:
                wait_until("the server answers", lambda: answers(port), 30)
                with Client(port) as client:
                    assert client.command("CONFIG", "GET", "timeout") == [b"timeout", expected]
                    assert client.command("CONFIG", "SET", "timeout", 77) == "OK"
                    assert client.command("CONFIG", "REWRITE") == "OK"
                process.terminate()
                assert process.wait(20) == 0
            finally:
                process.kill()
                process.wait(10)
        assert "# kept" in path.read_text()


def answers(port):
    try:
        with Client(port, timeout=5) as client:
            return client.command("PING") == "PONG"
    except OSError:
        return False


def unix_socket(binary):
    with tempfile.TemporaryDirectory(prefix="kiwi-sock-") as folder:
        path = f"{folder}/kiwi.sock"
        with Server(binary, {"unixsocket": path, "unixsocketperm": "700"}) as _:
            with Client(path=path) as client:
                assert client.pipeline([("SET", "u", 1), ("GET", "u")]) == ["OK", b"1"]


def bounded_disk(binary):
    """The same few keys, written again and again: the folder stays small, since the log is compacted."""
    args = {"raft.snapshot-entries": 200, "raft.snapshot-bytes": "1mb", "raft.log-write-buffer-bytes": "2mb",
            "raft.fsync": "no"}
    with Server(binary, args) as server:
        value = b"v" * 1000
        with server.client(60) as client:
            for _ in range(600):  # 180 MB of writes
                replies = client.pipeline([("SET", f"k{i}", value) for i in range(300)])
                assert replies == ["OK"] * 300, replies[0]
        wait_until("the folder is small", lambda: folder_bytes(server.folder) < 60 << 20, 30, 0.2)
        server.kill()
        server.start()
        with server.client() as client:
            assert client.command("DBSIZE") == 300


def folder_bytes(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            pass
    return total


def full_memory(binary):
    """maxmemory without eviction: writes that need memory are refused, everything else goes on."""
    with Server(binary) as server:
        with server.client(60) as client:
            assert client.command("SET", "kept", "x") == "OK"
            used = int(info(client, "memory")["used_memory"])
            assert client.command("CONFIG", "SET", "maxmemory", used + (8 << 20)) == "OK"
            refused = None
            for i in range(2000):
                reply = client.command("SET", f"big:{i}", b"x" * 65536)
                if isinstance(reply, RespError):
                    refused = reply
                    break
            assert refused and refused.startswith("OOM command not allowed"), refused
            assert client.command("GET", "kept") == b"x"
            assert client.command("DEL", *(f"big:{j}" for j in range(i))) == i
            wait_until("there is memory again", lambda: client.command("SET", "again", 1) == "OK", 10, 0.05)


def pipelines_keep_their_order(binary):
    """Reads and writes by turns in deep pipelines of several connections: each reply in its place."""
    def talk(server, who, failures):
        try:
            with server.client(60) as client:
                for start in range(0, 3000, 300):
                    commands, expected = [], []
                    for i in range(start, start + 300):
                        commands += [("SET", who, i), ("GET", who), ("INCR", f"{who}:n"), ("STRLEN", who),
                                     ("HSET", f"{who}:h", i, i), ("HGET", f"{who}:h", i), ("PING", i)]
                        text = str(i).encode()
                        expected += ["OK", text, i + 1, len(text), 1, text, text]
                    got = client.pipeline(commands)
                    if got != expected:
                        at = next(j for j, pair in enumerate(zip(got, expected)) if pair[0] != pair[1])
                        failures.append(f"{who}: {commands[at]} got {got[at]!r}, not {expected[at]!r}")
                        return
        except Exception as error:  # reported by the main thread
            failures.append(f"{who}: {error}")

    with Server(binary) as server:
        failures = []
        threads = [threading.Thread(target=talk, args=(server, f"c{i}", failures)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not failures, failures[0]


def large_values(binary):
    """Values far beyond any buffer, both ways, and what a restart finds of them."""
    with Server(binary) as server:
        value = bytes(range(256)) * (64 << 12)  # 64 MiB
        with server.client(60) as client:
            assert client.command("SET", "large", value) == "OK"
            assert client.command("GET", "large") == value
            assert client.command("SETRANGE", "large", len(value), "end") == len(value) + 3
            assert client.command("GETRANGE", "large", -5, -1) == value[-2:] + b"end"
        server.kill()
        server.start()
        with server.client(60) as client:
            assert client.command("STRLEN", "large") == len(value) + 3
            assert client.command("GET", "large") == value + b"end"


def a_large_reply_taken_at_once_does_not_stop_its_connection(binary):
    """More than reply-backlog-bytes at once pauses a connection; it goes on once the socket took it."""
    with Server(binary) as server, server.client() as client:
        for megabytes in (2, 4, 8):
            value = b"v" * (megabytes << 20)
            assert client.command("SET", "large", value) == "OK"
            for i in range(5):
                assert client.command("GET", "large") == value
                assert client.command("SET", f"after:{i}", "x" * 50000) == "OK"


def clients_are_limited_before_auth(binary):
    with Server(binary) as server:
        with server.client() as client:
            assert client.command("CONFIG", "SET", "requirepass", "secret") == "OK"
        with server.client() as client:
            assert client.command("GET", "a").startswith("NOAUTH")
            client.send(b"*100\r\n")
            assert client.read().startswith("ERR Protocol error: unauthenticated multibulk length")
        with server.client() as client:
            assert client.pipeline([("AUTH", "secret"), ("PING",)]) == ["OK", "PONG"]
            assert isinstance(client.command("HELLO", 3, "AUTH", "default", "secret"), dict)
            client.send(encode("CONFIG", "SET", "requirepass", ""))
            assert client.read() == "OK"


STORIES = [written_killed_read, stop_under_load, one_server_a_folder, bad_configuration,
           rewritten_configuration, unix_socket, bounded_disk, full_memory, pipelines_keep_their_order,
           large_values, a_large_reply_taken_at_once_does_not_stop_its_connection,
           clients_are_limited_before_auth]


if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
