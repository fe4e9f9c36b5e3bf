"""How much a worker holds: what is due soon, so that other workers get the rest, and little is lost if it dies."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from limitkit.buckets.turns import TurnOrder
from limitkit.worker.pacing.lane import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from limitkit.buckets.turns import TurnTaker
    from limitkit.config.declared import WaitingSettings
    from limitkit.worker.pacing.lane import Held, Lane

MOST_HELD: Final = 1000
"""The default for the most requests that a worker holds: each takes about 10 KB of its memory."""
LEAD: Final = 1.5
"""Seconds before its turn at which a request comes back: it must be in a worker in time, and no earlier than needed."""
_LEADS_SHARE: Final = 0.75
_PREFETCHES: Final = 4
_LONGEST_PAUSE: Final = 60.0
"""Seconds for which what is parked for a bucket with feedback stays there, before the bucket is looked at again."""
LOW: Final = 0.25
"""A lane below this part of what a worker should hold for it wants more."""
_CROWDED: Final = 0.75
"""Above this part of the most that a worker may hold, no request may keep a place for long."""
_PATIENCE: Final = 2
"""A wait is long then when it is longer than so many times ``hold``."""
_TURNS_SHARE: Final = 0.125
"""Of a bucket whose limit has ``fair_by``, a worker holds so much of what it would hold of others."""
_FEW: Final = 2
"""So many requests of a bucket a worker holds in any case; and of each value, as long as it has not far too many."""
SPARE: Final = 2
"""A worker plans to hold a request for the time for which the broker lets it, divided by this."""
_FOR_RETURNED: Final = 2
"""A request that was parked before may be held so many times longer: parking it again costs more than a place."""


class HoldBounds:
    """The bounds of ``[waiting]``: of each bucket what starts within ``hold``; four prefetch windows in any case."""

    def __init__(self, settings: Callable[[], WaitingSettings], prefetch: Callable[[], int]) -> None:
        self._settings = settings
        self._prefetch = prefetch
        self.steered = False
        """Whether the waiting room brings back what this worker could start."""
        self.longest = NEVER
        """Seconds for which the broker lets a worker hold a request."""

    @property
    def beside(self) -> int:
        """How many requests a worker may hold, however long they wait."""
        return min(_PREFETCHES * self._prefetch(), self.most)

    @property
    def most(self) -> int:
        """How many requests a worker may hold at most."""
        return self._settings().per_worker or MOST_HELD

    @property
    def hold(self) -> float:
        """Seconds: of each bucket, a worker holds what starts within this time."""
        return min(self._settings().hold, self.longest / SPARE)

    @property
    def lead(self) -> float:
        """Seconds before its turn at which a request comes back: no earlier than a worker would hold it."""
        return min(LEAD, _LEADS_SHARE * self.hold)

    @property
    def turns_lead(self) -> float:
        """The same for a bucket whose limit has ``fair_by``."""
        return self.lead * _TURNS_SHARE

    def starts(self, rate: float, *, turns: bool) -> float:
        """Return how many starts of a bucket with this rate a worker should hold.

        Tokens go to the worker that asks for them. If it held requests of one value alone, and another worker those of
        others, half of the tokens would be that value's. So of values that take turns it holds little.
        """
        starts = rate * self.hold
        return max(starts * _TURNS_SHARE, min(starts, _FEW)) if turns and self.steered else starts

    def _starts(self, lane: Lane) -> float:
        return self.starts(lane.rate, turns=lane.turns is not None)

    def level(self, lane: Lane, now: float) -> float:
        """Return how full a lane is: 1.0 is all that a worker should hold for it."""
        full: float | None = self._settings().per_limit
        if full is None:
            full = self._starts(lane)
            if lane.dry_until <= now:  # there may be a whole burst of tokens, which waits only for the pool
                full = min(full + lane.at_once, self.most)
            full = max(full, 1.0)
        level = lane.count / full
        # Those that wait longer for another bucket take nothing here: they must not keep others away.
        return lane.count_soon(now) / full if lane.elsewhere and level >= LOW else level

    def admits(self, held: Held, count: int, now: float, *, returned: bool) -> bool:
        """Whether a worker may hold one more request, its ``count``-th; its lanes count it already."""
        if count > self.most:
            return False
        # Other workers hold values whose turn it is, and could start what waits here for this one's own buckets.
        others = self.steered and any(lane.turns is not None or lane.local for lane in held.lanes)
        if count <= self.beside and self._settings().per_limit is None and not others:
            return True
        most = _FOR_RETURNED if returned else 1.0
        beside = count <= self.beside and self._settings().per_limit is None
        return all(self._has_room(lane, held.taker(lane), most, now, beside=beside) for lane in held.lanes)

    def _has_room(self, lane: Lane, taker: TurnTaker, most: float, now: float, *, beside: bool) -> bool:
        """Whether a lane may have one more; where values take turns, each may have a few, and a new one comes in."""
        if taker.value and self._settings().per_limit is None:
            of_value = lane.waiting.count(taker.value) if isinstance(lane.waiting, TurnOrder) else 0
            if beside and not of_value:
                return True
            most *= _FOR_RETURNED if of_value < _FEW else 1
        return self.level(lane, now) <= most

    def seconds(self, lane: Lane) -> float:
        """Return in how many seconds half of what a lane may hold is left, at the lane's rate."""
        per_limit = self._settings().per_limit
        half = (self._starts(lane) if per_limit is None else per_limit) / 2 / lane.rate
        return max(0.0, lane.count / lane.rate - half)

    def pause(self, lane: Lane, now: float) -> float:
        """Return for how many seconds no request should come back for a lane: it would be parked again; or 0.0."""
        wait = lane.next_token(now)
        return self.believed(lane, wait) if wait > self.longest else 0.0

    def believed(self, lane: Lane, wait: float) -> float:
        """Return the wait to reckon with: a pause by feedback may be ended by an operator, and no event says so."""
        return wait if lane.bucket.feedback is None else min(wait, _LONGEST_PAUSE)

    def outstaying(self, held: Collection[Held], now: float, may_leave: Callable[[Held], bool]) -> list[Held]:
        """Return those that wait longest for their tokens and take the places of others that could start soon."""
        if self.steered and (crowds := [each for each in self._crowds(held, now) if may_leave(each)]):
            return crowds
        too_many = len(held) - int(min(self.beside, _CROWDED * self.most))
        if too_many <= 0:
            return []
        waits = [(max(lane.next_token(now) for lane in each.lanes), each) for each in held]
        waits = sorted((pair for pair in waits if pair[0] > _PATIENCE * self.hold), key=lambda pair: -pair[0])
        return [each for each in (each for _, each in waits[:too_many]) if may_leave(each)]

    def _crowds(self, held: Collection[Held], now: float) -> list[Held]:
        """Return all but a few of each value that wait for a bucket without tokens, such as a window that is full.

        They came while it had some. When it has again, those would start first that are here, and not whose turn it is.
        """
        found: list[Held] = []
        left: Counter[tuple[Lane, str]] = Counter()
        for each in reversed(list(held)) if self._settings().per_limit is None else ():
            for lane in each.lanes:
                if each.at is lane and isinstance(lane.waiting, TurnOrder) and lane.next_token(now) > self.hold:
                    value = each.taker(lane).value
                    if lane.waiting.count(value) - left[lane, value] > _FEW and self.level(lane, now) > _FOR_RETURNED:
                        left[lane, value] += 1
                        found.append(each)
                        break
        return found
