"""TLS in front of a server that has none: a link with a certificate of its own, in threads of this process."""

import contextlib
import select
import socket
import ssl
import subprocess
import threading
from pathlib import Path


def certificate(folder):
    """Make a key and a certificate for 127.0.0.1 that vouches for itself; returns their paths."""
    key, cert = Path(folder) / "key.pem", Path(folder) / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


class TlsLink:
    """Takes TLS connections on a free port, and passes on what comes to a plain one."""

    def __init__(self, target, folder):
        self._target = target
        key, self.cert = certificate(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.cert, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                threading.Thread(target=self._link, args=(near,), daemon=True).start()

    def _link(self, plain):
        try:
            near = self._context.wrap_socket(plain, server_side=True)
        except OSError:  # it does not trust the certificate
            plain.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        with near, far, contextlib.suppress(OSError):
            _pump(near, far)


def _pump(near, far):
    """Pass on both ways in one thread: OpenSSL lets no two use a connection at the same time."""
    while True:
        ready = [near] if near.pending() else select.select([near, far], [], [])[0]
        for source, sink in ((near, far), (far, near)):
            if source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                sink.sendall(data)
