"""Serves the demo's page and its data, on the loopback interface."""

from __future__ import annotations

import ipaddress
import json
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from limitkit.metrics.http_server import BoundedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

HOST: Final = "127.0.0.1"
_TEXT: Final = "text/plain; charset=utf-8"


class Page:
    """The page on a port, 0 for any that is free. Raises OSError when the port is taken.

    A context manager: a request that comes before ``show()`` waits for it.
    """

    def __init__(self, port: int) -> None:
        self._page = files("limitkit.demo").joinpath("page.html").read_bytes()
        self._server = BoundedServer(HOST, port, self._answer)
        self._data: Callable[[], Any] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def show(self, data: Callable[[], Any]) -> None:
        """Answer from now on, with what ``data`` returns."""
        self._data = data
        self._server.start("limitkit-demo")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._data is not None:
            self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: Any, start_response: Any) -> list[bytes]:
        status, kind, body = self._found(environ)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(status, headers)
        return [body] if environ["REQUEST_METHOD"] != "HEAD" else []

    def _found(self, environ: Any) -> tuple[str, str, bytes]:
        assert self._data is not None  # noqa: S101 (nobody is answered before)
        if not is_here(environ.get("HTTP_HOST", ""), self.port):
            text = f"This page is for this machine alone: open http://{HOST}:{self.port}/\n"
            return "421 Misdirected Request", _TEXT, text.encode()
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return "405 Method Not Allowed", _TEXT, b"This page can only be looked at.\n"
        if environ["PATH_INFO"] == "/":
            return "200 OK", "text/html; charset=utf-8", self._page
        if environ["PATH_INFO"] == "/data.json":
            return "200 OK", "application/json", json.dumps(self._data()).encode()
        return "404 Not Found", _TEXT, b"There is / and /data.json.\n"


def is_here(host: str, port: int) -> bool:
    """Whether a request's Host names this machine's loopback interface, and this port.

    Else a page from elsewhere whose name now resolves to 127.0.0.1 (DNS rebinding) could read what is shown here.
    """
    name, colon, number = host.rpartition(":")
    if not colon or number != str(port):
        return False
    if name.lower() == "localhost":
        return True
    with suppress(ValueError):
        if name.startswith("[") and name.endswith("]"):
            return ipaddress.IPv6Address(name[1:-1]).is_loopback
        return ipaddress.IPv4Address(name).is_loopback
    return False
