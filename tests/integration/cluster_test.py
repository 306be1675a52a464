#!/usr/bin/env python3
"""Stories of a group of servers: it forms, loses its leader, hands over, takes nodes in, and lets them go."""
import argparse
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from group import Cluster, as_dict  # noqa: E402
from resp import RespError  # noqa: E402
from server import KIWI, Server, free_port, wait_until  # noqa: E402

BACK_SECONDS = 30  # service is back at the latest after this; on an idle machine it takes three
# So long that a busy machine elects nobody by itself: stories count terms and keep to their leader.
ELECTION_MS = 1500


def say(node, *command):
    """One command; an error is an exception here."""
    reply = node.ask(*command, timeout=30)
    if reply is None or isinstance(reply, RespError):
        raise RuntimeError(f"{command} on node {node.id}: {reply}")
    return reply


def members(node):
    """id → role, as the node sees it."""
    return {m["id"]: m["role"] for m in map(as_dict, node.status().get("members", []))}


def same_everywhere(cluster):
    """All nodes come to one applied index and one digest."""
    def digests():
        applied = {node.status().get("applied_index") for node in cluster.nodes.values()}
        found = {str(node.ask("DEBUG", "DIGEST")) for node in cluster.nodes.values()}
        return found if len(applied) == 1 and len(found) == 1 and None not in applied else None
    return wait_until(f"equal digests; {cluster.describe()}", digests, 20, 0.05)


def join(cluster, contact):
    """A fresh node joins through `contact`; returns it once it votes."""
    node = cluster.join(max([*cluster.nodes, *(n.id for n in cluster.removed)]) + 1)
    try:
        say(node, "RAFT.CLUSTER", "JOIN", f"127.0.0.1:{contact.raft_port}")
        wait_until(f"node {node.id} votes; {cluster.describe()}; {node.server.log_tail()}",
                   lambda: members(contact).get(node.id) == "voter", 30, 0.05)
    finally:
        cluster.nodes[node.id] = node
    return node


def writes_through_every_node(cluster):
    """Formed by initial-members: what one node took, all have."""
    for node in cluster.nodes.values():
        assert say(node, "SET", f"through{node.id}", node.id) == "OK"
    for node in cluster.nodes.values():
        for other in cluster.nodes:
            assert say(node, "GET", f"through{other}") == str(other).encode()
    same_everywhere(cluster)


def leader_killed(cluster):
    """kill -9 of the leader: what was acknowledged is there, and another serves soon."""
    leader = cluster.leader()
    acked = [f"kept{i}" for i in range(50)]
    for key in acked:
        say(leader, "SET", key, "yes")
    leader.kill()
    others = [n for n in cluster.nodes.values() if n is not leader]
    wait_until(f"service is back; {cluster.describe()}",
               lambda: others[0].ask("SET", "after", "kill", timeout=5) == "OK", BACK_SECONDS)
    for node in others:
        with node.server.client() as client:
            assert client.command("MGET", *acked) == [b"yes"] * len(acked), f"lost on {node.id}"
    leader.server.start(wait=False)
    cluster.wait_serving()
    same_everywhere(cluster)


def graceful_end_hands_over(cluster):
    """SIGTERM to the leader: another leads before it is gone, at a higher term, without a timeout."""
    leader = cluster.leader()
    term = leader.status()["term"]
    assert leader.server.stop() == 0, leader.server.log_tail()
    other = next(n for n in cluster.nodes.values() if n is not leader)
    assert other.ask("SET", "after", "handover", timeout=30) == "OK", cluster.describe()
    assert other.status()["term"] == term + 1, "one orderly election, no more"
    leader.server.start(wait=False)
    cluster.wait_serving()


def leadership_moves_on_request(cluster):
    leader = cluster.leader()
    follower = next(n for n in cluster.nodes.values() if n is not leader)
    refused = follower.ask("RAFT.TRANSFER_LEADER")
    assert refused.startswith(f"NOTLEADER the leader is node {leader.id} at 127.0.0.1:{leader.port}"), refused
    assert say(leader, "RAFT.TRANSFER_LEADER", follower.id) == "OK"
    assert follower.leads()
    cluster.wait_serving()


def nodes_come_and_go(cluster):
    """A fourth joins through a follower, gets a snapshot and votes; one is removed for good."""
    leader = cluster.leader()
    follower = next(n for n in cluster.nodes.values() if n is not leader)
    with leader.server.client() as client:
        client.pipeline([("SET", f"bulk{i}", "x" * 100) for i in range(2000)])
    busy = cluster.join(99)
    say(busy, "SET", "mine", "yes")
    refused = busy.ask("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{follower.raft_port}", timeout=30)
    assert "holds keys" in refused, refused
    busy.kill()
    new = join(cluster, follower)
    same_everywhere(cluster)
    assert say(new, "GET", "bulk1999") == b"x" * 100
    refused = new.ask("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{follower.raft_port}", timeout=30)
    assert "member of a group already" in refused, refused

    # Its identity outlives a crash.
    new.kill()
    new.server.start()
    cluster.wait_serving()
    assert new.status()["node_id"] == new.id

    say(cluster.leader(), "RAFT.NODE", "REMOVE", follower.id)
    wait_until("the removed node knows", lambda: follower.status().get("part") == "removed", 30)
    del cluster.nodes[follower.id]
    cluster.removed.append(follower)
    assert follower.id not in members(cluster.leader())
    refused = cluster.leader().ask("RAFT.NODE", "ADD", follower.id, "127.0.0.1:1")
    assert "was used before" in refused, refused
    follower.kill()
    cluster.wait_serving()
    same_everywhere(cluster)


def the_majority_is_not_removed(cluster):
    """With a voter down, removing another that is up would end the service: refused unless forced."""
    first = cluster.wait_serving()
    down = next(n for n in cluster.nodes.values() if n is not first)
    down.kill()
    reign, since = None, 0.0

    def refused():
        nonlocal reign, since
        leader = cluster.leader()
        now = leader and (leader.id, leader.status().get("term"))
        if now != reign:
            reign, since = now, time.monotonic()
        # A leader takes the dead node for dead after two of its election timeouts.
        if not leader or time.monotonic() - since < 4 * ELECTION_MS / 1000:
            return None
        up = next(n for n in cluster.nodes.values() if n not in (leader, down))
        reply = leader.ask("RAFT.NODE", "REMOVE", up.id, timeout=30)
        assert reply != "OK" and members(leader).get(up.id, "voter") == "voter", f"removed: {reply}"
        return isinstance(reply, RespError) and "FORCE" in reply
    wait_until(f"it is refused; {cluster.describe()}", refused, 60, 0.1)
    down.server.start(wait=False)
    cluster.wait_serving()


def partitioned_leader(cluster):
    """A leader that is cut off takes nothing; after healing all is one again."""
    leader = cluster.leader()
    others = [n for n in cluster.nodes.values() if n is not leader]
    for node in cluster.nodes.values():
        for other in others:
            say(node, "FAULT.INJECT", "partition", "from", leader.id, "to", other.id)
            say(node, "FAULT.INJECT", "partition", "from", other.id, "to", leader.id)
    wait_until(f"the others serve; {cluster.describe()}",
               lambda: others[0].ask("SET", "cut", "off", timeout=5) == "OK", BACK_SECONDS)
    reply = leader.ask("GET", "cut", timeout=30)
    assert isinstance(reply, RespError), f"a cut-off node answered {reply}"
    for node in cluster.nodes.values():
        assert say(node, "FAULT.CLEAR") == 2 * len(others)
        assert say(node, "FAULT.LIST") == []
    cluster.wait_serving()
    same_everywhere(cluster)


def a_paused_node_catches_up(cluster):
    node = next(n for n in cluster.nodes.values() if n is not cluster.leader())
    begin = time.monotonic()
    say(node, "FAULT.INJECT", "pause", "300")
    assert time.monotonic() - begin >= 0.3
    cluster.wait_serving()
    assert node.ask("FAULT.INJECT", "crash") is None
    assert node.server.wait_exit(10) == -signal.SIGKILL
    node.server.start(wait=False)
    cluster.wait_serving()


def the_tool_tells_and_does(cluster, tool):
    """kiwi-ctl finds the leader from any node."""
    leader = cluster.leader()
    follower = next(n for n in cluster.nodes.values() if n is not leader)
    run = lambda *args: subprocess.run([tool, "--node", f"127.0.0.1:{follower.port}", *map(str, args)],
                                       capture_output=True, text=True, timeout=60)
    shown = run("status")
    assert shown.returncode == 0 and f"leader {leader.id}," in shown.stdout, shown
    assert len(shown.stdout.splitlines()) == 2 + len(cluster.nodes), shown.stdout
    assert run("transfer", follower.id).returncode == 0
    assert follower.leads()
    refused = run("remove", 98)
    assert refused.returncode == 1 and "no node 98" in refused.stderr, refused
    cluster.wait_serving()


def strangers_are_refused(binary, cluster):
    """A node of another cluster-name with the same ids and addresses takes no part, and is told why."""
    victim = next(n for n in cluster.nodes.values() if n is not cluster.leader() and
                  "raft.initial-members" in n.server.args)
    victim.kill()
    stranger = Server(binary, {**victim.server.args, "raft.cluster-name": "another"}, port=victim.port)
    try:
        stranger.start(wait=False)
        wait_until("the log of the stranger says why", lambda: "wrong cluster" in stranger.log_tail(50), 20, 0.1)
    finally:
        stranger.remove()
    victim.server.start(wait=False)
    cluster.wait_serving()


def faults_are_refused(binary):
    """Without fault.enabled in the configuration nothing can be broken on purpose."""
    with Server(binary) as server, server.client() as client:
        for command in ("FAULT.INJECT crash", "FAULT.LIST", "FAULT.CLEAR", "FAULT.LOG", "FAULT.DISK clear 1"):
            reply = client.command(*command.split())
            assert isinstance(reply, RespError) and "fault.enabled yes" in reply, (command, reply)
        reply = client.command("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{free_port()}")
        assert "raft.port" in reply, reply


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=str(KIWI), help="the kiwi-server binary")
    parser.add_argument("--only", default="", help="run only the stories whose name contains this")
    args = parser.parse_args()
    tool = str(pathlib.Path(args.server).with_name("kiwi-ctl"))

    def run(story, *arguments):
        if args.only not in story.__name__:
            return
        begin = time.monotonic()
        story(*arguments)
        print(f"ok: {story.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)

    run(faults_are_refused, args.server)
    cluster = Cluster(3, args.server, {"raft.election-timeout-min-ms": ELECTION_MS})
    try:
        cluster.start()
        run(writes_through_every_node, cluster)
        run(leader_killed, cluster)
        run(graceful_end_hands_over, cluster)
        run(leadership_moves_on_request, cluster)
        run(the_tool_tells_and_does, cluster, tool)
        run(partitioned_leader, cluster)
        run(a_paused_node_catches_up, cluster)
        run(strangers_are_refused, args.server, cluster)
        run(nodes_come_and_go, cluster)
        run(the_majority_is_not_removed, cluster)
        same_everywhere(cluster)
    except BaseException:
        for node in [*cluster.nodes.values(), *cluster.removed]:
            print(f"--- node {node.id}\n{node.server.log_tail(25)}", file=sys.stderr)
        raise
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
