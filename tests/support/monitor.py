"""Counts what a Redis is asked, and tells what clients asked from what scripts did inside."""

import socket
import threading
from collections import Counter
from typing import NamedTuple

import redis

_END = b"no more is counted"


class Command(NamedTuple):
    name: str
    key: str
    """Its first argument."""
    inside: bool
    """Whether a script called it."""


class Monitor:
    """Counts all commands while it is entered, from the last one of the name ``since`` on."""

    def __init__(self, port, since=None):
        self._port = port
        self._since = since
        self._counts = Counter()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self):
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._thread.start()
        return self

    def __exit__(self, *_):
        with redis.Redis(port=self._port) as client:
            client.echo(_END)
        self._thread.join(30)
        self._socket.close()

    def count(self, wanted):
        """Count the commands of which ``wanted(command)`` holds; only after the end."""
        return sum(number for command, number in self._counts.items() if wanted(command))

    def _read(self):
        with self._socket.makefile("rb") as lines:
            for line in lines:
                if _END in line:
                    return
                before, _, rest = line.partition(b"] ")
                words = rest.split(b'"', 4)
                name = words[1].decode().upper()
                if name == self._since:
                    self._counts.clear()
                key = words[3].decode("ascii", "replace") if len(words) > 3 else ""
                self._counts[Command(name, key, before.endswith(b" lua"))] += 1
