"""What is used of a bucket now, and what is left: tokens, what a window counts, or the slots of running tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor
from typing import TYPE_CHECKING, Final

from limitkit.buckets.calendar import borders
from limitkit.buckets.decision import Slots, Take, Window
from limitkit.buckets.slots import since
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.wording import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.buckets.decision import Bucket, Decision
    from limitkit.stores.store import Store

_AT_ONCE: Final = 100
"""Buckets that are read in one call, which bounds the time that the store needs for it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used of one bucket; of ``tokens``, ``counted`` and ``running`` the one that its kind has is set."""

    most: int
    """The burst, the number of a window, or ``max_running``."""
    tokens: float | None = None
    """In the bucket; what is below 0 is debt."""
    counted: int | None = None
    """Starts, or their tokens, in a window."""
    running: int | None = None
    more_in: float = 0.0
    """Seconds until one more may start, as far as that is known; until a debt is paid. 0.0 is now."""
    resets_in: float | None = None
    """Seconds until a window begins anew; None for a sliding one."""
    resets_at: float | None = None
    """The same as a moment, in seconds since 1970."""
    oldest: float | None = None
    """Seconds for which the oldest of the running tasks has had its slot."""

    @property
    def debt(self) -> float:
        """Tokens that were spent beyond what was there."""
        return max(0.0, -self.tokens) if self.tokens is not None else 0.0

    @property
    def is_used(self) -> bool:
        """Whether anything is taken."""
        return bool(self.counted or self.running or (self.tokens is not None and self.tokens < self.most))

    @property
    def is_full(self) -> bool:
        """Whether nothing is left of it."""
        return max(self.counted or 0, self.running or 0) >= self.most if self.tokens is None else self.tokens < 1

    def text(self) -> str:
        """Say it in a few words: ``3 of 3 run``; tokens are the number alone."""
        if self.running is not None:
            return f"{self.running:,} of {self.most:,} run"
        if self.counted is not None:
            left = f"{self.counted:,} of {self.most:,} counted"
            if self.resets_in is not None:
                return f"{left}, resets in {span(self.resets_in)}"
            return f"{left}, one more in {span(self.more_in)}" if self.is_full and self.more_in else left
        if self.debt:
            return f"{floor(self.tokens or 0.0):,}, paid in {span(self.more_in)}"
        return str(floor(self.tokens or 0.0))


def usages(store: Store, buckets: Sequence[Bucket], now: float) -> list[Usage]:
    """Look into buckets, without taking; ``now`` is the store's time. Raises StoreError."""
    found: list[Usage] = []
    for first in range(0, len(buckets), _AT_ONCE):
        found += _usages(store, buckets[first : first + _AT_ONCE], round(now * MICROSECONDS))
    return found


def _usages(store: Store, buckets: Sequence[Bucket], now_us: int) -> list[Usage]:
    slots = [each for each in buckets if isinstance(each, Slots)]
    others = [each for each in buckets if not isinstance(each, Slots)]
    running = iter(store.running(slots, now_us=now_us) if slots else ())
    looks = [Take((each,), count=0) for each in others]
    decisions = iter(store.take(looks, now_us=now_us) if looks else ())
    return [
        _of_slots(each, [member for member, _ in next(running)], now_us)
        if isinstance(each, Slots)
        else _of_window(each, next(decisions), now_us)
        if isinstance(each, Window)
        else _of_tokens(each, next(decisions), now_us)
        for each in buckets
    ]


def _of_slots(slots: Slots, members: Sequence[str], now_us: int) -> Usage:
    begun = [began for member in members if (began := since(member))]
    oldest = max(0.0, now_us / MICROSECONDS - min(begun)) if begun else None
    return Usage(slots.burst, running=len(members), oldest=oldest)


def _of_window(window: Window, decision: Decision, now_us: int) -> Usage:
    used = Usage(window.burst, counted=decision.marks[0], more_in=decision.waits[0])
    if window.resets is None:
        return used
    end = borders(window.resets, now_us).end
    return replace(used, resets_in=(end - now_us) / MICROSECONDS, resets_at=end / MICROSECONDS)


def _of_tokens(bucket: Bucket, decision: Decision, now_us: int) -> Usage:
    interval = decision.intervals[0] if decision.intervals else bucket.interval_us
    # A bucket is full after the same time at any rate, so one that was slowed down holds fewer tokens.
    whole = max(bucket.burst * bucket.interval_us, interval)
    tokens = (whole - (decision.marks[0] - now_us)) / interval
    if not bucket.metered or tokens >= 0:  # a plain one has no debt: its slots are reserved ahead
        return Usage(bucket.burst, tokens=max(0.0, tokens), more_in=decision.waits[0])
    return Usage(bucket.burst, tokens=tokens, more_in=-tokens * interval / MICROSECONDS)
