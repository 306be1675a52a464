#!/usr/bin/env python3
"""What cluster clients meet on three nodes with cluster-enabled yes: redirections, replicas' reads, the
map of slots through a failover, and addresses that survive restarts; and WAIT, INFO, ROLE in plain mode."""
import argparse
import re
import subprocess
import threading
import time

from cluster_group import Group
from resp import RespError, encode, info
from server import KIWI, wait_until

# So long that a busy machine elects nobody by itself: stories keep to their leader's address.
STEADY = {"raft.election-timeout-min-ms": 1500}
CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"
SLOT_OF_A = 15495


def expect(got, wanted, what):
    assert got == wanted, f"{what}: {got!r}, expected {wanted!r}"


def cli(port, *args):
    done = subprocess.run(["redis-cli", "-c", "-p", str(port), *args], timeout=30, text=True,
                          capture_output=True, check=False)
    return done.stdout.strip()


def slots_master(client):
    """The port of the master in CLUSTER SLOTS, and how many replicas it names; None without one."""
    slots = client.command("CLUSTER", "SLOTS")
    if isinstance(slots, RespError) or len(slots) != 1:
        return None
    expect(slots[0][:2], [0, 16383], "the range of slots")
    assert all(node[0] == b"127.0.0.1" for node in slots[0][2:]), slots
    return slots[0][2][1], len(slots[0]) - 3


def followers_redirect(group):
    leader, follower = group.leader(), group.followers()[0]
    moved = f"MOVED {SLOT_OF_A} 127.0.0.1:{leader.port}"
    with follower.client() as client:
        expect(client.command("SET", "a", 1), moved, "a write on a follower")
        expect(client.command("GET", "a"), moved, "a read on a follower")
        expect(client.command("WATCH", "a"), moved, "WATCH on a follower")
        expect(client.command("MSET", "a", 1, "b", 2), CROSSSLOT, "two slots")
        expect(client.command("FLUSHALL"), "READONLY You can't write against a read only replica.",
               "a write without keys")
        expect(client.command("PING"), "PONG", "a command without keys")
        expect(client.pipeline([("MULTI",), ("GET", "a"), ("PING",), ("EXEC",)]),
               ["OK", moved, "QUEUED",
                "EXECABORT Transaction discarded because of previous errors."], "MULTI on a follower")
    expect(cli(follower.port, "SET", "a", "followed"), "OK", "redis-cli -c")
    expect(cli(follower.port, "GET", "a"), "followed", "redis-cli -c")


def leader_keeps_to_one_slot(group):
    with group.leader().client() as client:
        expect(client.command("MSET", "a", 1, "b", 2), CROSSSLOT, "two slots")
        expect(client.command("MSET", "{a}1", 1, "{a}2", 2), "OK", "one slot")
        expect(client.pipeline([("MULTI",), ("SET", "a", 1), ("SET", "b", 1), ("EXEC",), ("EXEC",)]),
               ["OK", "QUEUED", "QUEUED", CROSSSLOT, "ERR EXEC without MULTI"], "MULTI over two slots")
        expect(client.command("SELECT", 1), "ERR SELECT is not allowed in cluster mode", "SELECT")
        expect(client.command("SELECT", 0), "OK", "SELECT 0")
        expect(client.command("MOVE", "a", 1), "ERR MOVE is not allowed in cluster mode", "MOVE")
        expect(client.command("SWAPDB", 0, 1), "ERR SWAPDB is not allowed in cluster mode", "SWAPDB")
        expect(client.command("COPY", "a", "{a}c", "DB", 1),
               "ERR Copying to another database is not allowed in cluster mode", "COPY to a database")
        expect(client.command("CLUSTER", "COUNTKEYSINSLOT", SLOT_OF_A), 3, "keys of the slot")
        expect(info(client, "cluster")["cluster_enabled"], "1", "INFO cluster")


def replicas_answer_readonly_connections(group):
    leader = group.leader()
    with leader.client() as writer:
        for follower in group.followers():
            with follower.client() as reader:
                expect(reader.command("READONLY"), "OK", "READONLY")
                for i in range(50):
                    expect(writer.command("SET", "a", i), "OK", "SET")
                    expect(reader.command("GET", "a"), str(i).encode(), "a replica's read is not old")
                expect(reader.pipeline([("MULTI",), ("GET", "a"), ("EXEC",)]),
                       ["OK", "QUEUED", [b"49"]], "a transaction of reads")
                moved = f"MOVED {SLOT_OF_A} 127.0.0.1:{leader.port}"
                expect(reader.command("SET", "a", 1), moved, "a write under READONLY")
                expect(reader.command("READWRITE"), "OK", "READWRITE")
                expect(reader.command("GET", "a"), moved, "a read after READWRITE")


def all_say_the_same(group):
    leader = group.leader()
    ids, replids = {}, set()
    for server in group.servers:
        with server.client() as client:
            wait_until("all replicas are shown", lambda c=client: slots_master(c) == (leader.port, 2), 30)
            ids[server.port] = client.command("CLUSTER", "MYID").decode()
            lines = client.command("CLUSTER", "NODES").decode().splitlines()
            expect(len(lines), 3, "CLUSTER NODES")
            mine = next(line for line in lines if "myself" in line)
            assert mine.startswith(f"{ids[server.port]} 127.0.0.1:{server.port}@"), mine
            assert ("master" in mine.split()[2]) == (server is leader), mine
            assert "cluster_state:ok" in client.command("CLUSTER", "INFO").decode()
            replids.add(info(client, "replication")["master_replid"])
            links = client.command("CLUSTER", "LINKS")
            expect(len(links), 2, "CLUSTER LINKS")
            assert all(abs(time.time() * 1000 - link[5]) < 60_000 for link in links), links
    expect(len(set(ids.values())), 3, "ids differ")
    expect(len(replids), 1, "one replication id")


def failover_moves_the_map(group):
    old = group.leader()
    with old.client() as client:
        expect(client.command("SET", "kept", "yes"), "OK", "SET")
    old.kill()
    new = group.leader(other_than=old)
    for server in group.alive():
        with server.client() as client:
            wait_until("the dead node is not named in CLUSTER SLOTS",
                       lambda c=client: slots_master(c) == (new.port, 1), 30)
            wait_until("the dead node is marked", lambda c=client: any(
                f":{old.port}@" in line and "fail" in line.split()[2]
                for line in c.command("CLUSTER", "NODES").decode().splitlines()), 30)
        expect(cli(server.port, "GET", "kept"), "yes", "redis-cli -c after the failover")
    old.start()
    group.leader()
    with old.client() as client:  # it knows the others from its own checkpoint and log
        wait_until("the node is back", lambda: slots_master(client) == (new.port, 2), 30)


def without_a_majority_the_cluster_is_down(group):
    survivor, *others = group.servers
    for server in others:
        server.kill()
    with survivor.client() as client:
        client.command("READONLY")
        wait_until("CLUSTERDOWN",
                   lambda: client.command("SET", "a", 1) == "CLUSTERDOWN The cluster is down", 30)
        expect(client.command("GET", "a"), "CLUSTERDOWN The cluster is down", "a read without a leader")
        assert "cluster_state:fail" in client.command("CLUSTER", "INFO").decode()
    for server in others:
        server.start(wait=False)
    for server in others:
        server.wait_ready()
    group.leader()


def a_moved_address_is_announced(group):
    leader, moving = group.leader(), group.followers()[0]
    moving.stop()
    port = moving.port
    while port in [s.port for s in group.servers]:
        port += 1
    moving.port = port
    moving.start()
    with leader.client() as client:
        wait_until("the new port is known", lambda: f":{port}@" in
                   client.command("CLUSTER", "NODES").decode(), 30)


def plain_mode(group):
    leader, follower = group.leader(), group.followers()[0]
    with follower.client() as client:
        expect(client.command("CLUSTER", "SLOTS"), "ERR This instance has cluster support disabled",
               "CLUSTER in plain mode")
        expect(client.pipeline([("SELECT", 1), ("MSET", "a", 1, "b", 2), ("GET", "b")]),
               ["OK", "OK", b"2"], "a follower takes everything")
        replication = info(client, "replication")
        expect((replication["role"], int(replication["master_port"]), replication["master_link_status"]),
               ("slave", leader.port, "up"), "INFO replication of a follower")
        expect(client.command("WAIT", 2, 0), 1, "a follower's WAIT says what is sure")
    with leader.client() as client:
        client.command("SET", "a", 1)
        expect(client.command("WAIT", 2, 5000), 2, "WAIT for all")
        replication = info(client, "replication")
        expect((replication["role"], replication["connected_slaves"]), ("master", "2"), "INFO replication")
        assert "state=online" in replication["slave0"], replication


def wait_costs_no_thread(group):
    """Many clients wait for a node that is gone: others are served meanwhile; they end in time."""
    leader, gone = group.leader(), group.followers()[0]
    gone.kill()
    clients = [leader.client(timeout=30) for _ in range(40)]
    for client in clients:
        client.command("SET", "a", 1)
    begin = time.monotonic()
    answers = []

    def ask(client):
        answers.append(client.command("WAIT", 2, 700))

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    with leader.client(timeout=30) as other:
        for i in range(100):
            expect(other.command("SET", f"k{i}", i), "OK", "SET while others wait")
    for thread in threads:
        thread.join()
    expect(answers, [1] * 40, "one other node has the write")
    assert time.monotonic() - begin >= 0.7, "WAIT ended before its time"
    with leader.client(timeout=60) as forever:
        unblocked_from_elsewhere(leader, forever)
        result = []
        waiting = threading.Thread(target=lambda: result.append(forever.command("WAIT", 2, 0)))
        waiting.start()
        gone.start()
        waiting.join(60)
        expect(result, [2], "WAIT without a limit ends when the node is back")
    for client in clients:
        client.close()


def unblocked_from_elsewhere(leader, client):
    """CLIENT UNBLOCK ends a WAIT as its time would, or with an error; who does not wait is left alone."""
    number = client.command("CLIENT", "ID")
    client.command("SET", "a", 2)
    with leader.client(timeout=30) as other:
        expect(other.command("CLIENT", "UNBLOCK", number), 0, "nobody waits yet")
        for reason, wanted in (("TIMEOUT", 1), ("ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK")):
            client.send(encode("WAIT", 2, 0))
            wait_until("it waits", lambda r=reason: other.command("CLIENT", "UNBLOCK", number, r) == 1)
            expect(client.read(), wanted, f"WAIT ended by {reason}")
        expect(other.command("CLIENT", "UNBLOCK", number), 0, "it waits no more")
        expect(other.command("CLIENT", "PAUSE", 60_000, "WRITE"), "OK", "CLIENT PAUSE")
        client.send(encode("SET", "a", 3))
        wait_until("it is held", lambda: re.search(rb"id=%d [^\n]*flags=b" % number, other.command("CLIENT", "LIST")))
        expect(other.command("CLIENT", "UNBLOCK", number, "ERROR"), 0, "a pause is no wait of its own")
        expect(other.command("CLIENT", "UNPAUSE"), "OK", "CLIENT UNPAUSE")
        expect(client.read(), "OK", "the write behind the pause")
        expect(client.command("WAIT", 0, 0), 1, "WAIT for what there is")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=str(KIWI))
    args = parser.parse_args()
    with Group(args.server, {"cluster-enabled": "yes", **STEADY}) as group:
        for story in (all_say_the_same, followers_redirect, leader_keeps_to_one_slot,
                      replicas_answer_readonly_connections, failover_moves_the_map,
                      without_a_majority_the_cluster_is_down, a_moved_address_is_announced):
            story(group)
            print(f"{story.__name__}: ok", flush=True)
    with Group(args.server, STEADY) as group:
        for story in (plain_mode, wait_costs_no_thread):
            story(group)
            print(f"{story.__name__}: ok", flush=True)


if __name__ == "__main__":
    main()
