"""A worker's estimate of the parked requests: for which buckets, and when one more would have its turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.buckets.partition import parts_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.buckets.turns import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.turns import TurnTaker
    from limitkit.control.in_force import Terms
    from limitkit.worker.pacing.lane import Lane

_SURPLUS: Final = 2.0
"""Seconds that are added to the time a backlog needs: a bucket is seldom as fast as its rate."""
_LEAST_SWEPT: Final = 1024
_MOST_VALUES: Final = 4096


class ParkedBacklog:
    """Buckets with parked requests: an estimate, since other workers park, and bring back, too.

    All times are seconds of monotonic time.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self.buckets: dict[str, Bucket] = {}
        """Buckets with requests that may be parked, by key."""
        self.counts: dict[str, int] = {}
        """How many are parked for some of these, by the last answer of the waiting room."""
        self._most = _LEAST_SWEPT
        self._values: dict[str, Counter[str]] = {}
        """Where values take turns: how many of each this worker has parked, less those that came back here."""

    def __len__(self) -> int:
        return len(self._until)

    def waits(self, key: str, now: float) -> bool:
        """Whether older requests of a bucket are parked: newer ones have to wait behind them."""
        return self._until.get(key, 0.0) > now

    def has_turns(self, key: str) -> bool:
        """Whether this worker has parked requests of a bucket for values that take turns."""
        return key in self._values

    def has_parked(self, key: str, value: str) -> bool:
        """Whether this worker has parked requests of a bucket for this value that have not come back here."""
        return value in self._values.get(key, ())

    def ahead(self, key: str, now: float, taker: TurnTaker = NOBODY) -> float:
        """Return in how many seconds all that are parked for a bucket are due; or for one value, at best."""
        ahead = max(0.0, self._until.get(key, 0.0) - now - _SURPLUS)
        if taker.value and ahead:
            own = self._values[key][taker.value] if key in self._values else 0
            return min(ahead, own * self.buckets[key].interval_us / MICROSECONDS)
        return ahead

    def turn(self, lane: Lane, now: float, taker: TurnTaker = NOBODY) -> float:
        """Return in how many seconds one more has its turn: behind what is held, and what is parked.

        One of a value that takes turns is behind its own, and as many of each of the others.
        """
        key = lane.bucket.key
        rounds = self.ahead(key, now, taker) * max(1, len(self._values.get(key, ())) if taker.value else 1)
        return max(lane.wait(now, 1), min(rounds, self.ahead(key, now)))

    def parked(self, bucket: Bucket, turn: float, now: float) -> None:
        """Note that one was parked."""
        self.buckets[bucket.key] = bucket
        until = now + turn + bucket.interval_us / MICROSECONDS + _SURPLUS
        self._until[bucket.key] = max(until, self._until.get(bucket.key, 0.0))
        if len(self._until) > self._most:
            self._sweep(now)

    def went(self, key: str, taker: TurnTaker | None = None) -> None:
        """Count one that has left for the waiting room."""
        if key in self.buckets:
            self.counts[key] = self.counts.get(key, 0) + 1
            if taker is not None:
                values = self._values.setdefault(key, Counter())
                values[taker.value] += 1
                if len(values) > _MOST_VALUES:
                    values.clear()  # so each seems to be new, which at worst lets it come too early

    def returned(self, takers: Iterable[tuple[str, TurnTaker]]) -> None:
        """Note that a request has come back, given by its buckets' keys and for whom it waits."""
        for key, taker in takers:
            values = self._values.get(key)
            if values is not None and taker.value in values:
                values[taker.value] -= 1
                if values[taker.value] <= 0:
                    del values[taker.value]

    def left(self, counts: Mapping[str, int], now: float) -> None:
        """Note how many are left of some buckets."""
        for key, count in counts.items():
            bucket = self.buckets.get(key)
            if bucket is not None and count:
                self._until[key] = now + count * bucket.interval_us / MICROSECONDS + _SURPLUS
                self.counts[key] = count
            else:
                self._forget(key)

    def retime(self, terms: Mapping[str, Terms], now: float) -> list[str]:
        """Use other rates, given by buckets' keys or the limits' tags in them; returns the buckets that changed."""
        changed = []
        for key, bucket in list(self.buckets.items()):
            parts = parts_of(key)
            of = terms.get(key) or (terms.get(parts[0]) if parts else None)
            if of is not None and of.interval_us != bucket.interval_us:
                self.buckets[key] = replace(bucket, interval_us=of.interval_us, burst=of.burst)
                left = max(0.0, self._until.get(key, now) - now)
                self._until[key] = now + left * of.interval_us / bucket.interval_us + _SURPLUS
                changed.append(key)
        return changed

    def clear(self) -> None:
        """Note that nothing is parked."""
        self._until.clear()
        self.buckets.clear()
        self.counts.clear()
        self._values.clear()

    def _forget(self, key: str) -> None:
        self._until.pop(key, None)
        self.buckets.pop(key, None)
        self.counts.pop(key, None)
        self._values.pop(key, None)

    def _sweep(self, now: float) -> None:
        for key in [key for key, until in self._until.items() if until <= now]:
            self._forget(key)
        self._most = max(_LEAST_SWEPT, 2 * len(self._until))
