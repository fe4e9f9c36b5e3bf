"""What the demo's page shows: for each limit its starts second by second, against what it allows."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from limitkit.demo.run import WAVE

if TYPE_CHECKING:
    from limitkit.demo.figures import Start, Tally
    from limitkit.demo.run import Run

SECONDS: Final = 60
"""The length of the curves."""
_JUDGE_EVERY: Final = 2.0
"""Seconds between two searches for the worst window, which take longer the more starts there are."""


class StartCurves:
    """The starts of the last minute by second, and whether each limit is kept; it is given each start."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._bins: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._began = time.monotonic()
        self._kept: dict[str, bool | None] = {}
        self._judged = 0.0

    def add(self, tally: Tally, start: Start) -> None:
        """Count a start."""
        bins = self._bins[tally.name]
        bins[int(start.at)] += 1
        if len(bins) > 2 * SECONDS:
            for second in [second for second in bins if second < start.at - SECONDS - 1]:
                del bins[second]

    def data(self) -> dict[str, Any]:
        """Return what the page draws, as plain values."""
        now = time.monotonic()
        tallies = list(self._run.tallies.values())
        if now - self._judged >= _JUDGE_EVERY:
            self._judged = now
            self._kept = {tally.name: tally.worst.kept if tally.worst is not None else None for tally in tallies}
        last = int(now) - 1  # this second is not over yet
        return {
            "seconds": SECONDS,
            "running": round(now - self._began, 1),
            "tasks": self._run.tasks,
            "every": WAVE,
            "limits": [self._limit(tally, last) for tally in tallies],
        }

    def _limit(self, tally: Tally, last: int) -> dict[str, Any]:
        bins = self._bins[tally.name]
        return {
            "name": tally.name.removeprefix("shop."),
            "strategy": tally.limit.strategy if tally.limit else None,
            "rate": tally.limit.rate_text if tally.limit else None,
            "burst": tally.limit.burst if tally.limit else None,
            "buckets": self._run.buckets(tally),
            "allowed": (tally.limit.per_second or 0.0) * self._run.buckets(tally) if tally.limit else None,
            "sent": tally.sent,
            "waiting": tally.waiting,
            "twice": tally.twice,
            "kept": self._kept.get(tally.name),
            "starts": [bins[second] for second in range(last - SECONDS + 1, last + 1)],
        }
