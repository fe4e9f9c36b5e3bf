"""An HTTP server that answers late, to any number at once: ``python -m support.slow_answers PORT SECONDS``."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
import urllib.request

from support.servers import free_port
from support.workers import PATIENCE, ROOT

_COUNT = "count"


@contextlib.contextmanager
def slow_answers(seconds):
    """Run the server in a process of its own; its URL."""
    port = free_port()
    command = [sys.executable, "-m", "support.slow_answers", str(port), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT / "tests")
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                break
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)


def answered(url):
    """How many requests have been answered."""
    with urllib.request.urlopen(url + _COUNT, timeout=PATIENCE) as answer:
        return int(answer.read())


async def _serve(port, seconds):
    count = 0

    async def handle(reader, writer):
        nonlocal count
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            text = b""
            if head.split(b" ")[1] == f"/{_COUNT}".encode():
                text = str(count).encode()
            else:
                await asyncio.sleep(seconds)
                count += 1
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
