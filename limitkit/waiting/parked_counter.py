"""Counts what this worker has parked, for brokers that bring it back by themselves and can't be asked."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.clock import SYSTEM
from limitkit.waiting.room import Brought

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket
    from limitkit.clock import Clock
    from limitkit.waiting.room import Steering

_AGAIN: Final = 1.0
"""Seconds until what came back is counted again."""


class ParkedCounter:
    """How many requests of each bucket are parked and not due back yet; counted by whole seconds."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._left: Counter[str] = Counter()
        self._due: list[tuple[int, str]] = []
        """A heap, without the same twice."""
        self._counts: Counter[tuple[int, str]] = Counter()

    def went(self, bucket: str, seconds: float) -> None:
        """Count one that comes back in so many seconds."""
        due = math.ceil(self._clock.monotonic() + seconds), bucket
        if due not in self._counts:
            heapq.heappush(self._due, due)
        self._counts[due] += 1
        self._left[bucket] += 1

    def ahead(self, bucket: Bucket) -> float:
        """Return the seconds that a bucket needs for all that are parked."""
        return self._left[bucket.key] * bucket.interval_us / MICROSECONDS

    def look(self, steering: Steering) -> Brought:
        """Say how many are still parked."""
        now, asked = self._clock.monotonic(), dict.fromkeys((*steering.hungry, *steering.full))
        while self._due and self._due[0][0] <= now:
            due = heapq.heappop(self._due)
            asked[due[1]] = None
            self._left[due[1]] -= self._counts.pop(due)
        left = {bucket: self._left[bucket] for bucket in asked}
        for bucket in [bucket for bucket, count in left.items() if not count]:
            del self._left[bucket]
        return Brought(_AGAIN, left, empty=not self._left)
