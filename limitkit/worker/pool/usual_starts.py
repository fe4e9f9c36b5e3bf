"""What starts of each limit usually cost, and how long they run: so a worker reckons how fast others can follow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Slots
from limitkit.buckets.partition import parts_of
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket
    from limitkit.control.in_force import Terms

_NEWEST: Final = 0.2
"""The weight of the newest in each running mean."""


class UsualStarts:
    """Running means, by the limits' tags in buckets' keys."""

    def __init__(self) -> None:
        self._runs: dict[str, float] = {}
        """Microseconds for which a task of a concurrency limit runs."""
        self._costs: dict[str, float] = {}
        """Tokens that a start takes."""

    def ran(self, tag: str, seconds: float) -> None:
        """Note for how long a task has had a slot of a concurrency limit: so long others wait."""
        took = max(1.0, seconds * MICROSECONDS)
        self._runs[tag] = took + (1 - _NEWEST) * (self._runs.get(tag, took) - took)

    def costs(self, tag: str, tokens: int) -> float:
        """Note what a start takes; returns what one usually does."""
        mean = self._costs[tag] = tokens + (1 - _NEWEST) * (self._costs.get(tag, tokens) - tokens)
        return mean

    def cost(self, tag: str) -> float:
        """Return how many tokens a start usually takes."""
        return self._costs.get(tag, 1.0)

    def interval_us(self, bucket: Bucket) -> int:
        """Return the microseconds between two tokens; of a concurrency limit, between two ends of its tasks."""
        tag = (parts_of(bucket.key) or ("",))[0]
        run_us = self._runs.get(tag) if isinstance(bucket, Slots) else None
        return bucket.interval_us if run_us is None else max(1, round(run_us / max(1, bucket.burst)))

    def between_starts(self, name: str, terms: Terms) -> Terms:
        """Return terms with the time between two usual starts; the name is a limit's tag, or a bucket's key."""
        tag = (parts_of(name) or (name,))[0]
        interval = terms.interval_us * self.cost(tag)
        if tag in self._runs and terms.burst:
            interval = self._runs[tag] / terms.burst
        return replace(terms, interval_us=max(1, round(interval)))
