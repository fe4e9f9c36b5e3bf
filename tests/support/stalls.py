"""When this machine stood still: what a test measures of others' times can be told from what nobody could help."""

import threading
import time

_EVERY = 0.01
_FELT = 0.05


class Stalls:
    """Notes, while it is entered, from when until when nothing ran here."""

    def __init__(self):
        self._found = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def within(self, begin, end):
        """Return how many seconds of this time were lost."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in list(self._found))

    def _watch(self):
        last = time.monotonic()
        while not self._done.wait(_EVERY):
            now = time.monotonic()
            if now - last > _FELT:
                self._found.append((last + _EVERY, now))
            last = now
