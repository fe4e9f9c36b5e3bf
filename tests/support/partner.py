"""The other side: an HTTP server that answers 429 above a rate which it keeps secret."""

import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Partner:
    """Admits at most ``secret`` requests in any second; says ``Retry-After`` with its refusals if it is given."""

    def __init__(self, secret, *, retry_after=None):
        self.secret = secret
        self.retry_after = retry_after
        self.answers = []
        """When each request came (``time.monotonic()``), and whether it was admitted."""
        self.refused = Counter()
        """Refusals, by what was asked for."""
        self._admitted = deque()
        self._lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def admits(self):
        with self._lock:
            now = time.monotonic()
            while self._admitted and self._admitted[0] <= now - 1.0:
                self._admitted.popleft()
            fine = len(self._admitted) < self.secret
            if fine:
                self._admitted.append(now)
            self.answers.append((now, fine))
            return fine

    def __enter__(self):
        partner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fine = partner.admits()
                partner.refused[self.path[1:]] += not fine
                self.send_response(200 if fine else 429)
                if not fine and partner.retry_after is not None:
                    self.send_header("Retry-After", str(partner.retry_after))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
