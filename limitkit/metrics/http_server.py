"""A small HTTP server that no client can block: for a worker's metrics, and for the demo's page.

Each request has a thread of its own, and there are few threads. A connection that is slow to send its request is closed
when a new one comes, so a scrape gets through however many others have opened a connection and send nothing.
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
"""Connections at a time. When there are more, the oldest that has not sent its request yet is closed."""
_REQUEST_TIMEOUT: Final = 5.0
"""Seconds after which a connection must have sent all of its request."""
_ANSWER_TIMEOUT: Final = 10.0
"""Seconds after its request in which a client must read the answer; Prometheus by default waits no longer."""
_ACCEPT_TIMEOUT: Final = 1.0
"""Seconds for which a new connection waits for another one to end."""
_LONGEST_HEAD: Final = 131_072
"""Bytes of a request's first line and its headers."""


class BoundedServer(ThreadingMixIn, WSGIServer):
    """A server with a bounded number of connections and threads, each for a bounded time."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        """Listen on a port, 0 for any that is free. Raises OSError when that is not possible."""
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._guard = threading.Condition()
        self._incoming: dict[Any, float] = {}
        """Connections that have not sent their request yet, with the time when each was opened, the oldest first."""
        self._answered: dict[Any, float] = {}
        """The other connections, with the time when the request was there."""
        self._ending: set[Any] = set()
        """Connections that are shut down and still have a thread."""
        super().__init__((str(address[0]), port), _Handler)
        self.set_app(app)
        os.register_at_fork(after_in_child=self._let_go)

    def start(self, name: str) -> None:
        """Serve in a thread of this name."""
        threading.Thread(target=self.serve_forever, name=name, daemon=True).start()

    def server_bind(self) -> None:
        """Bind, and look up no host name: that may take long, and it is not used."""
        TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Accept a connection; if there are too many, close the oldest that has not sent its request."""
        with self._guard:
            if not self._has_room():
                self._hang_up(next(iter(self._incoming), request))
            welcome = self._guard.wait_for(self._has_room, _ACCEPT_TIMEOUT)
            if welcome:
                self._incoming[request] = time.monotonic()
        if welcome:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _has_room(self) -> bool:
        return len(self._incoming) + len(self._answered) + len(self._ending) < _MOST

    def has_asked(self, request: Any) -> None:
        """Note that a connection's request is there; from now on the time for its answer counts."""
        with self._guard:
            if self._incoming.pop(request, None) is not None:
                self._answered[request] = time.monotonic()

    def service_actions(self) -> None:
        """Close connections that took too long; called twice a second at least."""
        now = time.monotonic()
        with self._guard:
            for connections, seconds in ((self._incoming, _REQUEST_TIMEOUT), (self._answered, _ANSWER_TIMEOUT)):
                for request in [request for request, since in connections.items() if now - since > seconds]:
                    self._hang_up(request)

    def _hang_up(self, request: Any) -> None:
        """Shut a connection down, so that its thread stops waiting and closes it."""
        if self._incoming.pop(request, None) is None and self._answered.pop(request, None) is None:
            return
        self._ending.add(request)
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._guard:
            self._incoming.pop(request, None)
            self._answered.pop(request, None)
            self._ending.discard(request)
            self._guard.notify()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing when a client is gone in the middle: there is nothing to do about it."""

    def _let_go(self) -> None:
        """Close the port and all connections in a process that was forked."""
        for each in (self.socket, *self._incoming, *self._answered, *self._ending):
            with contextlib.suppress(OSError):
                os.close(each.detach())  # socket.close() would wait for a thread that reads from it


class _Head:
    """Reads what a client sends, up to a bound."""

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
    """Answers one request, and writes nothing into the worker's log."""

    server: BoundedServer

    def handle(self) -> None:
        """Answer one request."""
        self.rfile: Any = _Head(self.rfile)
        super().handle()

    def get_environ(self) -> dict[str, Any]:
        """Return the environment for the application, once all of the request is there."""
        self.server.has_asked(self.connection)
        return super().get_environ()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
        """Log nothing."""
