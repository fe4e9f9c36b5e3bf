"""How a bucket stands now: the rate that is in force there and why, and in which time what waits for it starts.

Whatever shows or counts this from outside of the workers asks here, so that all of it says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from limitkit.buckets.adaptive_rate import kept_us, seconds_for
from limitkit.buckets.decision import Bucket
from limitkit.buckets.token_bucket import MICROSECONDS, pace
from limitkit.config.model.units import about, interval_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.override import Override
    from limitkit.buckets.token_bucket import Pace
    from limitkit.config.declared import Limit
    from limitkit.control.in_force import InForce
    from limitkit.stores.store import Store

_AT_ONCE: Final = 500
"""Buckets that are asked about in one call."""


@dataclass(frozen=True, slots=True)
class BucketState:
    """How one bucket of a limit goes."""

    limit: Limit
    bucket: Bucket
    """With its rate and burst as long as nobody has paused it."""
    pause: Override | None
    """Of somebody's hand."""
    adapted: Adapted | None
    """By what the other side has refused."""
    now: float
    """The store's time, in seconds since 1970."""

    @property
    def keeps(self) -> bool:
        """Whether anything is delayed for it: not of a limit that is off, or in shadow."""
        return self.limit.mode == "enforce"

    @property
    def interval(self) -> float:
        """Seconds between two starts now, as long as it is not paused."""
        return self._pace.interval / MICROSECONDS

    @property
    def burst(self) -> int:
        """Tokens that it holds at most; one that was slowed down is full after the same time, and holds less."""
        goes = self._pace
        return 1 + goes.depth // goes.interval

    @property
    def slowed(self) -> bool:
        """Whether the other side's refusals make it slower than it would be."""
        return self._pace.interval != self.bucket.interval_us

    @property
    def refused_for(self) -> float:
        """Seconds for which the other side wants to be left alone; 0.0 when it does not."""
        if self.adapted is None or not self.keeps:
            return 0.0
        return max(0.0, self.adapted.paused / MICROSECONDS - self.now)

    @property
    def paused_for(self) -> float:
        """Seconds until a start may be again, whoever has paused it; infinite when that has no end, 0.0 if nobody."""
        if not self.keeps:
            return 0.0
        by_hand = 0.0 if self.pause is None else inf if self.pause.until is None else self.pause.until - self.now
        return max(0.0, by_hand, self.refused_for)

    @property
    def ceiling_until(self) -> float | None:
        """Until when (seconds since 1970) a rate is kept to the ceiling that refusals have taught; None if it isn't."""
        if self.adapted is None or not self.slowed or not self._at_ceiling(self.adapted):
            return None
        now_us = round(self.now * MICROSECONDS)
        return (now_us + kept_us(self.adapted, self.bucket, now_us)) / MICROSECONDS

    @property
    def rate(self) -> str:
        """The rate as in TOML, as long as it is not paused; one that refusals have made is about that."""
        return about(self._pace.interval) if self.slowed else interval_text(self._pace.interval)

    def drained_in(self, count: int, *, buckets: float = 1.0) -> float:
        """Return the seconds in which so many start; infinite while it is paused without an end.

        ``buckets`` is how many there are of it, as those of static limits in each worker.
        """
        if not count or not self.keeps:
            return 0.0
        begins = self.paused_for
        if begins == inf:
            return inf
        when = round((self.now + begins) * MICROSECONDS)
        return begins + seconds_for(count / buckets, self.bucket, self.adapted, when)

    def _at_ceiling(self, adapted: Adapted) -> bool:
        return self._pace.interval == ceil(MICROSECONDS / adapted.ceiling)

    @property
    def _pace(self) -> Pace:
        taught = {self.bucket.key: self.adapted} if self.adapted is not None and self.keeps else {}
        return pace(self.bucket, taught, round(self.now * MICROSECONDS))


def standing(in_force: InForce, limit: Limit, pattern: str, adapted: Adapted | None = None) -> BucketState:
    """Return how a limit's bucket stands that a task has by this entry."""
    terms, rate = in_force.terms(limit, pattern), in_force.override("rate", limit, pattern)
    bucket = Bucket("", terms.interval_us, terms.burst, feedback=limit.feedback)
    if not terms.burst:  # a pause by hand stands over all else; below it is the rate that holds when it is over
        set_to = rate.rate if rate is not None and rate.rate is not None else limit.rate
        burst = (rate.burst if rate is not None else None) or limit.burst
        bucket = Bucket("", set_to.interval_us, burst, feedback=limit.feedback)
    return BucketState(limit, bucket, in_force.override("pause", limit, pattern), adapted, in_force.now)


def adapted(store: Store | None, keys: Iterable[str]) -> dict[str, Adapted]:
    """Ask what refusals have taught about these buckets, some at a time. Raises StoreError."""
    found: dict[str, Adapted] = {}
    wanted = list(keys) if store is not None else []
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        assert store is not None  # noqa: S101 (nothing is wanted else)
        found |= {key: each for key, each in zip(some, store.adapted(some), strict=True) if each is not None}
    return found
