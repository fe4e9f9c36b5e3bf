"""The state of a bucket now: the rate in force and why, and how long it takes until all waiting tasks have started.

All commands and metrics outside the workers use this, so that they all show the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from limitkit.buckets.adaptive_rate import kept_us, seconds_for
from limitkit.buckets.decision import Slots, Window
from limitkit.buckets.token_bucket import MICROSECONDS, pace
from limitkit.buckets.window import most_of
from limitkit.config.model.units import about
from limitkit.control.current import rate_of, window_rate
from limitkit.control.make_bucket import bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.override import Override
    from limitkit.buckets.token_bucket import Pace
    from limitkit.config.declared import Limit
    from limitkit.control.in_force import InForce, Terms
    from limitkit.control.usage import Usage
    from limitkit.stores.store import Store

_AT_ONCE: Final = 500
"""The most buckets that one call asks about."""


@dataclass(frozen=True, slots=True)
class BucketState:
    """The state of one bucket of a limit."""

    limit: Limit
    bucket: Bucket
    """With the rate and burst that it has without a pause."""
    terms: Terms
    """What is in force without a pause, and why."""
    pause: Override | None
    """The pause that an operator has set."""
    adapted: Adapted | None
    """The adapted rate, if the other side has refused."""
    now: float
    """The store's time, in seconds since 1970."""

    @property
    def keeps(self) -> bool:
        """Whether it delays tasks: not if its limit is off, or in shadow mode."""
        return self.limit.mode == "enforce"

    @property
    def interval(self) -> float:
        """Seconds between two starts now, as long as it is not paused."""
        return self._pace.interval / MICROSECONDS

    @property
    def burst(self) -> int:
        """The most that may start at once: the tokens that it holds, the number of a window, or ``max_running``.

        If it was slowed down, it is full after the same time, and holds fewer.
        """
        goes = self._pace
        if isinstance(self.bucket, Window):
            return most_of(self.bucket, goes.interval)
        if isinstance(self.bucket, Slots):
            return self.bucket.burst
        return 1 + goes.depth // goes.interval

    @property
    def slowed(self) -> bool:
        """Whether it is slower because the other side has refused."""
        return self._pace.interval != self.bucket.interval_us

    @property
    def refused_for(self) -> float:
        """Seconds that the other side still asks to wait; 0.0 when it does not."""
        if self.adapted is None or not self.keeps:
            return 0.0
        return max(0.0, self.adapted.paused / MICROSECONDS - self.now)

    @property
    def paused_for(self) -> float:
        """Seconds until a pause of any kind ends; infinite when it has no end, 0.0 when there is none."""
        if not self.keeps:
            return 0.0
        by_operator = 0.0 if self.pause is None else inf if self.pause.until is None else self.pause.until - self.now
        return max(0.0, by_operator, self.refused_for)

    @property
    def ceiling_until(self) -> float | None:
        """Until when (seconds since 1970) the rate stays at its adapted ceiling; None if it is not there."""
        if self.adapted is None or not self.slowed or not self._at_ceiling(self.adapted):
            return None
        now_us = round(self.now * MICROSECONDS)
        return (now_us + kept_us(self.adapted, self.bucket, now_us)) / MICROSECONDS

    @property
    def rate(self) -> str:
        """The rate as in TOML, without a pause; an adapted rate is rounded. Of a concurrency limit ``3 at once``."""
        if not self.slowed:
            return rate_of(self.limit, self.terms)
        if isinstance(self.bucket, Window):
            return window_rate(self.limit, self.burst, self.terms.period_us)
        return about(self._pace.interval)

    @property
    def is_foreseen(self) -> bool:
        """Whether the time that its tasks need to start can be told."""
        return is_foreseen(self.limit)

    def drained_in(self, count: int, *, buckets: float = 1.0, usage: Usage | None = None) -> float | None:
        """Return the seconds until so many have started; infinite while it is paused without an end.

        ``buckets`` is how many of it there are: a static limit has one in each worker. For a window, ``usage`` says
        what it counts already; otherwise it is taken for full. None where it can't be told.
        """
        if not count or not self.keeps:
            return 0.0
        begins = self.paused_for
        if begins == inf:
            return inf
        if not self.is_foreseen:
            return None
        if usage is not None and usage.counted is not None:
            return max(begins, self._counted_in(count - max(0, self.burst - usage.counted), usage))
        when = round((self.now + begins) * MICROSECONDS)
        return begins + seconds_for(count / buckets, self.bucket, self.adapted, when)

    def _counted_in(self, count: int, usage: Usage) -> float:
        """Return the seconds until a window has counted so many more than it does now when it is full."""
        if count <= 0:
            return 0.0
        if usage.resets_in is None:
            return usage.more_in + (count - 1) * self.interval
        windows = (count - 1) // max(1, self.burst)
        return usage.resets_in + windows * self.burst * self.interval

    def _at_ceiling(self, adapted: Adapted) -> bool:
        return self._pace.interval == ceil(MICROSECONDS / adapted.ceiling)

    @property
    def _pace(self) -> Pace:
        known = {self.bucket.key: self.adapted} if self.adapted is not None and self.keeps else {}
        return pace(self.bucket, known, round(self.now * MICROSECONDS))


def is_foreseen(limit: Limit) -> bool:
    """Whether the time that a limit's waiting tasks need to start can be told.

    Nobody knows how long running tasks will take, or what those that wait will cost.
    """
    return limit.strategy != "concurrency" and not limit.metered


def state_of(
    in_force: InForce, limit: Limit, pattern: str, adapted: Adapted | None = None, partition: str | None = None
) -> BucketState:
    """Return the state of the bucket of a limit that a task has by this entry; a partition is given by its digest."""
    terms = in_force.without_pause(limit, pattern, partition)  # what holds after a pause is shown
    pause = in_force.override("pause", limit, pattern, partition)
    return BucketState(limit, bucket_of("", limit, terms), terms, pause, adapted, in_force.now)


def adapted(store: Store | None, keys: Iterable[str]) -> dict[str, Adapted]:
    """Ask for the adapted rates of these buckets, some at a time. Raises StoreError."""
    found: dict[str, Adapted] = {}
    wanted = list(keys) if store is not None else []
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        assert store is not None  # noqa: S101 (without a store, nothing is wanted)
        found |= {key: each for key, each in zip(some, store.adapted(some), strict=True) if each is not None}
    return found
