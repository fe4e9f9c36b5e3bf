"""A TCP proxy that delays each answer: ``python -m support.slow_link PORT TARGET_PORT SECONDS``."""

import socket
import sys
import threading
import time

_MOST = 1 << 16


def pump(source, sink, delay):
    """Copy what comes until one side closes."""
    try:
        while data := source.recv(_MOST):
            if delay:
                time.sleep(delay)
            sink.sendall(data)
    except OSError:
        pass
    finally:
        source.close()
        sink.close()


def main():
    port, target, delay = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with socket.create_server(("127.0.0.1", port)) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            near = server.accept()[0]
            far = socket.create_connection(("127.0.0.1", target))
            for link in (near, far):
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=pump, args=(near, far, 0.0), daemon=True).start()
            threading.Thread(target=pump, args=(far, near, delay), daemon=True).start()


if __name__ == "__main__":
    main()
