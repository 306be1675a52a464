#!/usr/bin/env python3
"""Clients that mean harm or know no better: after each, a fresh client is answered at once.

Each story runs against one server with a limited reply buffer and a bounded number of clients; the
server must stay the same process through all of them.
"""
import argparse
import os
import random
import socket
import struct
import sys
import time

from resp import Client, RespError, encode
from server import KIWI, Server, wait_until

IDLE_CLIENTS = 1000


def closed_or_error(port, raw, seconds=20):
    """Sends raw bytes; returns what came back until the server closed, which it is to do."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        try:
            sock.sendall(raw)
        except OSError:
            return b""
        out = b""
        try:
            while len(out) < 100000:
                data = sock.recv(65536)
                if not data:
                    break
                out += data
        except OSError:
            pass
        return out


def send_and_leave(port, raw):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        try:
            sock.sendall(raw)
        except OSError:
            pass


def garbage(server, chance):
    for _ in range(200):
        send_and_leave(server.port, chance.randbytes(chance.randint(1, 3000)))


def broken_resp(server, _):
    """Frames that no client may send; the ones with a known answer are compared with Redis's text."""
    answers = {
        b"*1\r\n$-5\r\n": b"-ERR Protocol error: invalid bulk length",
        b"*1\r\n$99999999999999\r\n": b"-ERR Protocol error: invalid bulk length",
        b"*99999999999\r\n": b"-ERR Protocol error: invalid multibulk length",
        b"*2147483648\r\n": b"-ERR Protocol error: invalid multibulk length",
        b"*1\r\n+PING\r\n": b"-ERR Protocol error: expected '$', got '+'",
        b"*a\r\n": b"-ERR Protocol error: invalid multibulk length",
        b"*1\r\n$abc\r\n": b"-ERR Protocol error: invalid bulk length",
        b"SET 'unbalanced\r\n": b"-ERR Protocol error: unbalanced quotes in request",
        b"x" * 70000: b"-ERR Protocol error: too big inline request",
        b"*" + b"1" * 70000: b"-ERR Protocol error: too big mbulk count string",
        b"*1\r\n$" + b"1" * 70000: b"-ERR Protocol error: too big bulk count string",
    }
    for raw, expected in answers.items():
        got = closed_or_error(server.port, raw)
        assert got.startswith(expected), f"{raw[:40]!r}: {got[:120]!r}, not {expected!r}"
    for raw in (b"*0\r\n", b"*-1\r\n", b"\r\n\r\n"):
        with server.client() as client:
            client.send(raw + encode("PING"))
            assert client.read() == "PONG", raw


def oversized_promises(server, _):
    """Many clients that announce huge arguments and send nothing cost next to nothing."""
    before = server.rss_bytes()
    socks = []
    for _ in range(100):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nx")
        socks.append(sock)
    for _ in range(100):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        sock.sendall(b"*1000000\r\n$3\r\nDEL\r\n$1\r\nx\r\n")
        socks.append(sock)
    answers_fresh_client(server)
    grown = server.rss_bytes() - before
    for sock in socks:
        sock.close()
    assert grown < 200 << 20, f"200 announcements cost {grown >> 20} MB"


def byte_by_byte(server, _):
    with server.client() as client:
        raw = encode("SET", "slow", "v" * 50) + encode("GET", "slow") + b"PING\r\n"
        for i in range(len(raw)):
            client.send(raw[i:i + 1])
        assert [client.read(), client.read(), client.read()] == ["OK", b"v" * 50, "PONG"]


def cut_anywhere(server, chance):
    """A pipeline of big and small arguments, cut at random places."""
    big = chance.randbytes(300000)
    raw = b"".join(encode("SET", f"cut:{i}", big if i % 7 == 0 else i) + encode("GET", f"cut:{i}")
                   for i in range(50))
    with server.client() as client:
        at = 0
        got = []
        while at < len(raw):
            step = chance.choice((1, 2, 3, 100, 65536, 1 << 20))
            client.send(raw[at:at + step])
            at += step
        for i in range(50):
            got = [client.read(), client.read()]
            want = big if i % 7 == 0 else str(i).encode()
            assert got[0] == "OK" and got[1] == want, f"cut:{i}"


def never_reading(server, _):
    """A client that asks for gigabytes and reads nothing is stopped, not fed from memory."""
    with server.client() as client:
        assert client.command("SET", "large", b"x" * (1 << 20)) == "OK"
    before = server.rss_bytes()
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(1)
    request = encode("GET", "large") * 100
    try:
        for _ in range(50):
            sock.sendall(request)
    except OSError:
        pass  # it stopped reading us, or closed: both are right
    for _ in range(20):
        answers_fresh_client(server)
        time.sleep(0.05)
    grown = server.rss_bytes() - before
    sock.close()
    assert grown < 200 << 20, f"a client that does not read costs {grown >> 20} MB"


def resets(server, chance):
    """Connections that are reset with replies under way."""
    for _ in range(200):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(encode("SET", "r", "x" * 1000) * chance.randint(1, 50) + encode("GET", "r") * 20)
        sock.close()


def idle_crowd(server, _):
    """A thousand idle connections, some within a half-sent command, and a fresh client beside them."""
    socks = []
    for i in range(IDLE_CLIENTS):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        if i % 3 == 0:
            sock.sendall(b"*3\r\n$3\r\nSE")
        socks.append(sock)
    answers_fresh_client(server)
    with server.client() as client:
        text = client.command("INFO", "clients").decode()
        count = int(text.split("connected_clients:")[1].split()[0])
        assert count >= IDLE_CLIENTS, f"connected_clients says {count}"
    for sock in socks:
        sock.close()


def too_many_clients(server, _):
    """Past maxclients a client is told so; it is served again when others have left."""
    with server.client() as admin:
        assert admin.command("CONFIG", "SET", "maxclients", "50") == "OK"
        crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(60)]
        refused = 0
        for sock in crowd:
            sock.settimeout(20)
            try:
                sock.sendall(encode("PING"))
                data = sock.recv(200)
            except OSError:
                data = b""
            refused += data.startswith(b"-ERR max number of clients reached") or data == b""
        assert refused >= 10, f"only {refused} of 60 were refused with maxclients 50"
        for sock in crowd:
            sock.close()
        assert admin.command("CONFIG", "SET", "maxclients", "10000") == "OK"


def deep_pipeline(server, _):
    """A hundred thousand commands before the first reply is read, from a client that does read later."""
    with server.client(timeout=30) as client:
        count = 100000
        raw = encode("INCR", "deep") * count
        client.sock.setblocking(False)
        at, got = 0, b""
        deadline = time.monotonic() + 60
        while len(got) == 0 or got.count(b"\r\n") < count:
            assert time.monotonic() < deadline, "a deep pipeline stalled"
            try:
                if at < len(raw):
                    at += client.sock.send(raw[at:at + 65536])
            except BlockingIOError:
                pass
            try:
                got += client.sock.recv(1 << 20)
            except BlockingIOError:
                time.sleep(0.001)
        assert got.endswith(b":%d\r\n" % count), got[-40:]


def answers_fresh_client(server):
    begin = time.monotonic()
    with Client(server.port, timeout=5) as client:
        reply = client.command("PING")
        assert reply == "PONG" and not isinstance(reply, RespError), reply
    assert time.monotonic() - begin < 5


STORIES = [garbage, broken_resp, oversized_promises, byte_by_byte, cut_anywhere, never_reading, resets,
           idle_crowd, too_many_clients, deep_pipeline]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--kind", choices=("kiwi", "redis"), default="kiwi")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parser.parse_args()
    failed = []
    with Server(args.server, {} if args.kind == "kiwi" else {"save": ""}, kind=args.kind) as server:
        for story in STORIES:
            if args.only and args.only != story.__name__:
                continue
            try:
                story(server, random.Random(args.seed))
                wait_until("a fresh client is answered", lambda: answers_fresh_client(server) is None, 5)
                assert server.alive()
                print(f"ok      {story.__name__}", flush=True)
            except Exception as error:  # one story's failure must not hide the others
                failed.append(story.__name__)
                print(f"FAILED  {story.__name__}: {type(error).__name__}: {error}", flush=True)
                if not server.alive():
                    print(f"the server ended: {server.log_tail()}")
                    break
        assert failed or server.stop() == 0, "SIGTERM did not end the server with 0"
    if failed:
        print(f"again: tests/integration/hostile_test.py --seed {args.seed} --only {failed[0]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
