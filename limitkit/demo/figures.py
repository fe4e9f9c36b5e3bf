"""Judges the starts of a run by limit: how fast they came, and whether any window had too many."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import floor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.config.declared import Limit

JITTER: Final = 0.05
"""Seconds that are added to a window: a limit allows burst + rate x (T + 0.05 s) + 1 starts in T."""


@dataclass(frozen=True, slots=True)
class Start:
    """The moment (``time.monotonic()``) at which a task's own code began, and where."""

    at: float
    task: str
    id: str
    worker: str
    partition: str


@dataclass(frozen=True, slots=True)
class BusiestWindow:
    """The window in which a bucket's starts came closest to what its limit allows, or went furthest over it."""

    starts: int
    seconds: float
    allowed: int
    kept: bool


@dataclass
class Tally:
    """The counts of one limit, or of the tasks that have none."""

    name: str
    limit: Limit | None
    sent: int = 0
    started: int = 0
    _buckets: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list), init=False)
    _ids: Counter[str] = field(default_factory=Counter, init=False)

    def add(self, start: Start) -> None:
        """Count a start, in the bucket that it belongs to."""
        self.started += 1
        self._ids[start.id] += 1
        strategy = self.limit.strategy if self.limit else None
        bucket = {"static": start.worker, "per_user": start.partition}.get(strategy or "", "")
        self._buckets[bucket].append(start.at)

    @property
    def waiting(self) -> int:
        """How many have not started yet; those that never do are lost."""
        return self.sent - len(self._ids)

    @property
    def twice(self) -> int:
        """How many starts were of a task that had started before."""
        return self.started - len(self._ids)

    @property
    def seconds(self) -> float:
        """From the first start to the last."""
        times = [at for bucket in self._buckets.values() for at in bucket]
        return max(times) - min(times) if times else 0.0

    @property
    def achieved(self) -> float | None:
        """Starts per second once the burst was used up, as the mean of all buckets; None as long as it is not known."""
        if self.limit is None:
            return self.started / self.seconds if self.seconds else None
        rates = [
            (len(times) - self.limit.burst) / (max(times) - min(times))
            for times in self._buckets.values()
            if len(times) > self.limit.burst and max(times) > min(times)
        ]
        return sum(rates) / len(rates) if rates else None

    @property
    def worst(self) -> BusiestWindow | None:
        """The worst window of all buckets; None where there is no limit, or no start."""
        if self.limit is None or not self._buckets:
            return None
        rate, burst = self.limit.per_second or 0.0, self.limit.burst
        excess, starts, seconds = max(_worst(sorted(times), rate) for times in self._buckets.values())
        allowed = burst + rate * (seconds + JITTER) + 1
        return BusiestWindow(starts, seconds, floor(allowed), kept=excess <= burst + rate * JITTER + 1)

    @property
    def kept_well(self) -> bool:
        """Whether the limit was kept, and no task started twice."""
        return not self.twice and (self.worst is None or self.worst.kept)

    @property
    def fine(self) -> bool:
        """Whether the limit was kept, and each task started once."""
        return not self.waiting and self.kept_well


def _worst(times: Sequence[float], rate: float) -> tuple[float, int, float]:
    """Find the window whose starts exceed rate x length the most: the excess, its starts, its seconds."""
    worst = (float("-inf"), 0, 0.0)
    lowest, since = float("inf"), 0
    for number, at in enumerate(times):
        if number - rate * at < lowest:
            lowest, since = number - rate * at, number
        worst = max(worst, (number + 1 - rate * at - lowest, number + 1 - since, at - times[since]))
    return worst
