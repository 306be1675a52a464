"""A small RESP client: the standard library only, RESP2 and RESP3, pipelines, and raw bytes.

Every wait has a deadline. An error reply is a value (RespError), not an exception: tests look at it.
A connection that ends or stalls raises ConnectionError or TimeoutError.
"""
import socket


class RespError(str):
    """An error reply, without the leading '-'."""


class Push(list):
    """An out-of-band RESP3 push."""


def encode(*args):
    """One command as RESP bytes; numbers and text are sent as their decimal or UTF-8 form."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        raw = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(out)


class Client:
    def __init__(self, port=None, host="127.0.0.1", path=None, timeout=10.0):
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection((host, port), timeout=timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.at = 0

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send(self, raw):
        self.sock.sendall(raw)

    def command(self, *args):
        """Sends one command and returns its reply."""
        self.send(encode(*args))
        return self.read()

    def pipeline(self, commands):
        """Sends all the commands at once; returns the list of replies."""
        self.send(b"".join(encode(*c) for c in commands))
        return [self.read() for _ in commands]

    def read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RespError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind in (b"$", b"=", b"!"):
            size = int(rest)
            if size < 0:
                return None
            body = self._exactly(size + 2)[:size]
            if kind == b"!":
                return RespError(body.decode())
            return body[4:] if kind == b"=" else body
        if kind in (b"*", b"~", b">"):
            size = int(rest)
            items = None if size < 0 else [self.read() for _ in range(size)]
            return Push(items) if kind == b">" else items
        if kind == b"%":
            pairs = [(self.read(), self.read()) for _ in range(int(rest))]
            return {(tuple(k) if isinstance(k, list) else k): v for k, v in pairs}
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind == b"(":
            return int(rest)
        raise ValueError(f"not RESP: {line[:80]!r}")

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.buffer = self.buffer[self.at:] + data
        self.at = 0

    def _line(self):
        while True:
            end = self.buffer.find(b"\r\n", self.at)
            if end >= 0:
                line = self.buffer[self.at:end]
                self.at = end + 2
                return line
            self._fill()

    def _exactly(self, size):
        if len(self.buffer) - self.at < size:
            parts = [self.buffer[self.at:]]
            have = len(parts[0])
            while have < size:
                data = self.sock.recv(min(1 << 20, max(65536, size - have)))
                if not data:
                    raise ConnectionError("the server closed the connection")
                parts.append(data)
                have += len(data)
            self.buffer = b"".join(parts)
            self.at = 0
        body = self.buffer[self.at:self.at + size]
        self.at += size
        return body


def info(client, section="everything"):
    """INFO as a dict of text."""
    reply = client.command("INFO", section)
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
