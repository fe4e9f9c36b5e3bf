"""Shows metrics on a port, as prometheus-client does."""

from __future__ import annotations

import gzip
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import choose_encoder, gzip_accepted

from limitkit.metrics.bind_errors import fault, url
from limitkit.metrics.http_server import BoundedServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.metrics.registry import Collector

logger = logging.getLogger("limitkit")

_OPENMETRICS: Final = "application/openmetrics-text"
_ICON: Final = "/favicon.ico"
_QUICKLY: Final = 1
"""The level of gzip, the fastest: the worker has other things to do."""


class Scrapes:
    """Answers scrapes, and lets no process be forked in the middle of one.

    A process that is forked while a metric is being read would inherit that metric's lock, which nothing releases.
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
        """Answer; HEAD is answered as GET is, without the body."""
        if environ["REQUEST_METHOD"] != "HEAD":
            return self._answer(environ, start_response)
        self._answer({**environ, "REQUEST_METHOD": "GET"}, start_response)
        return []

    def _answer(self, environ: Any, start_response: Any) -> Any:
        """Answer; when all metrics are asked for, limitkit writes its own itself, which is five times as fast."""
        if environ.get("QUERY_STRING") or environ["REQUEST_METHOD"] != "GET" or environ["PATH_INFO"] == _ICON:
            with self._lock:
                return self._usual(environ, start_response)
        encode, kind = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        with self._lock:
            own = self._own.text(openmetrics=kind.startswith(_OPENMETRICS)).encode()
            with self._own.left_out():
                body = own + encode(self._registry)
        headers = [("Content-Type", kind)]
        if gzip_accepted(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = gzip.compress(body, _QUICKLY)
            headers.append(("Content-Encoding", "gzip"))
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


def serve(host: str, ports: Iterable[int], registry: CollectorRegistry, own: Collector) -> BoundedServer | None:
    """Show limitkit's own metrics, and what else a registry has, on the first of these ports that is free.

    Logs a warning and returns None when none is. Pool processes that are forked later don't keep the port.
    """
    why: OSError | UnicodeError = OSError("there is none")
    for port in ports:
        try:
            server = listen(host, port, own, registry)
        except (OSError, UnicodeError) as error:  # noqa: PERF203 (only as many ports as a host has workers)
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


def listen(host: str, port: int, own: Collector, registry: CollectorRegistry | None = None) -> BoundedServer:
    """Show limitkit's metrics and a registry's on this port. Raises OSError or UnicodeError (``bind_errors``)."""
    server = BoundedServer(host, port, Scrapes(registry or CollectorRegistry(), own))
    server.start("limitkit-metrics")
    return server
