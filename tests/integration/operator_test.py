#!/usr/bin/env python3
"""Stories of what operators do to a group, by kiwi-ctl and by hand, and of what they are told."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from cluster_group import Group  # noqa: E402
from group import Cluster, Node, as_dict  # noqa: E402
from resp import RespError  # noqa: E402
from server import Server, free_port, wait_until  # noqa: E402
from stories import run_stories  # noqa: E402


# Where a story keeps to a leader or counts terms: a busy machine elects nobody by itself.
ELECTION = "raft.election-timeout-min-ms"
STEADY = {ELECTION: 1500}


def tool(binary, node, *words, timeout=60):
    """kiwi-ctl beside the server, told of one node."""
    path = pathlib.Path(binary).with_name("kiwi-ctl")
    command = [path, "--node", f"127.0.0.1:{node.port}", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def done(result):
    assert result.returncode == 0, result
    return result.stdout


def members(node):
    return {m["id"]: m["role"] for m in map(as_dict, node.status().get("members", []))}


class Running:
    """`with Running(binary) as cluster`; the nodes' logs are shown when a story fails."""

    def __init__(self, binary, options=None):
        self.cluster = Cluster(3, binary, options)

    def __enter__(self):
        try:
            return self.cluster.start()
        except BaseException as error:
            self.__exit__(type(error))
            raise

    def __exit__(self, kind, *unused):
        if kind:
            for node in [*self.cluster.nodes.values(), *self.cluster.removed]:
                print(f"--- node {node.id}\n{node.server.log_tail(20)}", file=sys.stderr)
        self.cluster.remove()


def backup_and_restore(binary):
    """A backup of a group, taken by the tool, is a server of its own with the same keys."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-operator-"))
    try:
        with Running(binary, STEADY) as cluster:
            for i in range(100):
                assert cluster.leader().ask("SET", f"key{i}", i) == "OK"
            follower = next(n for n in cluster.nodes.values() if not n.leads())
            wait_until("the follower has all", lambda: follower.ask("DBSIZE") == 101, 30)
            shown = done(tool(binary, follower, "backup", work / "copy"))
            assert "path" in shown and "copy" in shown, shown
            again = tool(binary, follower, "backup", work / "copy")
            assert again.returncode == 1 and "exists" in again.stderr, again
            assert done(tool(binary, follower, "snapshot")).strip() == "OK"
        port = free_port()
        restored = Server(binary, port=port, folder=work / "data")  # only to talk to it
        with open(work / "log", "wb") as log:
            restored.process = subprocess.Popen(
                [pathlib.Path(binary).with_name("kiwi-ctl"), "restore", work / "copy", work / "data",
                 "--port", str(port), "--bind", "127.0.0.1"], stdout=log, stderr=log)
        try:
            restored.wait_ready()
            with restored.client() as client:
                assert client.command("DBSIZE") == 101
                assert client.command("GET", "key99") == b"99"
                assert client.command("SET", "more", "x") == "OK"
            assert restored.stop() == 0
        finally:
            restored.kill()
    finally:
        shutil.rmtree(work, ignore_errors=True)


def members_by_tool(binary):
    """join, add, promote and remove, each told to any node."""
    with Running(binary) as cluster:
        follower = next(n for n in cluster.nodes.values() if not n.leads())
        assert follower.ask("SET", "a", "b") == "OK"
        new = cluster.join(4)
        cluster.removed.append(new)
        done(tool(binary, new, "join", f"127.0.0.1:{follower.raft_port}"))
        wait_until(f"node 4 votes; {new.server.log_tail()}", lambda: members(follower).get(4) == "voter", 30)
        assert new.ask("GET", "a") == b"b"
        assert done(tool(binary, new, "promote", 4)).strip() == "OK"  # it does already

        done(tool(binary, follower, "add", 9, f"127.0.0.1:{free_port()}"))
        refused = tool(binary, follower, "promote", 9)
        assert refused.returncode == 1 and "caught up" in refused.stderr, refused
        assert "learner" in done(tool(binary, follower, "status"))
        done(tool(binary, follower, "remove", 9))
        refused = tool(binary, follower, "add", 9, f"127.0.0.1:{free_port()}")
        assert refused.returncode == 1 and "used before" in refused.stderr, refused
        done(tool(binary, follower, "remove", 4))
        wait_until("node 4 knows", lambda: new.status().get("part") == "removed", 30)
        refused = tool(binary, follower, "accept-loss")
        assert refused.returncode == 1 and "lost nothing" in refused.stderr, refused
        cluster.wait_serving()


def a_joiner_under_another_leader(binary):
    """Whoever took it in has compacted its log for it. The next leader's still reaches back to the beginning,
    and a joiner takes nothing but a snapshot: the leader makes one by itself."""
    with Running(binary, STEADY) as cluster:
        leader = cluster.leader()
        for i in range(20):
            assert leader.ask("SET", f"key{i}", "x" * 100_000) == "OK"
        assert leader.ask("CONFIG", "SET", "raft.snapshot-bytes-per-second", "64kb") == "OK"  # half a minute
        new = cluster.join(4)
        cluster.removed.append(new)
        done(tool(binary, new, "join", f"127.0.0.1:{leader.raft_port}"))
        wait_until("a snapshot comes", lambda: "snapshot incoming" in new.server.log_tail(100), 20)
        assert leader.status()["first_index"] > 1
        follower = next(n for n in cluster.nodes.values() if n is not leader)
        assert follower.status()["first_index"] == 1
        assert leader.ask("RAFT.TRANSFER_LEADER", follower.id, timeout=20) == "OK"
        wait_until(f"node 4 votes; {new.server.log_tail()}", lambda: members(follower).get(4) == "voter", 60)
        assert follower.status()["first_index"] > 1
        assert new.ask("GET", "key19") == b"x" * 100_000


def leader_removes_itself(binary):
    """A leader that is to go hands over first: the next one removes it, and service goes on at once."""
    with Running(binary, STEADY) as cluster:
        leader = cluster.leader()
        term = leader.status()["term"]
        reply = leader.ask("RAFT.NODE", "REMOVE", leader.id, timeout=20)
        assert isinstance(reply, RespError) and reply.startswith("NOTLEADER the leader is node"), reply
        assert not leader.leads()
        assert members(leader).get(leader.id) == "voter", "nothing was removed yet"
        # The tool goes to whoever leads by itself.
        target = cluster.wait_serving()
        done(tool(binary, target, "remove", target.id))
        wait_until("it knows", lambda: target.status().get("part") == "removed", 30)
        del cluster.nodes[target.id]
        cluster.removed.append(target)
        left = cluster.wait_serving()
        assert left.status()["term"] == term + 2, "two orderly elections, no more"
        assert target.id not in members(left)


def removed_while_down(binary):
    """It comes back, hears nothing but refusals, and says what they mean instead of campaigning."""
    with Running(binary, STEADY) as cluster:
        leader = cluster.leader()
        gone = next(n for n in cluster.nodes.values() if n is not leader)
        gone.kill()
        done(tool(binary, leader, "remove", gone.id))
        del cluster.nodes[gone.id]
        cluster.removed.append(gone)
        term = cluster.wait_serving().status()["term"]
        del gone.server.args[ELECTION]  # it would campaign soon
        gone.server.start(wait=False)
        wait_until(f"it knows; {gone.server.log_tail()}", lambda: gone.status().get("part") == "removed", 20)
        assert "the group has removed this node" in gone.server.log_tail(50)
        assert gone.ask("SET", "x", "y", timeout=10).startswith("CLUSTERDOWN")
        status = gone.status()
        time.sleep(2)  # several election timeouts: nothing moves
        assert gone.status()["term"] == status["term"] and gone.status()["role"] == "follower"
        assert cluster.wait_serving().status()["term"] == term


def waiting_clients_count_as_blocked(binary):
    with Running(binary, STEADY) as cluster:
        leader = cluster.leader()
        follower = next(n for n in cluster.nodes.values() if n is not leader)

        def blocked():
            info = leader.ask("INFO", "clients", timeout=30).decode()
            return int(next(l.split(":")[1] for l in info.splitlines() if l.startswith("blocked_clients")))

        follower.pause()
        with leader.server.client(timeout=90) as client:
            assert client.command("SET", "a", "b") == "OK"
            replies = []
            waiter = threading.Thread(target=lambda: replies.append(client.command("WAIT", 2, 80_000)))
            waiter.start()
            wait_until("a client waits", lambda: blocked() == 1, 60)
            follower.resume()
            waiter.join()
            assert replies == [2], replies
            wait_until("nobody waits", lambda: blocked() == 0, 30)


def slots_of_a_follower(binary):
    """Keys of a slot are counted at a linearizable point, however far behind the follower is."""
    with Group(binary, {"cluster-enabled": "yes", "fault.enabled": "yes", **STEADY}) as group:
        leader = group.leader()
        follower = group.followers()[0]
        ends = [server.args["raft.node-id"] for server in (leader, follower)]
        with leader.client() as writer, follower.client() as reader:
            slot = writer.command("CLUSTER", "KEYSLOT", "{t}")
            for client in (writer, reader):
                reply = client.command("FAULT.INJECT", "delay", 80, "from", ends[0], "to", ends[1])
                assert not isinstance(reply, RespError), reply
            for i in range(1, 8):
                assert writer.command("SET", "{t}%d" % i, "x") == "OK"
                assert reader.command("CLUSTER", "COUNTKEYSINSLOT", slot) == i
                keys = reader.command("CLUSTER", "GETKEYSINSLOT", slot, 100)
                assert sorted(keys) == [b"{t}%d" % k for k in range(1, i + 1)], keys


def status_in_both_protocols(binary):
    with Running(binary) as cluster:
        with cluster.leader().server.client() as client:
            flat = client.command("RAFT.STATUS")
            assert isinstance(flat, list) and len(flat) % 2 == 0
            client.command("HELLO", 3)
            told = client.command("RAFT.STATUS")
            assert isinstance(told, dict), type(told)
            assert set(flat[::2]) == set(told), set(flat[::2]) ^ set(told)
            assert len(told[b"members"]) == 3 and all(isinstance(m, dict) for m in told[b"members"])


LAX = {"raft.fsync": "everysec", "fault.boot-id": "one"}
TOLD = "RAFT.ACCEPT_LOSS"


def crash_machine(node, boot_id):
    """Its file layer keeps what is not synced in memory: a kill takes that along."""
    node.kill()
    node.server.args["fault.boot-id"] = boot_id
    node.server.start(wait=False)


def part(node):
    return node.status().get("part")


def a_killed_process_is_trusted(binary):
    """raft.fsync everysec: what a process has written outlives it."""
    with Running(binary, {**LAX, "fault.file-layer": "no"}) as cluster:
        follower = next(n for n in cluster.nodes.values() if not n.leads())
        for i in range(50):
            assert follower.ask("SET", f"key{i}", i) == "OK"
        follower.kill()
        follower.server.start(wait=False)
        cluster.wait_serving()
        assert TOLD not in follower.server.log_tail(100)
        assert follower.server.stop() == 0
        follower.server.args["fault.boot-id"] = "two"
        follower.server.start(wait=False)
        cluster.wait_serving()
        assert TOLD not in follower.server.log_tail(100), "it had ended in order"


def a_machine_crashes(binary):
    """raft.fsync everysec: a node whose machine has crashed lacks what it acknowledged. It takes no part in
    elections until a leader has caught it up."""
    with Running(binary, LAX) as cluster:
        leader = cluster.leader()
        first, second = [n for n in cluster.nodes.values() if n is not leader]
        for i in range(200):
            assert leader.ask("SET", f"key{i}", i) == "OK"
        crash_machine(first, "two")
        wait_until(f"caught up; {cluster.describe()}", lambda: part(first) == "voter", 20)
        wait_until("all is there", lambda: first.ask("DBSIZE") == 201, 10)
        assert "a leader has caught this node up" in first.server.log_tail(100)

        for i in range(200):
            assert leader.ask("SET", f"more{i}", i) == "OK"
        leader.pause()
        crash_machine(first, "three")
        wait_until("distrusted", lambda: part(first) == "distrusted", 20)
        wait_until(f"the operator is told; {first.server.log_tail()}",
                   lambda: TOLD in first.server.log_tail(100), 20)
        assert first.ask("SET", "x", "y", timeout=10).startswith("CLUSTERDOWN")
        assert not second.leads(), "a candidate without the acknowledged writes could win as well"
        # It does not forget that by a restart of its process.
        first.kill()
        first.server.start(wait=False)
        wait_until("still distrusted", lambda: part(first) == "distrusted", 20)
        leader.resume()
        cluster.wait_serving()
        wait_until("trusted again", lambda: part(first) == "voter", 20)
        assert first.ask("GET", "more199") == b"199"


def all_machines_crash(binary):
    """A majority may have lost writes: an operator decides, node by node."""
    with Running(binary, LAX) as cluster:
        leader = cluster.leader()
        assert leader.ask("SET", "kept", "yes") == "OK"
        syncs = {n.id: n.status()["log_syncs"] for n in cluster.nodes.values()}

        def synced():
            leader.ask("SET", "tick", "tock")  # else there is nothing to sync
            return all(n.status()["log_syncs"] >= syncs[n.id] + 2 for n in cluster.nodes.values())
        wait_until("every node has synced it", synced, 20, 0.1)
        for node in cluster.nodes.values():
            node.kill()
        for node in cluster.nodes.values():
            crash_machine(node, "two")
        nodes = list(cluster.nodes.values())
        for node in nodes:
            wait_until("distrusted", lambda: part(node) == "distrusted", 20)
        time.sleep(2)  # several election timeouts
        assert not any(n.status().get("leader_id") for n in nodes), cluster.describe()
        done(tool(binary, nodes[0], "accept-loss"))
        done(tool(binary, nodes[1], "accept-loss"))
        cluster.wait_serving()
        wait_until("the third is caught up", lambda: part(nodes[2]) == "voter", 20)
        assert nodes[2].ask("GET", "kept") == b"yes"


def a_node_that_cannot_write_answers_reads(binary):
    """Its disk fails: it cannot apply what others write, and says so instead of letting clients wait."""
    with Running(binary) as cluster:
        leader = cluster.leader()
        follower = next(n for n in cluster.nodes.values() if n is not leader)
        assert not isinstance(follower.ask("FAULT.INJECT", "fsync-error"), RespError)
        assert leader.ask("SET", "a", "1") == "OK"
        reply = follower.ask("GET", "a", timeout=15)
        assert isinstance(reply, RespError) and "does not keep up" in reply, reply
        assert follower.ask("SET", "a", "2").startswith("MISCONF")
        # An EXEC ends its transaction, whatever it is answered.
        with follower.server.client(timeout=15) as client:
            assert client.command("MULTI") == "OK"
            assert client.command("SET", "a", "2").startswith("MISCONF")
            reply = client.command("EXEC")
            assert isinstance(reply, RespError) and reply.startswith("EXECABORT"), reply
            assert client.command("MULTI") == "OK"
            assert client.command("GET", "a") == "QUEUED"
            reply = client.command("EXEC")
            assert isinstance(reply, RespError) and "does not keep up" in reply, reply
            assert client.command("MULTI") == "OK"
        follower.ask("FAULT.CLEAR")
        cluster.wait_serving()
        assert follower.ask("GET", "a") == b"1"


def a_crowd_at_the_raft_port(binary):
    """Strangers by the thousand, silent or talking nonsense, keep neither clients nor members out."""
    with Running(binary, STEADY) as cluster:
        leader = cluster.leader()
        before = {n.id: n.server.rss_bytes() for n in cluster.nodes.values()}
        crowd = []
        try:
            for i in range(500):
                for node in cluster.nodes.values():
                    stranger = socket.create_connection(("127.0.0.1", node.raft_port), timeout=5)
                    crowd.append(stranger)
                    with contextlib.suppress(OSError):
                        stranger.sendall((b"", os.urandom(600), b"\xff" * 20)[i % 3])
                if i % 50 == 0:
                    assert leader.ask("SET", "x", i) == "OK"
            follower = next(n for n in cluster.nodes.values() if n is not leader)
            follower.kill()
            follower.server.start(wait=False)
            assert cluster.wait_serving() is leader
        finally:
            for stranger in crowd:
                stranger.close()
        for node in cluster.nodes.values():
            if node is not follower:
                grown = node.server.rss_bytes() - before[node.id]
                assert grown < 16 << 20, f"node {node.id} grew by {grown} bytes"
        assert len(leader.server.log_tail(1000).splitlines()) < 200, "a line for each is too many"


def faults_by_the_file(binary):
    """fault.enabled alone brings every fault; what an order leaves out is the file's; the log tells ids, times, nodes."""
    defaults = {"fault.delay-ms": "3", "fault.probability-percent": "50", "fault.clock-skew-ms": "-250"}
    with Server(binary, {"fault.enabled": "yes", "raft.port": free_port(), "raft.node-id": "7", **defaults}) as server:
        with server.client() as client:
            before = time.time() * 1000
            ids = [client.command("FAULT.INJECT", *words) for words in
                   (["delay"], ["fsync-error"], ["disk-full"], ["slow-disk", "1"], ["clock-skew"], ["drop", "from", "7"])]
            assert ids == sorted(set(ids)), ids
            listed = {f["id"]: f for f in map(as_dict, client.command("FAULT.LIST"))}
            assert list(listed) == ids, listed
            assert (listed[ids[0]]["amount"], float(listed[ids[0]]["probability"])) == (3, 0.5), listed
            assert listed[ids[4]]["amount"] == -250
            assert listed[ids[1]]["from"] == listed[ids[1]]["to"] == "7", "a fault of this node"
            assert listed[ids[5]]["from"] == "7" and listed[ids[5]]["to"] == "*"
            assert client.command("FAULT.CLEAR", ids[1]) == 1
            log = [as_dict(e) for e in client.command("FAULT.LOG")]
            told = [(e["event"].split(" amount")[0], e["from"], e["to"]) for e in log]
            assert told[0] == (f"inject delay id={ids[0]}", "*", "*"), told
            assert told[1] == (f"inject fsync-error id={ids[1]}", "7", "7"), told
            assert told[-1] == (f"clear fsync-error id={ids[1]}", "7", "7"), told
            assert all(before - 1000 < e["time"] < before + 60_000 for e in log), log
            for fault in ("delay", "fsync-error", "clock-skew"):
                assert f"fault injected node=7 kind={fault} " in server.log_tail(50)
            assert client.command("FAULT.CLEAR") == 5


class Relay:
    """Passes on what comes to its port, until it is closed: the address by which one node knows another."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        self.bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                self.open += [near, far]
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                self.bytes += len(data)
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def each_knows_the_others_by_addresses_of_its_own(binary):
    """Behind relays, as behind NAT: no file names a peer by the address that the peer listens on."""
    cluster = Cluster(3, binary)
    relays = {}
    try:
        for node in cluster.nodes.values():
            members = []
            for other in cluster.nodes.values():
                if other is not node:
                    relays[node.id, other.id] = Relay(other.raft_port)
                port = node.raft_port if other is node else relays[node.id, other.id].port
                members.append(f"{other.id}@127.0.0.1:{port}")
            node.server.args["raft.initial-members"] = ",".join(members)
        cluster.start()
        leader = cluster.leader()
        done(tool(binary, leader, "transfer"))
        leader = cluster.wait_serving()
        assert all(relay.bytes > 0 for relay in relays.values()), "all went through them"
        gone = next(n for n in cluster.nodes.values() if n is not leader)
        gone.kill()
        assert leader.ask("SET", "meanwhile", "x") == "OK"
        gone.server.start(wait=False)
        cluster.wait_serving()
        assert gone.ask("GET", "meanwhile") == b"x"
    finally:
        for relay in relays.values():
            relay.close()
        cluster.remove()


def an_added_node_is_invited(binary):
    """`add` is enough: the node learns of it, now or when it starts. One that holds keys, or did, waits to be told."""
    with Running(binary, STEADY) as cluster:
        leader = cluster.leader()
        assert leader.ask("SET", "a", "b") == "OK"
        busy = cluster.join(99)
        cluster.removed.append(busy)
        assert busy.ask("SET", "mine", "yes") == "OK"
        done(tool(binary, leader, "add", 5, f"127.0.0.1:{busy.raft_port}"))
        wait_until("the leader's log says why it does not come",
                   lambda: "does not join id=5" in leader.server.log_tail(50), 20)
        assert "holds keys" in leader.server.log_tail(50)
        assert busy.ask("GET", "mine") == b"yes" and members(leader)[5] == "learner"
        assert busy.ask("FLUSHALL") == "OK"  # what it was told to do
        wait_until("an invitation is not enough for it",
                   lambda: "RAFT.CLUSTER JOIN, said to it" in leader.server.log_tail(50), 20)
        assert members(leader)[5] == "learner" and busy.status()["node_id"] == 99
        done(tool(binary, busy, "join", f"127.0.0.1:{leader.raft_port}"))
        wait_until("it votes", lambda: members(leader).get(5) == "voter", 30)
        wait_until("it has the keys", lambda: busy.ask("GET", "a") == b"b", 20)
        assert busy.status()["node_id"] == 5

        late = Server(binary, {"raft.port": free_port()})
        try:
            done(tool(binary, leader, "add", 8, f"127.0.0.1:{late.args['raft.port']}"))
            late.start()
            wait_until("it votes", lambda: members(leader).get(8) == "voter", 30)
        finally:
            late.kill()
            late.remove()


def a_single_node_grows(binary):
    """It began without a raft port. With one, and started anew, it takes others in, and keeps what it has."""
    ports = []
    while len(ports) < 3:
        ports = list({*ports, free_port()})
    first = Server(binary, {"raft.snapshot-entries": 10})
    first_node = Node(1, first, ports[0])
    later = [Server(binary, {"raft.port": port}) for port in ports[1:]]
    try:
        first.start()
        with first.client() as client:
            assert client.command("SET", "a", "b") == "OK"
            # Its checkpoint names it by an address without a port, and its log is compacted behind that.
            wait_until("the log is compacted", lambda: client.command("SET", "c", "d") == "OK" and
                       client.command("RAFT.SNAPSHOT") == "OK" and first_node.status()["first_index"] > 1)
        assert first.stop() == 0
        first.args["raft.port"] = ports[0]
        first.start()
        for server in later:
            server.start()
            done(tool(binary, server, "join", f"127.0.0.1:{ports[0]}"))
        wait_until(f"all vote; {first.log_tail()}",
                   lambda: list(members(first_node).values()).count("learner") == 0 and len(members(first_node)) == 3, 60)
        for server in later:
            with server.client(timeout=30) as client:
                wait_until("it has the key", lambda: client.command("GET", "a") == b"b", 30)
        # It has grown: without the raft port it would reach nobody, and its clients would wait for ever.
        assert first.stop() == 0
        del first.args["raft.port"]
        refused = subprocess.run(first.command_line(), capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode == 1 and "set raft.port" in refused.stderr, refused
    finally:
        for server in [first, *later]:
            server.remove()


def spares_wait_for_a_vote(binary):
    """With a replication factor of three, a fourth node has all data, and votes when one of the three goes."""
    with Running(binary, {**STEADY, "raft.replication-factor": "3"}) as cluster:
        leader = cluster.leader()
        assert leader.ask("SET", "a", "b") == "OK"
        spare = cluster.join(4)
        cluster.removed.append(spare)
        done(tool(binary, spare, "join", f"127.0.0.1:{leader.raft_port}"))
        wait_until("it has all", lambda: spare.status().get("applied_index") == leader.status()["last_index"], 20)
        time.sleep(0.5)  # several looks at learners
        assert members(leader)[4] == "learner"
        assert leader.status()["replication_factor"] == 3
        refused = tool(binary, leader, "promote", 4)
        assert refused.returncode == 1 and "raft.replication-factor" in refused.stderr, refused
        gone = next(n for n in cluster.nodes.values() if n is not leader)
        done(tool(binary, leader, "remove", gone.id))
        del cluster.nodes[gone.id]
        cluster.removed.append(gone)
        wait_until("it votes", lambda: members(leader).get(4) == "voter", 20)
        assert len(members(leader)) == 3


def folders_that_cannot_be_written(binary):
    """Refused with the option, where it stands, and why; nothing else is begun."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-operator-"))
    try:
        (work / "file").write_text("")
        for option, section in (("dir", "storage"), ("log-dir", "raft")):
            conf = work / "kiwi.conf"
            conf.write_text(f"[network]\nport = {free_port()}\n[{section}]\n{option} = {work}/file/data\n")
            refused = subprocess.run([binary, conf, *(["--dir", work / "data"] if option != "dir" else [])],
                                     capture_output=True, text=True, timeout=20, check=False)
            assert refused.returncode == 1, refused
            wanted = f"{conf}:4: [{section}] {option} = {work}/file/data: cannot be made: Not a directory; allowed: "
            assert wanted in refused.stderr, refused
    finally:
        shutil.rmtree(work)


STORIES = (backup_and_restore, faults_by_the_file,
           each_knows_the_others_by_addresses_of_its_own, members_by_tool, a_joiner_under_another_leader,
           leader_removes_itself, removed_while_down,
           waiting_clients_count_as_blocked, slots_of_a_follower, status_in_both_protocols,
           a_killed_process_is_trusted, a_machine_crashes, all_machines_crash,
           a_node_that_cannot_write_answers_reads, a_crowd_at_the_raft_port, an_added_node_is_invited,
           a_single_node_grows,
           spares_wait_for_a_vote,
           folders_that_cannot_be_written)

if __name__ == "__main__":
    sys.exit(run_stories(STORIES, __doc__))
