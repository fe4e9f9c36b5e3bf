"""Serves the demo's page and what it draws, on the loopback interface."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST: Final = "127.0.0.1"


@contextlib.contextmanager
def served(port: int, data: Callable[[], Any]) -> Iterator[int]:
    """Serve the page on a port, 0 for any that is free; yields the port. Raises OSError when it is taken."""
    page = files("limitkit.demo").joinpath("page.html").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        """Answers with the page, or with what it draws now."""

        def do_GET(self) -> None:
            """Answer."""
            if self.path == "/":
                self._answer("text/html; charset=utf-8", page)
            elif self.path == "/data.json":
                self._answer("application/json", json.dumps(data()).encode())
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
            """Say nothing."""

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
