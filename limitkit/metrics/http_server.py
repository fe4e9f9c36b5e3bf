"""A small HTTP server that no client can fill up: for metrics, beside a worker's own work, and for the demo's page.

Each request has a thread of its own, of which there are few. Who is slow to say what they want gives way to who comes
next, so a scrape gets through however many others have opened a connection and say nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

_MOST: Final = 16
"""Connections at a time. When there are more, the oldest that has not asked for anything yet gives way."""
_ASKS_WITHIN: Final = 5.0
"""Seconds from a connection's being opened until all of its request has to be there."""
_TAKES_WITHIN: Final = 10.0
"""Seconds from then on until the answer has to be taken; Prometheus waits no longer by itself."""
_MAKES_ROOM_WITHIN: Final = 1.0
"""Seconds for which a new connection waits for one of the others to end."""
_LONGEST_HEAD: Final = 131_072
"""Bytes of a request's first line and its headers."""


class BoundedServer(ThreadingMixIn, WSGIServer):
    """A server with a bounded number of connections and threads, each for a bounded time."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        """Listen on a port, 0 for any that is free. Raises OSError when that can't be."""
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._guard = threading.Condition()
        self._asking: dict[Any, float] = {}
        """Since when each connection has been there that has not said yet what it wants, the oldest first."""
        self._answered: dict[Any, float] = {}
        """Since when each of the others has been answered."""
        self._ending: set[Any] = set()
        """Connections that were told to end, and have a thread yet."""
        super().__init__((str(address[0]), port), _Handler)
        self.set_app(app)
        os.register_at_fork(after_in_child=self._let_go)

    def start(self, name: str) -> None:
        """Serve in a thread of this name."""
        threading.Thread(target=self.serve_forever, name=name, daemon=True).start()

    def server_bind(self) -> None:
        """Bind, and look up no name: that may take long, and nobody wants to know."""
        TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin with a connection; if there are too many, without the one that has said nothing for longest."""
        with self._guard:
            if not self._has_room():
                self._hang_up(next(iter(self._asking), request))
            welcome = self._guard.wait_for(self._has_room, _MAKES_ROOM_WITHIN)
            if welcome:
                self._asking[request] = time.monotonic()
        if welcome:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _has_room(self) -> bool:
        return len(self._asking) + len(self._answered) + len(self._ending) < _MOST

    def has_asked(self, request: Any) -> None:
        """Give a connection, whose request is there, time for its answer."""
        with self._guard:
            if self._asking.pop(request, None) is not None:
                self._answered[request] = time.monotonic()

    def service_actions(self) -> None:
        """Hang up on whom we have waited for long enough; comes twice a second at least."""
        now = time.monotonic()
        with self._guard:
            for connections, seconds in ((self._asking, _ASKS_WITHIN), (self._answered, _TAKES_WITHIN)):
                for request in [request for request, since in connections.items() if now - since > seconds]:
                    self._hang_up(request)

    def _hang_up(self, request: Any) -> None:
        """Let what a connection's thread waits for come to nothing; the thread closes it."""
        if self._asking.pop(request, None) is None and self._answered.pop(request, None) is None:
            return
        self._ending.add(request)
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._guard:
            self._asking.pop(request, None)
            self._answered.pop(request, None)
            self._ending.discard(request)
            self._guard.notify()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that is gone in the middle: nobody here can do anything about it."""

    def _let_go(self) -> None:
        """Have a process that was forked keep neither the port nor a connection."""
        for each in (self.socket, *self._asking, *self._answered, *self._ending):
            with contextlib.suppress(OSError):
                os.close(each.detach())  # to close a socket that a thread reads from would wait for that


class _Head:
    """What a client sends, until it is too much."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = _LONGEST_HEAD
        self.close: Callable[[], None] = stream.close

    def readline(self, size: int) -> bytes:
        """Read a line, of so many bytes at most."""
        line: bytes = self._stream.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("request")
        return line


class _Handler(WSGIRequestHandler):
    """One that writes nothing into the worker's log."""

    server: BoundedServer

    def handle(self) -> None:
        """Answer one request."""
        self.rfile: Any = _Head(self.rfile)
        super().handle()

    def get_environ(self) -> dict[str, Any]:
        """Return what the application is told, once all of the request is there."""
        self.server.has_asked(self.connection)
        return super().get_environ()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
        """Say nothing."""
