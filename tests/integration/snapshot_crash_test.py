#!/usr/bin/env python3
"""kill -9 in the middle of snapshots, again and again, at both ends.

Each round a follower is left behind the leader's log, gets a snapshot, and somebody dies at a moment of it:

  chunks      the receiver, while chunks arrive
  staged      the receiver, between the last chunk and the log's batch (slow syncs make that long)
  installed   the receiver, once the snapshot took the place of its state
  checkpoint  the receiver, within its first checkpoint behind that
  sender      the leader, while it streams
  both        both of them
  leadership  nobody, but the leadership goes elsewhere while it streams

A receiver that died is started among paused nodes first: it has the old state or the new one, and no
folder of another. Then all are one again: equal digests, every acknowledged write there.
"""
import argparse
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from group import Cluster, as_dict  # noqa: E402
from load import Torn, Writer  # noqa: E402
from resp import RespError  # noqa: E402
from server import KIWI, wait_until  # noqa: E402

MOMENTS = ("chunks", "staged", "installed", "checkpoint", "staged", "sender", "both", "leadership")
KEYS, VALUE_BYTES = 500, 20_000
BYTES_PER_SECOND = 16 << 20  # some 600 ms for all of them
SLOW_SYNC_MS = 100
REFUSED = r"^(UNKNOWN|CLUSTERDOWN|NOTLEADER)"


def say(node, *command):
    reply = node.ask(*command, timeout=30)
    if reply is None or isinstance(reply, RespError):
        raise RuntimeError(f"{command} on node {node.id}: {reply}")
    return reply


def states(node):
    return sorted(p.name for p in node.server.folder.iterdir() if p.name.startswith("state"))


def local_state(node):
    """(applied index, digest) of the node as it is, whoever leads."""
    with node.server.client(timeout=10) as client:
        assert client.command("CLIENT", "CONSISTENCY", "ANY") == "OK"
        return as_dict(client.command("RAFT.STATUS"))["applied_index"], str(client.command("DEBUG", "DIGEST"))


def equal_everywhere(cluster):
    """Waits for one applied index and one digest; returns them."""
    def one():
        try:
            found = {local_state(n) for n in cluster.nodes.values()}
        except (OSError, KeyError):
            return None
        return found.pop() if len(found) == 1 else None
    return wait_until(f"equal digests; {cluster.describe()}", one, 60, 0.05)


class Lines:
    """What a node's log says from here on."""

    def __init__(self, node):
        self.path = node.server.log
        self.begin = self.path.stat().st_size

    def have(self, text):
        with open(self.path, "rb") as log:
            log.seek(self.begin)
            return text.encode() in log.read()

    def wait(self, text, seconds=60):
        wait_until(f"the log says '{text}'", lambda: self.have(text), seconds, 0.002)


class Rounds:
    def __init__(self, args):
        self.args = args
        self.chance = random.Random(args.seed)
        options = {"raft.snapshot-bytes-per-second": BYTES_PER_SECOND, "storage.backend": args.backend}
        self.cluster = Cluster(3, args.server, options)
        self.writers = []
        self.acked = 0
        self.found = {"old": 0, "new": 0}
        self.number = 0

    def run(self):
        try:
            self.cluster.start(60)
            for self.number in range(1, self.args.kills + 1):
                moment = self.args.moment or MOMENTS[(self.number - 1) % len(MOMENTS)]
                begin = time.monotonic()
                self.one(moment)
                if self.args.verbose:
                    print(f"round {self.number}: {moment}, {time.monotonic() - begin:.1f} s, "
                          f"{self.acked} writes acknowledged so far", flush=True)
        except BaseException:
            for node in self.cluster.nodes.values():
                print(f"--- node {node.id}\n{node.server.log_tail(25)}", file=sys.stderr)
            raise
        finally:
            self.cluster.remove()

    def one(self, moment):
        leader = self.cluster.wait_serving(60)
        receiver = self.chance.choice([n for n in self.cluster.nodes.values() if n is not leader])
        old = self.leave_behind(leader, receiver)
        quiet = moment in ("chunks", "staged", "installed", "checkpoint")
        new = local_state(leader)
        if not quiet:
            self.begin_load(leader)
        lines = Lines(receiver)
        # With the file layer a kill is a power cut, too; without it the windows are as they really are.
        layer = moment in ("staged", "checkpoint") or self.chance.random() < 0.5
        receiver.server.args["fault.file-layer"] = "yes" if layer else "no"
        receiver.server.start(wait=False)
        killed = self.strike(moment, leader, receiver, lines, layer)
        if quiet:
            self.check_alone(receiver, old, new)
        for node in killed:
            if not node.server.alive():
                node.server.start(wait=False)
        self.cluster.wait_serving(60)
        if not quiet:
            self.judge_load()
        for node in self.cluster.nodes.values():
            say(node, "FAULT.CLEAR")
        equal_everywhere(self.cluster)
        for node in self.cluster.nodes.values():
            wait_until(f"one state on node {node.id}: {states(node)}", lambda n=node: len(states(n)) == 1, 20)

    def leave_behind(self, leader, receiver):
        """The receiver's state is a checkpoint, and the others' logs begin behind it."""
        equal_everywhere(self.cluster)
        wait_until("a checkpoint", lambda: receiver.ask("RAFT.SNAPSHOT", timeout=30) == "OK", 30)
        old = equal_everywhere(self.cluster)
        # Alone it may not know that what came behind this is committed.
        checkpointed = receiver.status()["snapshot_index"]
        receiver.kill()
        with leader.server.client(timeout=60) as client:
            for i in range(0, KEYS, 50):
                replies = client.pipeline([("SET", f"bulk{k}", self.chance.randbytes(VALUE_BYTES))
                                           for k in range(i, i + 50)])
                assert replies == ["OK"] * 50, replies
        self.begin_load(leader)
        wait_until("some load", lambda: all(w.acked - w.first > 50 for w in self.writers), 30)
        self.judge_load()
        for node in self.cluster.nodes.values():
            if node is not receiver:
                wait_until(f"the log of node {node.id} begins behind it", lambda n=node: n.ask(
                    "RAFT.SNAPSHOT", timeout=30) == "OK" and n.status()["first_index"] > old[0] + 1, 60, 0.1)
        return checkpointed, old[1]

    def strike(self, moment, leader, receiver, lines, layer):
        """Waits for the moment; returns who was killed."""
        chance = self.chance
        wait_until("the receiver answers", receiver.answers, 30, 0.002)
        if layer and moment in ("staged", "checkpoint"):
            say(receiver, "FAULT.INJECT", "slow-disk", SLOW_SYNC_MS)
        if moment in ("chunks", "sender", "both", "leadership"):
            lines.wait("snapshot incoming")
            part = chance.uniform(0, 0.9)
            wait_until("so many chunks", lambda: self.received(receiver) >= part * KEYS * VALUE_BYTES or
                       lines.have("snapshot received"), 60, 0.002)
        elif moment == "staged":
            lines.wait("snapshot is being checked and loaded")
            time.sleep(chance.uniform(0, 6 * SLOW_SYNC_MS / 1000))
        else:
            lines.wait("snapshot installed")
            if moment == "checkpoint":
                receiver.ask("BGSAVE", timeout=20)
            time.sleep(chance.uniform(0, 3 * SLOW_SYNC_MS / 1000 if moment == "checkpoint" else 0.05))
        if moment == "leadership":
            third = next(n for n in self.cluster.nodes.values() if n not in (leader, receiver))
            assert not isinstance(leader.ask("RAFT.TRANSFER_LEADER", third.id, timeout=20), RespError)
            return []
        killed = {"sender": [leader], "both": [leader, receiver]}.get(moment, [receiver])
        for node in killed:
            node.kill()
        return killed

    @staticmethod
    def received(receiver):
        for snapshot in map(as_dict, receiver.status().get("snapshots", [])):
            if snapshot["direction"] == "receiving":
                return snapshot["bytes_done"]
        return 0

    def check_alone(self, receiver, old, new):
        """Nobody speaks with it: what it has is what the crash left."""
        others = [n for n in self.cluster.nodes.values() if n is not receiver]
        for node in others:
            node.pause()
        try:
            receiver.server.start()
            applied, digest = local_state(receiver)
            which = {old[1]: "old", new[1]: "new"}.get(digest)
            if which is None or applied < old[0]:
                raise Torn(f"behind the crash node {receiver.id} has {applied} {digest}, which is neither the old "
                           f"state, from {old[0]} on, {old[1]}, nor the new one {new}")
            if len(states(receiver)) != 1:
                raise Torn(f"folders that do not count stay: {states(receiver)}")
            self.found[which] += 1
        finally:
            for node in others:
                node.resume()

    def begin_load(self, leader):
        self.writers = [w.clone(leader.server) for w in self.writers] or [
            Writer(f"w{i}", leader.server, depth=8, seed=self.args.seed) for i in range(2)]
        for writer in self.writers:
            writer.tolerate = REFUSED
            writer.start()

    def judge_load(self):
        for writer in self.writers:
            writer.stopping = True
        for writer in self.writers:
            writer.join(60)
            if writer.is_alive():
                raise Torn("a client waits for ever")
        node = self.chance.choice([n for n in self.cluster.nodes.values() if n.server.alive()])
        with node.server.client(timeout=60) as client:
            for writer in self.writers:
                writer.check(client)
                writer.check_kept(client)
        self.acked += sum(w.acked - w.first + 1 for w in self.writers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--backend", default="rocksdb")
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--moment", choices=sorted(set(MOMENTS)), help="only this one")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    rounds = Rounds(args)
    try:
        rounds.run()
        if args.kills >= len(MOMENTS) and not args.moment and 0 in rounds.found.values():
            raise Torn(f"all crashes left one kind of state: {rounds.found}")
    except (Torn, AssertionError, RuntimeError, TimeoutError) as error:
        replay = " ".join(["tests/integration/snapshot_crash_test.py", *sys.argv[1:], f"--seed {args.seed}"])
        print(f"FAILED: round {rounds.number}: {type(error).__name__}: {error}\nagain: {replay}")
        return 1
    print(f"ok: {args.kills} snapshots interrupted ({args.backend}), the old state found {rounds.found['old']} times "
          f"and the new one {rounds.found['new']}; {rounds.acked} acknowledged writes, none lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
