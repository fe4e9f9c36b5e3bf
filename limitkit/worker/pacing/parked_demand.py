"""What a worker asks of the waiting room for each bucket: more requests if it runs low, or none if it has enough."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.buckets.turns import TurnOrder
from limitkit.waiting.room import NO_MORE, Steering
from limitkit.worker.pacing.hold_bounds import LOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.turns import TurnTaker
    from limitkit.worker.pacing.hold_bounds import HoldBounds
    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pacing.parked_backlog import ParkedBacklog

_FEED: Final = 0.25
"""A lane that runs low is given the starts of so many seconds."""
_FAST: Final = 4.0
"""Starts a second from which on a lane that runs low gets more before its next request would come back by itself."""
_HIGH: Final = 0.75
"""From this part of what a worker should hold for it on, a lane has enough."""
_FED: Final = 0.5
"""Where values take turns, one that runs low is filled up to this part."""
_MOST_LOOKED_AT: Final = 256
"""Buckets with a backlog and without a lane that are looked at in one round."""
_DEEPER: Final = 4
_FEW: Final = 2
"""Where a lane holds more of each value than this, few values wait, and a new one is let in between them."""


class ParkedDemand:
    """Decides by how full the lanes are, and by what happened to the requests that were brought back."""

    def __init__(self, backlog: ParkedBacklog, bounds: HoldBounds) -> None:
        self._backlog = backlog
        self._bounds = bounds
        self._wet: set[str] = set()
        """Buckets that had more tokens than requests when they were last looked at."""
        self._local: set[str] = set()
        """Buckets that each worker has of its own: other workers may have tokens when this one has none."""
        self._unsure: dict[str, None] = {}
        """Buckets for which the waiting room must say how many are parked."""
        self._dead: dict[str, int] = {}
        """How many were brought back for a bucket and will never start."""
        self._next: dict[str, None] = {}
        """Concurrency limits of which this worker holds none that could have the slot of what it runs."""
        self.interval_us: Callable[[Bucket], int] = lambda bucket: bucket.interval_us
        """Returns the microseconds between two usual starts."""

    def came(self, lanes: Iterable[Lane]) -> None:
        """Note for which buckets a request has come."""
        self._local.update(lane.bucket.key for lane in lanes if lane.local)

    def ask_of(self, keys: Iterable[str]) -> None:
        """Have the waiting room say how many are parked for these buckets."""
        self._unsure.update(dict.fromkeys(keys))

    def is_dead(self, key: str) -> None:
        """Note that one of a bucket will never start: the next is wanted instead."""
        self._dead[key] = self._dead.get(key, 0) + 1

    def next_of(self, key: str) -> None:
        """Have one more come back for a concurrency limit: it starts as soon as what runs has ended."""
        self._next[key] = None

    def is_low(self, lane: Lane, now: float) -> bool:
        """Whether a worker holds so few for a lane that it wants more."""
        return self._bounds.level(lane, now) < LOW

    def takes_new(self, lane: Lane, taker: TurnTaker, now: float) -> bool:
        """Whether a lane takes new requests, though others of its bucket are parked.

        It does where the room can't bring those back for a lane that runs low. So it does for the first of a value, as
        far as this worker knows: it is his turn. But where many values wait, it is others' turn, too.
        """
        if not self._bounds.steered:
            return self.is_low(lane, now)
        if not taker.value or self._backlog.has_parked(lane.bucket.key, taker.value):
            return False
        if not isinstance(lane.waiting, TurnOrder):
            return True
        if lane.waiting.count(taker.value):
            return False
        return self.is_low(lane, now) or len(lane.waiting) >= _FEW * lane.waiting.values

    def is_stuck(self, lane: Lane, now: float) -> bool:
        """Whether a lane is full, while its bucket may have tokens for other workers."""
        return (lane.local or lane.dry_until <= now) and self._bounds.level(lane, now) >= _HIGH

    def steering(self, lanes: Mapping[str, Lane], places: int, now: float) -> Steering:
        """Return what to ask of the waiting room now; the worker has so many ``places`` left."""
        hungry: dict[str, tuple[float, int]] = {}
        full: dict[str, tuple[float, float]] = {}
        wet, self._wet = self._wet, set()
        dead, self._dead = self._dead, {}
        unsure, self._unsure = self._unsure, {}
        following, self._next = self._next, {}
        for key, bucket in self._looked_at(lanes, unsure | following):
            if key not in following and not self._backlog.waits(key, now):
                continue
            lane = lanes.get(key)
            level = self._bounds.level(lane, now) if lane is not None else 0.0
            interval = (self.interval_us(bucket) if lane is None else lane.spaced.interval_us) / MICROSECONDS
            rate = 1 / interval
            if key in unsure:
                hungry[key] = interval, 0
            pause = self._bounds.pause(lane, now) if lane is not None else 0.0
            if pause:
                full[key] = interval, pause
            elif level >= _HIGH and lane is not None:
                full[key] = interval, NO_MORE if self.is_stuck(lane, now) else self._bounds.seconds(lane)
            elif key in wet if lane is None else lane.dry_until <= now:
                self._wet.add(key)
                if level < LOW:
                    hungry[key] = interval, min(bucket.burst if lane is None else lane.at_once, self._bounds.beside)
            elif level < LOW and (rate >= _FAST or key in self._local):
                hungry[key] = interval, self._feed(key, lane, rate)
            # Those behind dead ones may be dead too: ask for more each time.
            lacking = _DEEPER * dead.get(key, 0) if lane is None else 0
            lacking = max(lacking, int(key in following and not (lane is not None and lane.waiting)))
            if lacking:
                hungry[key] = interval, max(lacking, hungry.get(key, (0, 0))[1])
        return Steering(hungry, full, self._bounds.lead, places, self._bounds.turns_lead)

    def _feed(self, key: str, lane: Lane | None, rate: float) -> int:
        """Return how many a lane that runs low is given; where values take turns, no more than it should hold."""
        if self._backlog.has_turns(key):
            return max(1, ceil(_FED * self._bounds.starts(rate, turns=True)) - (lane.count if lane is not None else 0))
        return ceil(rate * _FEED)

    def _looked_at(self, lanes: Mapping[str, Lane], unsure: Iterable[str]) -> Iterable[tuple[str, Bucket]]:
        known = self._backlog.buckets
        if len(known) <= _MOST_LOOKED_AT:
            return list(known.items())
        return [(key, known[key]) for key in dict.fromkeys((*lanes, *unsure)) if key in known]
