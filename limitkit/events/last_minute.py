"""Counts how often something happened in the last minute, by name."""

from __future__ import annotations

import threading
from typing import Final

SECONDS: Final = 60
"""The window, in whole seconds."""


class Recent:
    """Counts for each second of the window; what is older is forgotten. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._at = 0

    def count(self, name: str, now: float) -> None:
        """Count one; ``now`` is in seconds."""
        with self._lock:
            self._advance(int(now))
            counts = self._counts.get(name)
            if counts is None:
                counts = self._counts[name] = [0] * SECONDS
            counts[self._at % SECONDS] += 1

    def total(self, name: str, now: float) -> int:
        """Return how many there were in the window."""
        with self._lock:
            self._advance(int(now))
            return sum(self._counts.get(name, ()))

    def _advance(self, second: int) -> None:
        """Move on to this second; the seconds in between had no events."""
        if second <= self._at:
            return
        for each in range(max(self._at + 1, second - SECONDS + 1), second + 1):
            for counts in self._counts.values():
                counts[each % SECONDS] = 0
        if second - self._at >= SECONDS:
            self._counts.clear()
        self._at = second
