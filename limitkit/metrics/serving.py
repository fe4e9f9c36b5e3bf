"""Shows a registry on a port, by prometheus-client's own server, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry, Metric

logger = logging.getLogger("limitkit")


class Whole:
    """A registry whose metrics are all collected before the first is written, with no fork in the middle of it.

    A process that is forked while a metric is being read would have that metric's lock, and nobody to release it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    def collect(self) -> Iterable[Metric]:
        """Collect all."""
        with self._lock:
            return list(self._registry.collect())

    def restricted_registry(self, names: Iterable[str]) -> Any:
        """Choose some metrics, as a query with ``name[]`` asks for."""
        return self._registry.restricted_registry(names)


def serve(host: str, ports: Iterable[int], registry: CollectorRegistry) -> WSGIServer | None:
    """Show a registry on the first of these ports that is free. None, with a warning, when none is.

    Pool processes that are forked later don't keep the port.
    """
    why: OSError | None = None
    for port in ports:
        try:
            server = _server(host, port, registry)
        except OSError as error:  # noqa: PERF203 (there are as many as a host has workers)
            why = error
        else:
            logger.info("Metrics are shown on http://%s:%d/metrics.", host, server.server_port)
            return server
    logger.warning(
        "Metrics can't be shown on %s, port %s (%s); this worker goes on without. Free the port, or write a range for "
        'several workers on a host, e.g. port = "9545-9554".',
        host,
        "-".join(str(port) for port in sorted({min(ports), max(ports)})),
        why.strerror if why is not None else "there is none",
        extra={"action": "metrics_not_shown"},
    )
    return None


def _server(host: str, port: int, registry: CollectorRegistry) -> WSGIServer:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    kind = type("Server", (ThreadingWSGIServer,), {"address_family": family, "allow_reuse_address": True})
    app = make_wsgi_app(Whole(registry), disable_compression=True)
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
