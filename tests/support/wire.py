"""What a Redis was told, and by whom: commands of clients apart from those inside scripts."""

import re
import socket
import threading
from collections import Counter

import redis

_END = b"no more is listened to"
_COMMAND = re.compile(rb'\+[\d.]+ \[\d+ (\S+)\] "(\w+)"(?: "([^"]*)")?(?: "([^"]*)")?')
_PARKED = b":waiting:messages"
_TAG = re.compile(rb'delivery_tag\\*": \\*"([^"\\]+)')
_ID = re.compile(rb'\\"id\\": \\"([^"\\]+)')


class Wire:
    """Listens to all commands of a Redis while it is open."""

    def __init__(self, port):
        self._port = port
        self.commands = Counter()
        """Commands that clients sent, by name."""
        self.parks = Counter()
        """How often each message was parked, by its delivery tag."""
        self.sent = set()
        """The ids of messages that came to the end of a queue."""
        self._ids = {}
        self._last = {}

    def __enter__(self):
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.sendall(b"MONITOR\r\n")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        with redis.Redis(port=self._port) as client:
            client.echo(_END)
        self._thread.join(30)
        self._socket.close()

    def queued_last(self, id_):
        """Whether nothing was said of a message since it was put into a queue."""
        return self._last[self._ids[id_.encode()]] in (b"LPUSH", b"RPUSH")

    def _listen(self):
        with self._socket.makefile("rb") as lines:
            for line in lines:
                if _END in line:
                    return
                match = _COMMAND.match(line)
                if match is None:
                    continue
                where, name, key, field = match.groups()
                if name in (b"LPUSH", b"RPUSH"):
                    tag, id_ = _TAG.search(line), _ID.search(line)
                    if tag and id_:
                        self._ids[id_[1]] = tag[1]
                        self._last[tag[1]] = name
                        if name == b"LPUSH":
                            self.sent.add(id_[1].decode())
                elif name in (b"HSET", b"HDEL"):
                    self._last[field] = name
                if where != b"lua":
                    self.commands[name.decode().lower()] += 1
                elif name == b"HSET" and key.endswith(_PARKED):
                    self.parks[field] += 1
