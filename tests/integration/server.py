"""Starts and stops servers for tests: on a free port, in a data folder of their own, with deadlines.

A server is always ended by the process id that we started; `with Server(...)` ends it in any case.
"""
import fcntl
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from resp import Client, RespError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KIWI = ROOT / "build" / "src" / "kiwi-server"
START_SECONDS = 120


# Ports of tests lie below those that the kernel hands out by itself.
REDIS_SUITE_PORTS = range(21079, 21112)  # Redis's own suite listens here, and takes no other
TOOL_PORTS = range(22000, 22700)  # for servers that use the port 10000 above as well
PORTS = range(20000, 31000)
PORTS_A_PROCESS = 200


class _Ports:
    """Ports that no other test process gives out: each has a block of them, by a lock that ends with it."""

    def __init__(self):
        self.lock = None
        self.left = []

    def take(self):
        for _ in range(2 * PORTS_A_PROCESS):
            if not self.left:
                self.left = self._block()
            port = self.left.pop(0)
            if is_free(port):
                return port
        raise RuntimeError("no free port")

    def _block(self):
        if self.lock is None:
            folder = pathlib.Path(tempfile.gettempdir()) / f"kiwi-test-ports-{os.getuid()}"
            folder.mkdir(exist_ok=True)
            begins = [p for p in PORTS[::PORTS_A_PROCESS] if self._of_block(p)]
            random.SystemRandom().shuffle(begins)
            for begin in begins:
                lock = os.open(folder / str(begin), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(lock)
                    continue
                self.lock, self.begin = lock, begin
                break
            else:
                raise RuntimeError("more tests at once than blocks of ports")
        return self._of_block(self.begin)

    @staticmethod
    def _of_block(begin):
        block = range(begin, begin + PORTS_A_PROCESS)
        return [p for p in block if p not in REDIS_SUITE_PORTS and p not in TOOL_PORTS]


_ports = _Ports()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_port():
    """A port that nobody listens on now and that is given out to nobody else soon."""
    return _ports.take()


def wait_until(what, condition, seconds=60.0, pause=0.01):
    """Waits for condition() to be true and returns its value; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s: {what}")
        time.sleep(pause)


class Server:
    """A server process. `args` are extra options (a dict, key → value).

    folder: the data folder; made and removed with the server if not given.
    binary: Kiwi's, or a redis-server (kind="redis") for comparison.
    """

    def __init__(self, binary=KIWI, args=None, folder=None, kind="kiwi", port=None):
        self.binary = str(binary)
        self.args = dict(args or {})
        self.kind = kind
        self.owns_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="kiwi-test-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.process = None
        self.log = self.folder.with_name(self.folder.name + ".log")

    def command_line(self):
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder}
        if self.kind == "kiwi":
            options["enable-debug-command"] = "yes"  # DEBUG DIGEST
        options.update(self.args)
        line = [self.binary]
        for key, value in options.items():
            line += [f"--{key}", str(value)]
        return line

    def start(self, wait=True):
        assert self.process is None or self.process.poll() is not None, "already running"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command_line(), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=START_SECONDS):
        """Until PING is answered with PONG (not -LOADING)."""
        wait_until(f"{self.binary} on port {self.port} answers PING; {self.log_tail()}",
                   self._answers, seconds, 0.005)

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}: {self.log_tail()}")
        try:
            with Client(self.port, timeout=5) as client:
                reply = client.command("PING")
                return reply == "PONG" and not isinstance(reply, RespError)
        except OSError:
            return False

    def client(self, timeout=10.0):
        return Client(self.port, timeout=timeout)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and waits for the end."""
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait(60)  # it may be within a long sync

    def stop(self, seconds=20):
        """SIGTERM; returns the exit code. A server that does not end in time is killed, and that raises."""
        if self.alive():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"SIGTERM did not end the server in {seconds} s: {self.log_tail()}")

    def wait_exit(self, seconds=20):
        return self.process.wait(seconds)

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def log_tail(self, lines=15):
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def remove(self):
        """Ends the server and removes what it wrote."""
        self.kill()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.remove()
