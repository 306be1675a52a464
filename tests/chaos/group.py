"""A group of servers on loopback: starts them, breaks them, asks them. Used by chaos.py and by the bench.

What is said to a server in words that may change stands here alone: FORMS and raft_options.
"""
import pathlib
import shutil
import signal
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from resp import Client, RespError  # noqa: E402
from server import KIWI, Server, free_port, wait_until  # noqa: E402

# Each command with its arguments; where there is more than one form, the first that is known counts.
FORMS = {
    "partition": ["FAULT.INJECT partition from {a} to {b}"],
    "drop": ["FAULT.INJECT drop from {a} to {b} probability {p}"],
    "delay": ["FAULT.INJECT delay {ms} from {a} to {b}"],
    "duplicate": ["FAULT.INJECT duplicate from {a} to {b} probability {p}"],
    "reorder": ["FAULT.INJECT reorder {ms} from {a} to {b} probability {p}"],
    "clock-skew": ["FAULT.INJECT clock-skew {ms}"],
    "clock-drift": ["FAULT.INJECT clock-drift {percent}"],
    "crash": ["FAULT.INJECT crash"],
    "fsync-error": ["FAULT.INJECT fsync-error", "FAULT.DISK fail-all-syncs 1"],
    "disk-full": ["FAULT.INJECT disk-full", "FAULT.DISK space-left 4096"],
    "lying-disk": ["FAULT.DISK lie-all-syncs 1"],
    "slow-disk": ["FAULT.INJECT slow-disk {ms}", "FAULT.DISK slow-sync-ms {ms}"],
    "clear": ["FAULT.CLEAR", "FAULT.DISK clear 1"],
    "transfer": ["RAFT.TRANSFER_LEADER {id}"],
    "remove": ["RAFT.NODE REMOVE {id}"],
    "add": ["RAFT.NODE ADD {id} {address}"],
    "join": ["RAFT.CLUSTER JOIN {address}"],
    "checkpoint": ["RAFT.SNAPSHOT", "BGSAVE"],
}
# These answer once the group has done it.
WAITING = ("transfer", "remove", "add", "join", "checkpoint")
OPERATOR_SECONDS = 30.0
ANSWER_SECONDS = 15.0  # of a server that runs, on a machine that is busy
PAUSED_SECONDS = 1.0
EXAMPLE = {"a": 1, "b": 2, "p": 0.01, "ms": 1, "percent": 1, "id": 1, "address": "127.0.0.1:1"}


def raft_options(node_id, port, members, extra):
    """members: {id: raft port}; empty for a node that is to join later."""
    options = {"raft.fsync": "always", "fault.enabled": "yes", "fault.file-layer": "yes"}
    if port:
        options.update({"raft.node-id": node_id, "raft.bind": "127.0.0.1", "raft.port": port})
    if members:
        options["raft.initial-members"] = ",".join(f"{i}@127.0.0.1:{p}" for i, p in members.items())
    options.update(extra)
    return options


def as_dict(reply):
    """RAFT.STATUS of RESP2 (names and values by turns) or RESP3, as text → text or number."""
    if isinstance(reply, list):
        reply = dict(zip(reply[::2], reply[1::2]))
    text = lambda v: v.decode() if isinstance(v, bytes) else v
    return {text(k).replace("-", "_"): text(v) for k, v in reply.items()} if isinstance(reply, dict) else {}


class Node:
    def __init__(self, node_id, server, raft_port):
        self.id = node_id
        self.server = server
        self.raft_port = raft_port
        self.paused = False

    @property
    def port(self):
        return self.server.port

    def ask(self, *command, timeout=ANSWER_SECONDS):
        """One command on a connection of its own; None when the node does not answer."""
        try:
            with Client(self.port, timeout=PAUSED_SECONDS if self.paused else timeout) as client:
                return client.command(*command)
        except OSError:
            return None

    def status(self):
        return as_dict(self.ask("RAFT.STATUS"))

    def leads(self):
        return self.status().get("role") == "leader"

    def answers(self):
        return self.ask("PING") == "PONG"

    def pause(self):
        if self.server.alive():
            self.server.process.send_signal(signal.SIGSTOP)
            self.paused = True

    def resume(self):
        if self.paused and self.server.alive():
            self.server.process.send_signal(signal.SIGCONT)
        self.paused = False

    def kill(self):
        self.server.kill()
        self.paused = False


class Cluster:
    def __init__(self, count, binary=KIWI, options=None, folder=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="kiwi-cluster-"))
        self.binary = binary
        self.options = options or {}
        self.nodes = {}  # members, by id
        self.removed = []
        ports = {i: free_port() for i in range(1, count + 1)} if count > 1 else {1: None}
        for i, port in ports.items():
            self.nodes[i] = self._make(i, port, ports if count > 1 else {})
        self.known = {}  # fault → its form, see probe()

    def _make(self, node_id, port, members):
        server = Server(self.binary, raft_options(node_id, port, members, self.options),
                        folder=self.folder / f"node{node_id}")
        return Node(node_id, server, port)

    def start(self, seconds=30):
        for node in self.nodes.values():
            node.server.start(wait=False)
        self.wait_serving(seconds)
        return self

    def wait_serving(self, seconds=30):
        """Until all members see the same leader and each takes a write; returns the leader's node."""
        def ready():
            for node in self.nodes.values():
                if not node.server.alive():
                    raise RuntimeError(f"node {node.id} ended with {node.server.process.returncode}: "
                                       f"{node.server.log_tail()}")
            leader = self.agreed_leader()
            writes = leader and all(node.ask("SET", "chaos:serving", node.id) == "OK" for node in self.nodes.values())
            return leader if writes else None
        try:
            return wait_until("every node takes writes and sees one leader", ready, seconds, 0.1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.describe()}") from error

    def agreed_leader(self):
        states = {i: node.status() for i, node in self.nodes.items()}
        leaders = {s.get("leader_id") for s in states.values()}
        if len(leaders) != 1:
            return None
        leader = self.nodes.get(int(leaders.pop() or 0))
        return leader if leader and states[leader.id].get("role") == "leader" else None

    def leader(self):
        """The node that says it leads, of the highest term, or None."""
        found = [(n.status(), n) for n in self.nodes.values() if n.server.alive() and not n.paused]
        found = [(s.get("term", 0), n.id, n) for s, n in found if s.get("role") == "leader"]
        return max(found)[2] if found else None

    def describe(self):
        lines = []
        for node in self.nodes.values():
            if not node.server.alive():
                lines.append(f"{node.id}: not running")
                continue
            state = node.status()
            shown = ("role", "leader_id", "term", "commit_index", "applied_index", "last_index", "voters", "storage_error")
            lines.append(f"{node.id}: " + (", ".join(f"{k} {state[k]}" for k in shown if state.get(k) not in (None, ""))
                                           or "no answer"))
        return "; ".join(lines)

    def say(self, node, what, **words):
        """Says a command of FORMS to a node; returns its reply, or None."""
        form = self.known.get(what) or FORMS[what][0]
        return node.ask(*form.format(**words).split(), timeout=OPERATOR_SECONDS if what in WAITING else ANSWER_SECONDS)

    def probe(self):
        """Finds which commands of FORMS the servers know; returns those they do not, with the reason."""
        node = max(self.nodes.values(), key=lambda n: (not n.leads(), n.id))
        missing = {}
        # What would disturb the group is not tried, only asked for.
        for what in (*WAITING, "crash"):
            for form in FORMS[what]:
                info = node.ask("COMMAND", "INFO", form.split()[0])
                if info and info[0]:
                    self.known.setdefault(what, form)
            if what not in self.known:
                missing[what] = "no such command"
        for what in ("clear", "partition", "drop", "delay", "duplicate", "reorder", "clock-skew", "clock-drift",
                     "slow-disk", "lying-disk", "disk-full", "fsync-error"):
            for form in FORMS[what]:
                reply = node.ask(*form.format(**EXAMPLE).split())
                if reply is not None and not isinstance(reply, RespError):
                    self.known[what] = form
                    break
                missing[what] = str(reply)
            if what in self.known:
                missing.pop(what, None)
                self.clear(node)
        # A failed sync is never retried as if it had worked: the node may need a new start.
        node.kill()
        node.server.start(wait=False)
        self.wait_serving()
        return missing

    def clear(self, node):
        """Ends all faults of a node, of which an order may be late: until none is left, or the process has ended."""
        def cleared():
            if not node.server.alive():
                return True
            for form in FORMS["clear"]:
                if isinstance(node.ask(*form.split()), (RespError, type(None))):
                    return False
            return node.ask("FAULT.LIST") == []
        wait_until(f"node {node.id} has no faults", cleared, 60, 0.05)

    def join(self, node_id):
        """Starts a node of a fresh id and makes it a member; returns it."""
        port = free_port()
        node = self._make(node_id, port, {})
        node.server.start(wait=False)
        wait_until(f"the new node {node_id} answers", node.answers, 20, 0.05)
        return node

    def remove(self, keep=False):
        for node in [*self.nodes.values(), *self.removed]:
            node.kill()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
