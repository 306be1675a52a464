"""What goes wrong during a chaos run, drawn from one seed: each fault begins, holds, and is healed."""
import re
import time

from group import RespError, wait_until

HEAL_SECONDS = 60  # a healed cluster serves again at the latest after this
RETRYABLE = re.compile("UNKNOWN|CLUSTERDOWN|NOTLEADER|TRYAGAIN|LOADING|BUSY")


class Fault:
    """start() returns what it did, for the log; heal() undoes it. needs: commands of group.FORMS."""
    needs = ()
    alone = False
    least_nodes = 1

    def __init__(self, cluster, chance, settings):
        self.cluster = cluster
        self.chance = chance
        self.settings = settings

    def some(self, leader_too=0.4):
        """A random node; the leader more often than by chance, as it is the one that matters. None that another
        fault has paused, where an order would wait until after the healing; so there may be none."""
        leader = self.cluster.leader()
        if leader and self.chance.random() < leader_too:
            return leader
        awake = sorted((n for n in self.cluster.nodes.values() if not n.paused), key=lambda n: n.id)
        return self.chance.choice(awake) if awake else None

    def several(self):
        """A node, a minority, or now and then all."""
        nodes = sorted(self.cluster.nodes.values(), key=lambda n: n.id)
        draw = self.chance.random()
        if draw < 0.6 or len(nodes) < 3:
            return [node for node in [self.some()] if node]
        return nodes if draw < 0.75 else self.chance.sample(nodes, self.chance.randint(1, len(nodes) - 1))

    def name_of(self, nodes):
        leader = self.cluster.leader()
        return " ".join(f"{n.id}{' (leader)' if n is leader else ''}" for n in nodes)

    def heal(self):
        pass


class Kill(Fault):
    def start(self):
        self.victims = self.several()
        what = f"kill -9 {self.name_of(self.victims)}"
        for node in self.victims:
            node.kill()
        return what

    def heal(self):
        for node in self.victims:
            if node.id in self.cluster.nodes and not node.server.alive():
                node.server.start(wait=False)
                # Now and then the recovery itself is hit.
                if self.chance.random() < 0.15:
                    time.sleep(self.chance.uniform(0.0, 0.2))
                    node.kill()
                    node.server.start(wait=False)


class Pause(Fault):
    def start(self):
        self.victims = self.several()
        what = f"pause {self.name_of(self.victims)}"
        for node in self.victims:
            node.pause()
        return what

    def heal(self):
        for node in self.victims:
            node.resume()


class LinkFault(Fault):
    """Rules on directed pairs, told to both ends: whoever is up honours them."""
    least_nodes = 2

    def inject(self, what, pairs, **words):
        for a, b in pairs:
            for node_id in (a, b):
                node = self.cluster.nodes.get(node_id)
                if node and node.server.alive() and not node.paused:
                    self.cluster.say(node, what, a=a, b=b, **words)

    def heal(self):
        for node in self.cluster.nodes.values():
            if node.server.alive() and not node.paused:
                self.cluster.clear(node)

    def ids(self):
        return sorted(self.cluster.nodes)

    def shuffled(self):
        return self.chance.sample(self.ids(), len(self.cluster.nodes))


def both_ways(left, right):
    return [(a, b) for x in left for y in right for a, b in ((x, y), (y, x))]


class Halves(LinkFault):
    needs = ("partition",)

    def start(self):
        ids = self.shuffled()
        cut = self.chance.randint(1, len(ids) - 1)
        self.inject("partition", both_ways(ids[:cut], ids[cut:]))
        return f"partition {ids[:cut]} | {ids[cut:]}"


class IsolatedLeader(LinkFault):
    needs = ("partition",)

    def start(self):
        node = self.cluster.leader() or self.some()
        if not node:
            return None
        self.inject("partition", both_ways([node.id], [i for i in self.ids() if i != node.id]))
        return f"isolate {node.id} (leader)"


class OneWay(LinkFault):
    needs = ("partition",)

    def start(self):
        node = self.some(0.7)
        if not node:
            return None
        others = [i for i in self.ids() if i != node.id]
        others = self.chance.sample(others, self.chance.randint(1, len(others)))
        if self.chance.random() < 0.5:
            self.inject("partition", [(node.id, i) for i in others])
            return f"one way: nothing from {node.id} to {others}"
        self.inject("partition", [(i, node.id) for i in others])
        return f"one way: nothing from {others} to {node.id}"


class Bridge(LinkFault):
    """One node sees both halves, which do not see each other."""
    needs = ("partition",)
    least_nodes = 3

    def start(self):
        ids = self.shuffled()
        middle = (len(ids) - 1) // 2
        self.inject("partition", both_ways(ids[:middle], ids[middle + 1:]))
        return f"bridge {ids[:middle]} - {ids[middle]} - {ids[middle + 1:]}"


class BadLinks(LinkFault):
    """Loss, delay, doubling and overtaking on all links."""
    needs = ("drop", "delay", "duplicate", "reorder")

    def start(self):
        pairs = [(a, b) for a in self.ids() for b in self.ids() if a != b]
        chosen = self.chance.sample(self.needs, self.chance.randint(1, len(self.needs)))
        words = {"p": round(self.chance.uniform(0.02, 0.3), 2), "ms": self.chance.randint(5, 80)}
        for what in chosen:
            self.inject(what, pairs, **words)
        return f"bad links: {', '.join(chosen)} {words}"


class OnNode(LinkFault):
    """A fault of one node that FAULT.CLEAR ends."""
    least_nodes = 1

    def tell(self, what, **words):
        self.node = self.some()
        if not self.node:
            return None
        text = f"{what} on {self.name_of([self.node])} {words or ''}"
        reply = self.cluster.say(self.node, what, **words)
        return f"{text}: {reply}" if isinstance(reply, RespError) else text


class ClockSkew(OnNode):
    needs = ("clock-skew",)

    def start(self):
        limit = self.settings["skew_ms"]
        return self.tell("clock-skew", ms=self.chance.randint(-limit, limit))


class ClockDrift(OnNode):
    """Leases allow for clocks that run so much (raft.clock-drift-percent) too fast or too slow."""
    needs = ("clock-drift",)

    def start(self):
        limit = self.settings["drift_percent"]
        return self.tell("clock-drift", percent=self.chance.choice((-1, 1)) * self.chance.randint(1, limit))


class Crash(Kill):
    """The process ends itself, in the middle of what it does."""
    needs = ("crash",)

    def start(self):
        self.node = self.some()
        if not self.node:
            return None
        self.victims = [self.node]
        self.process = self.node.server.process
        what = f"crash {self.name_of(self.victims)}"
        self.cluster.say(self.node, "crash")
        return what

    def heal(self):
        # The order may be late; who restarted the node meanwhile has ended that process.
        if not self.node.paused:
            wait_until(f"node {self.node.id} crashes", lambda: self.process.poll() is not None, HEAL_SECONDS)
        super().heal()


class SlowDisk(OnNode):
    needs = ("slow-disk",)

    def start(self):
        return self.tell("slow-disk", ms=self.chance.randint(5, 300))


class DiskFull(OnNode):
    needs = ("disk-full",)

    def start(self):
        return self.tell("disk-full")


class FsyncError(OnNode):
    """A failed sync is never retried as if it had worked: the node starts anew."""
    needs = ("fsync-error",)

    def start(self):
        return self.tell("fsync-error")

    def heal(self):
        super().heal()
        self.node.kill()
        self.node.server.start(wait=False)


class LyingDisk(Fault):
    """Against the rules: syncs that do nothing, then all nodes die. The run must see the loss, or it proves nothing."""
    needs = ("lying-disk",)
    alone = True

    def start(self):
        for node in self.cluster.nodes.values():
            self.cluster.say(node, "lying-disk")
        return "all disks lie"

    def heal(self):
        for node in self.cluster.nodes.values():
            node.kill()
        for node in self.cluster.nodes.values():
            node.server.start(wait=False)


class Checkpoint(Fault):
    needs = ("checkpoint",)

    def start(self):
        node = self.some(0.3)
        if not node:
            return None
        self.cluster.say(node, "checkpoint")
        return f"checkpoint on {node.id}"


class Transfer(Fault):
    needs = ("transfer",)
    least_nodes = 2

    def start(self):
        leader = self.cluster.leader()
        if not leader:
            return None
        target = self.chance.choice([i for i in sorted(self.cluster.nodes) if i != leader.id])
        return f"transfer from {leader.id} to {target}: {self.cluster.say(leader, 'transfer', id=target)}"


class Membership(Fault):
    """A member is removed, and a new node of a fresh id and an empty folder takes its place."""
    needs = ("remove", "join")
    alone = True
    least_nodes = 3

    def start(self):
        leader = self.cluster.leader()
        if not leader:
            return None
        victim = self.some(0.25)
        reply = self.cluster.say(leader, "remove", id=victim.id)
        self.victim = victim
        self.certain = reply == "OK" or (isinstance(reply, RespError) and not reply.startswith("UNKNOWN"))
        return f"remove {victim.id}: {reply}"

    def voters(self):
        leader = self.cluster.leader()
        return {int(i) for i in re.findall(r"\d+", str(leader.status().get("voters", "")))} if leader else set()

    def heal(self):
        cluster, victim = self.cluster, self.victim
        if not self.certain:
            time.sleep(5.0)  # it may still take effect
        still = wait_until(f"a leader after the removal of {victim.id}; {cluster.describe()}", self.voters,
                           HEAL_SECONDS, 0.1)
        if victim.id in still:
            return  # the removal was refused
        victim.kill()
        del cluster.nodes[victim.id]
        cluster.removed.append(victim)
        self.settings["members_changed"]()
        new_id = max([*cluster.nodes, *(n.id for n in cluster.removed)]) + 1
        node = cluster.join(new_id)
        seeds = [n for n in cluster.nodes.values()]
        for_whom = self.chance.choice(seeds)

        uncertain = []  # replies behind which it may have joined; then it refuses to do so again

        def joined():
            reply = cluster.say(node, "join", address=f"127.0.0.1:{for_whom.raft_port}")
            if reply == "OK" or new_id in self.voters():
                return True
            if reply is None or RETRYABLE.match(reply):
                uncertain.append(reply)
            elif not uncertain:
                raise RuntimeError(f"RAFT.CLUSTER JOIN on the new node {new_id}: {reply}")
            return False
        try:
            wait_until(f"{new_id} joins; {cluster.describe()}", joined, HEAL_SECONDS, 0.1)
        except (RuntimeError, TimeoutError):
            node.kill()
            cluster.removed.append(node)
            raise
        cluster.nodes[new_id] = node
        wait_until(f"{new_id} is a voter; {cluster.describe()}", lambda: new_id in self.voters(), HEAL_SECONDS, 0.1)
        self.settings["members_changed"]()


FAULTS = {
    "kill": (Kill, 5), "pause": (Pause, 4), "halves": (Halves, 4), "isolated-leader": (IsolatedLeader, 3),
    "one-way": (OneWay, 4), "bridge": (Bridge, 2), "bad-links": (BadLinks, 3), "clock-skew": (ClockSkew, 3), "clock-drift": (ClockDrift, 2),
    "crash": (Crash, 1),
    "slow-disk": (SlowDisk, 2), "disk-full": (DiskFull, 2), "fsync-error": (FsyncError, 2),
    "checkpoint": (Checkpoint, 1), "transfer": (Transfer, 3), "membership": (Membership, 2),
    "lying-disk": (LyingDisk, 1),
}
ONLY_IF_NAMED = ("lying-disk",)


class Nemesis:
    def __init__(self, cluster, chance, settings, only, without, missing):
        self.cluster = cluster
        self.chance = chance
        self.settings = settings
        self.count = {}
        self.slowest_heal = 0.0
        self.shares = {}
        self.unavailable = []
        for name, (kind, share) in FAULTS.items():
            lacks = [n for n in kind.needs if n in missing]
            if lacks:
                self.unavailable.append(name)
            elif (kind.least_nodes <= len(cluster.nodes) and name not in without and
                  (name in only if only else name not in ONLY_IF_NAMED)):
                self.shares[name] = share

    def draw(self):
        names = [self.chance.choices(list(self.shares), list(self.shares.values()))[0]]
        if self.chance.random() < 0.35 and not FAULTS[names[0]][0].alone:
            more = {n: s for n, s in self.shares.items() if n not in names and not FAULTS[n][0].alone}
            if more:
                names.append(self.chance.choices(list(more), list(more.values()))[0])
        return names

    def round(self, log):
        """One calm spell, one or two faults, and healing; raises when the cluster does not come back."""
        time.sleep(self.chance.uniform(0.3, 2.0))
        begun = []
        for name in self.draw():
            fault = FAULTS[name][0](self.cluster, self.chance, self.settings)
            told = fault.start()
            if told:
                log(told)
                begun.append(fault)
                self.count[name] = self.count.get(name, 0) + 1
                time.sleep(self.chance.uniform(0.0, 0.5))
        if not begun:
            return
        time.sleep(self.chance.choice((0.2, 1.0, 2.5, 5.0)) * self.chance.uniform(0.5, 1.5))
        # What is paused goes on first, so that it hears what else is healed.
        for fault in sorted(begun, key=lambda f: (not isinstance(f, Pause), f.alone)):
            fault.heal()
        healed = time.monotonic()
        leader = self.cluster.wait_serving(HEAL_SECONDS)
        self.slowest_heal = max(self.slowest_heal, time.monotonic() - healed)
        log(f"healed after {time.monotonic() - healed:.1f} s, leader {leader.id}")
