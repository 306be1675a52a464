#!/usr/bin/env python3
"""Stories of kiwi-ctl: the local cluster that it starts, and what it says when there is nobody to talk to."""
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from resp import Client, encode, info
from server import TOOL_PORTS, Server, free_port, is_free, wait_until
from stories import run_stories


def path_of(binary):
    return pathlib.Path(binary).with_name("kiwi-ctl")


def tool(binary, *words, timeout=60, env=None):
    return subprocess.run([path_of(binary), *map(str, words)], capture_output=True, text=True, timeout=timeout,
                          check=False, env={**os.environ, **(env or {})})


class LocalCluster:
    """`kiwi-ctl cluster create` on free ports, in a folder of its own."""

    def __init__(self, binary, *server_args):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-tool-"))
        free = [p for p in TOOL_PORTS if is_free(p) and is_free(p + 10_000)]  # the raft ports are 10000 above
        self.ports = random.SystemRandom().sample(free, 3)
        self.out = self.folder / "out"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                [path_of(binary), "cluster", "create", "--dir", self.folder / "data",
                 "--ports", ",".join(map(str, self.ports)), "--", *server_args], stdout=out, stderr=out)

    def __enter__(self):
        try:
            wait_until(f"it says in {self.out} that they serve", lambda: "3 nodes serve" in self.said(), 30)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def said(self):
        return self.out.read_text()

    def say(self, node, *command):
        with Client(self.ports[node], timeout=30) as client:
            return client.command(*command)

    def pid(self, node):
        with Client(self.ports[node]) as client:
            return int(info(client, "server")["process_id"])

    def leader(self):
        roles = [self.say(i, "ROLE")[0] for i in range(3)]
        return roles.index(b"master")


def a_killed_node_leaves_the_others(binary):
    """What README says: kill one of them, the leader if you like, and the other two go on."""
    with LocalCluster(binary) as cluster:
        leader = cluster.leader()
        other = (leader + 1) % 3
        assert cluster.say(leader, "SET", "kept", "yes") == "OK"
        os.kill(cluster.pid(leader), signal.SIGKILL)
        wait_until("the tool tells", lambda: f"node {leader + 1} has ended (killed by signal 9)" in cluster.said(), 30)
        wait_until("another serves", lambda: cluster.say(other, "SET", "after", "kill") == "OK", 30)
        assert cluster.say(other, "GET", "kept") == b"yes"
        assert cluster.process.poll() is None, cluster.said()

        # The line that it prints brings the node back.
        line = re.search(r"in another terminal: (.*)", cluster.said()).group(1)
        again = subprocess.Popen(f"exec {line}", shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def back():
                try:
                    return cluster.say(leader, "GET", "after") == b"kill"
                except OSError:
                    return False
            wait_until("it is back", back, 30)
        finally:
            again.terminate()
            again.wait(20)
        for node in {0, 1, 2} - {leader}:
            os.kill(cluster.pid(node), signal.SIGKILL)
        assert cluster.process.wait(20) == 1
        assert "all nodes have ended" in cluster.said()


def a_paused_node_has_not_ended(binary):
    with LocalCluster(binary, "--fault.enabled", "yes") as cluster:
        assert cluster.say(1, "FAULT.INJECT", "pause", 100) >= 1
        assert cluster.say(1, "SET", "a", "b") == "OK"
        assert "has ended" not in cluster.said()


def a_node_that_cannot_start_is_told_of(binary):
    folder = tempfile.mkdtemp(prefix="kiwi-tool-")
    try:
        ports = ",".join(str(free_port()) for _ in range(2))
        refused = tool(binary, "cluster", "create", "--dir", folder, "--ports", ports)
        assert refused.returncode == 1 and "a node has ended; its log in" in refused.stderr, refused
        log = pathlib.Path(folder, "node1.log").read_text()
        assert "two members" in log, log
    finally:
        shutil.rmtree(folder)


def nobody_there(binary):
    """It says within a second why it waits, and gives up when it was told to."""
    port = free_port()
    for command in (["status"], ["remove", "2"], ["snapshot"]):
        begin = time.monotonic()
        result = tool(binary, "--node", f"127.0.0.1:{port}", "--timeout", "2", *command)
        assert result.returncode == 1 and result.stdout == "", result
        assert re.search(r"Connection refused; trying again for [12] s \(--timeout\)", result.stderr), result
        assert 1.9 < time.monotonic() - begin < 20, "it tries until the time is over"


def a_server_that_comes_late(binary):
    """What cannot be said yet is said later."""
    server = Server(binary)
    waiting = subprocess.Popen([path_of(binary), "--node", f"127.0.0.1:{server.port}", "snapshot"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "trying again" in waiting.stderr.readline()
        server.start()
        assert waiting.communicate(timeout=30)[0] == "OK\n"
        assert waiting.returncode == 0
    finally:
        waiting.kill()
        server.remove()


def without_a_majority(binary):
    """The one node that is left is shown as it is; a change says that there is no leader, not which dial failed."""
    with LocalCluster(binary) as cluster:
        left, *others = range(3)
        for node in others:
            os.kill(cluster.pid(node), signal.SIGKILL)
        node = f"127.0.0.1:{cluster.ports[left]}"
        wait_until("it knows", lambda: b"leader_id:0" in cluster.say(left, "INFO", "raft"), 30)
        shown = tool(binary, "--node", node, "status")
        assert shown.returncode == 0 and "no leader" in shown.stdout, shown
        refused = tool(binary, "--node", node, "--timeout", "2", "remove", "2")
        assert refused.returncode == 1, refused
        assert "node 1 answers, and knows no leader" in refused.stderr.splitlines()[-1], refused


def a_node_that_falls_silent(binary):
    """It was heard before the time was over: what it said is told, not that the last try came to no answer."""
    said = encode("node_id", "1", "role", "follower", "members", "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer_twice():
            for _ in range(2):
                with listener.accept()[0] as client:
                    client.recv(1000)
                    client.sendall(said)
        node = threading.Thread(target=answer_twice, daemon=True)
        node.start()
        refused = tool(binary, "--node", f"127.0.0.1:{listener.getsockname()[1]}", "--timeout", "2", "remove", "2")
        node.join(30)
    assert refused.returncode == 1, refused
    assert "node 1 answers, and knows no leader" in refused.stderr.splitlines()[-1], refused


def passwords(binary):
    server = Server(binary, {"requirepass": "secret"})
    try:
        server.start(wait=False)
        node = ["--node", f"127.0.0.1:{server.port}"]
        for words, env in ((["--password", "secret"], {}), ([], {"REDISCLI_AUTH": "secret"})):
            shown = tool(binary, *node, *words, "status", env=env)
            assert shown.returncode == 0 and "leader 1" in shown.stdout, shown
        begin = time.monotonic()
        for words in ([], ["--password", "wrong"]):
            for command in ("status", "snapshot"):
                refused = tool(binary, *node, *words, command, env={"REDISCLI_AUTH": ""})
                assert refused.returncode == 1 and re.search("NOAUTH|WRONGPASS", refused.stderr), refused
        assert time.monotonic() - begin < 20, "the same answer is not asked for again and again"
    finally:
        server.remove()


def words_that_make_no_sense(binary):
    for words in ([], ["frob"], ["add"], ["add", "1"], ["status", "more"], ["snapshot", "now"], ["fault"],
                  ["cluster"], ["--node"], ["--node", "x", "status"], ["--timeout", "0", "status"]):
        result = tool(binary, *words)
        assert result.returncode == 1 and result.stdout == "" and result.stderr, (words, result)
    for words in (["--help"], ["help"], ["status", "--help"], ["cluster", "create", "--help"]):
        result = tool(binary, *words)
        assert result.returncode == 0 and "transfer" in result.stdout and not result.stderr, (words, result)


def maps_are_readable(binary):
    with Server(binary, {"fault.enabled": "yes", "raft.port": free_port()}) as server:
        run = lambda *words: tool(binary, "--node", f"127.0.0.1:{server.port}", *words).stdout
        assert re.search(r"^bytes +\d+$", run("backup", "copy"), re.M)
        assert run("fault", "inject", "delay", "ms", "5", "to", "2") == "1\n"
        assert re.search(r"^kind +delay\n(.*\n)*amount +5$", run("fault", "list"), re.M)
        assert re.search(r"^event +inject delay", run("fault", "log"), re.M)
        lost = tool(binary, "--node", f"127.0.0.1:{server.port}", "fault", "inject", "crash")
        assert lost.returncode == 2 and "not known" in lost.stderr, lost


STORIES = (words_that_make_no_sense, nobody_there, a_server_that_comes_late, a_node_that_falls_silent,
           passwords, maps_are_readable, a_node_that_cannot_start_is_told_of, a_killed_node_leaves_the_others, a_paused_node_has_not_ended,
           without_a_majority)

if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
