#!/usr/bin/env python3
"""A backup taken under write load is one moment of the data, holds all that was acknowledged before
it, and becomes a server of its own; what is no backup, or no empty directory, is refused.
"""
import argparse
import pathlib
import shutil
import subprocess
import tempfile
import threading

from resp import RespError
from server import Server, free_port, wait_until

WRITERS = 4


class Load:
    """Writers that each count up, and write the key of each number in the same transaction."""

    def __init__(self, server):
        self.server = server
        self.acknowledged = [0] * WRITERS
        self.stop = threading.Event()
        self.failure = None
        self.threads = [threading.Thread(target=self._write, args=(i,)) for i in range(WRITERS)]

    def _write(self, writer):
        try:
            with self.server.client(timeout=60) as client:
                while not self.stop.is_set():
                    n = self.acknowledged[writer] + 1
                    client.command("MULTI")
                    client.command("SET", f"count:{writer}", n)
                    client.command("SET", f"key:{writer}:{n}", "v" * (n % 2000))
                    client.command("HSET", f"hash:{writer}", f"field {n}", n)
                    reply = client.command("EXEC")
                    assert not isinstance(reply, RespError), reply
                    self.acknowledged[writer] = n
        except Exception as error:  # told by the main thread
            self.failure = error

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise self.failure


def backup(server, path):
    with server.client(timeout=60) as client:
        reply = client.command("RAFT.BACKUP", path)
    assert not isinstance(reply, RespError), reply
    report = {reply[i].decode(): reply[i + 1] for i in range(0, len(reply), 2)}
    file = pathlib.Path(report["path"].decode())
    assert file.stat().st_size == report["bytes"] > 0, report
    assert report["index"] > 0 and report["term"] > 0, report
    return file


def restored(binary, file, work, name, args):
    return Server(binary, args={"restore-from": file, **args}, folder=work / name)


def check_moment(client, at_least):
    """Each writer's keys are those up to its count, and none behind it."""
    keys = 0
    for writer in range(WRITERS):
        count = int(client.command("GET", f"count:{writer}") or 0)
        assert count >= at_least[writer], f"writer {writer}: {count} < {at_least[writer]} acknowledged"
        assert client.command("HLEN", f"hash:{writer}") == count
        for n in range(1, count + 1):
            assert client.command("STRLEN", f"key:{writer}:{n}") == n % 2000, f"key:{writer}:{n}"
        keys += count + 2
    assert client.command("DBSIZE") == keys + 1, "nothing from behind the moment"


def test_under_load(binary, work, args):
    with Server(binary, args=args, folder=work / "first") as server:
        with server.client() as client:
            client.command("SET", "large", "L" * 3_000_000)
        with Load(server) as load:
            wait_until("writes flow", lambda: min(load.acknowledged) > 200, 60)
            before = list(load.acknowledged)
            file = backup(server, "monday")
            assert file == server.folder / "monday", file
            wait_until("writes go on", lambda: min(
                a - b for a, b in zip(load.acknowledged, before)) > 50, 60)
        # Quiet now: the next backup holds exactly what the server holds.
        second = backup(server, work / "tuesday")
        with server.client() as client:
            digest = client.command("DEBUG", "DIGEST")
            refused = client.command("RAFT.BACKUP", work / "tuesday")
            assert isinstance(refused, RespError) and "exists" in str(refused), refused
            refused = client.command("RAFT.BACKUP", "../outside")
            assert isinstance(refused, RespError) and "data directory" in str(refused), refused
            refused = client.command("RAFT.BACKUP", work / "no such folder" / "x")
            assert isinstance(refused, RespError) and "No such file" in str(refused), refused

    with restored(binary, file, work, "of monday", args) as server:
        with server.client() as client:
            check_moment(client, before)
    with restored(binary, second, work, "of tuesday", args) as server:
        with server.client() as client:
            assert client.command("DEBUG", "DIGEST") == digest
            assert client.command("SET", "written", "afterwards") == "OK"
        # Once more with the option would be a restore over data.
        server.stop()
        output = subprocess.run(server.command_line(), capture_output=True, timeout=30, check=False)
        assert output.returncode != 0 and b"empty data directory" in output.stderr, output.stderr
        del server.args["restore-from"]
        server.start()
        server.kill()
        server.start()
        with server.client() as client:
            assert client.command("GET", "written") == b"afterwards"
            client.command("DEL", "written")
            assert client.command("DEBUG", "DIGEST") == digest


def test_refusals(binary, work, args):
    damaged = work / "damaged"
    content = bytearray((work / "tuesday").read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    cut = work / "cut"
    cut.write_bytes((work / "tuesday").read_bytes()[:-1])
    for file in (damaged, cut, work / "not there"):
        folder = work / "refused"
        line = Server(binary, args={"restore-from": file, **args}, folder=folder,
                      port=free_port()).command_line()
        output = subprocess.run(line, capture_output=True, timeout=30, check=False)
        assert output.returncode != 0 and str(file).encode() in output.stderr, output.stderr
        assert [f.name for f in folder.iterdir()] in ([], ["LOCK"]), list(folder.iterdir())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    options = parser.parse_args()
    for backend in ("rocksdb", "leveldb"):
        work = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-backup-"))
        try:
            args = {"storage.backend": backend}
            test_under_load(options.server, work, args)
            test_refusals(options.server, work, args)
            print(f"{backend}: ok")
        finally:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
