"""Asks a real Redis what played workers have asked, over many connections: what that needs of its one core."""

import contextlib
import socket
import tempfile
import time
from pathlib import Path

import redis
from support.servers import RedisServer

from limitkit.stores.take_script import SCRIPTS, question

CONNECTIONS = 200
LEAST = 10_000
"""Calls that are made at least: fewer are made again."""


@contextlib.contextmanager
def _server():
    with tempfile.TemporaryDirectory() as folder, RedisServer(folder) as server:
        yield server


def core_seconds(noted):
    """Make these calls of ``take``; returns the seconds of Redis's core that all of them need, and those of one."""
    with _server() as server, redis.Redis(port=server.port) as client:
        sha = client.script_load(SCRIPTS["take"])
        wall = time.time_ns() // 1000
        packer = redis.Connection()
        calls = []
        for _, takes, gifts in noted:
            keys, args = question(takes, gifts, None, wall)
            calls.append(b"".join(packer.pack_command("EVALSHA", sha, len(keys), *keys, *args)))
        again = max(1, -(-LEAST // len(calls)))
        spent = _spent(server, calls * again)
        return spent / again, spent / again / len(calls)


def message_seconds(count=20_000):
    """Return the seconds of Redis's core for what kombu asks for one message: nine commands, and one to send it."""
    packer = redis.Connection()
    pack = packer.pack_command
    body = b"x" * 700

    def rounds(number):
        tag = f"tag-{number}"
        fetch = [("MULTI",), ("ZADD", "unacked_index", 1.5, tag), ("HSET", "unacked", tag, body), ("EXEC",)]
        ack = [("MULTI",), ("ZREM", "unacked_index", tag), ("HDEL", "unacked", tag), ("EXEC",)]
        yield b"".join(pack("LPUSH", "celery", body))
        yield b"".join(pack("BRPOP", "celery", "celery3", "celery6", "celery9", 1))
        yield b"".join(b"".join(pack(*each)) for each in fetch)
        yield b"".join(b"".join(pack(*each)) for each in ack)

    with _server() as server:
        each = [list(rounds(number)) for number in range(count)]
        # All connections send, then all fetch: each step is one call of each connection, as kombu's pipelines are.
        calls = []
        for at in range(0, count, CONNECTIONS):
            some = each[at : at + CONNECTIONS]
            calls += [steps[step] for step in range(4) for steps in some]
        return _spent(server, calls) / count


def _spent(server, calls):
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
    for each in sockets:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    before = _core(server.process.pid)
    for at in range(0, len(calls), CONNECTIONS):
        some = calls[at : at + CONNECTIONS]
        for connection, call in zip(sockets, some, strict=False):
            connection.sendall(call)
        for connection, _ in zip(sockets, some, strict=False):
            reply = connection.recv(1 << 16)
            assert not reply.startswith(b"-"), reply
    spent = _core(server.process.pid) - before
    for each in sockets:
        each.close()
    return spent


def _core(pid):
    """Return the seconds that a server's first thread, which does all that is asked, has had of a core."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9
