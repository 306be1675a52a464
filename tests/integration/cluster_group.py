"""Three servers that form a group, for the tests of what clients see of one."""
from resp import RespError
from server import Server, free_port, wait_until


class Group:
    """`with Group(binary, {"cluster-enabled": "yes"}) as group`: group.servers, group.leader()."""

    def __init__(self, binary, args=None, size=3):
        self.binary = binary
        self.raft_ports = [free_port() for _ in range(size)]
        members = ",".join(f"{i + 1}@127.0.0.1:{p}" for i, p in enumerate(self.raft_ports))
        self.servers = []
        for i, raft_port in enumerate(self.raft_ports):
            options = {"raft.node-id": i + 1, "raft.port": raft_port, "raft.initial-members": members}
            options.update(args or {})
            self.servers.append(Server(binary, options))

    def __enter__(self):
        for server in self.servers:
            server.start(wait=False)
        for server in self.servers:
            server.wait_ready()
        self.leader()
        return self

    def __exit__(self, *unused):
        for server in self.servers:
            server.remove()

    def alive(self):
        return [s for s in self.servers if s.alive()]

    def leader(self, seconds=20, other_than=None):
        """The server that all live ones take for the leader, once they know each other's addresses."""
        return wait_until("one leader that all know", lambda: self._agreed(other_than), seconds, 0.02)

    def _agreed(self, other_than):
        leaders = set()
        for server in self.alive():
            try:
                with server.client(timeout=3) as client:
                    role = client.command("ROLE")
            except OSError:
                return None
            if isinstance(role, RespError):
                return None
            leaders.add(server.port if role[0] == b"master" else role[2])
        if len(leaders) != 1:
            return None
        port = leaders.pop()
        found = [s for s in self.alive() if s.port == port and s is not other_than]
        return found[0] if found else None

    def followers(self):
        leader = self.leader()
        return [s for s in self.alive() if s is not leader]
