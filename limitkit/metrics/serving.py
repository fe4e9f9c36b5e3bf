"""Shows metrics on a port, by prometheus-client's own server, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import generate_latest, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from limitkit.metrics.listening import fault, url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry

    from limitkit.metrics import Collector

logger = logging.getLogger("limitkit")

_PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"


class Scrapes:
    """Answers scrapes, each of which is collected as a whole, with no fork in the middle of it.

    A process that is forked while a metric is being read would have that metric's lock, and nobody to release it.
    """

    def __init__(self, registry: CollectorRegistry, own: Collector) -> None:
        self._registry = registry
        self._own = own
        self._usual: Any = make_wsgi_app(registry)
        self._lock = threading.Lock()
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer: in the plain format, which is quick to write, unless more is asked for than all."""
        with self._lock:
            if environ.get("QUERY_STRING") or environ["REQUEST_METHOD"] != "GET":
                return self._usual(environ, start_response)
            own = self._own.text().encode()
            with self._own.left_out():
                rest = generate_latest(self._registry)
        start_response("200 OK", [("Content-Type", _PLAIN)])
        return [own, rest]


def serve(host: str, ports: Iterable[int], registry: CollectorRegistry, own: Collector) -> WSGIServer | None:
    """Show limitkit's own metrics, and what else a registry has, on the first of these ports that is free.

    None, with a warning, when none is.

    Pool processes that are forked later don't keep the port.
    """
    why: OSError | UnicodeError = OSError("there is none")
    for port in ports:
        try:
            server = listen(host, port, registry, own)
        except (OSError, UnicodeError) as error:  # noqa: PERF203 (there are as many as a host has workers)
            why = error
        else:
            logger.info("Metrics are shown on %s.", url(host, server.server_port, "/metrics"))
            return server
    remedy = 'Free the port, or write a range for several workers on a host, e.g. port = "9545-9554".'
    if fault(why, host, 0).of == "host":
        remedy = 'Write a name or an address of this machine, e.g. host = "127.0.0.1" or "0.0.0.0".'
    logger.warning(
        "Metrics can't be shown on %s, port %s (%s); this worker goes on without. %s",
        host,
        "-".join(str(port) for port in sorted({min(ports), max(ports)})),
        getattr(why, "strerror", None) or why,
        remedy,
        extra={"action": "metrics_not_shown"},
    )
    return None


def listen(host: str, port: int, registry: CollectorRegistry, own: Collector) -> WSGIServer:
    """Show them on this port. Raises OSError or UnicodeError, which ``listening.fault`` explains."""
    return _server(host, port, Scrapes(registry, own))


def _server(host: str, port: int, app: Scrapes) -> WSGIServer:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    kind = type("Server", (ThreadingWSGIServer,), {"address_family": family, "allow_reuse_address": True})
    server: WSGIServer = make_server(str(address[0]), port, app, kind, handler_class=_Handler)

    def close() -> None:
        with contextlib.suppress(OSError):
            server.socket.close()

    os.register_at_fork(after_in_child=close)
    threading.Thread(target=server.serve_forever, name="limitkit-metrics", daemon=True).start()
    return server


class _Handler(WSGIRequestHandler):
    """One that writes nothing into the worker's log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
        """Say nothing."""
