"""Parks requests: which leave the worker for the waiting room, when they go, and when those that are due come back."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from celery.worker import state

from limitkit.buckets.decision import Window
from limitkit.buckets.partition import buckets_of, parts_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.waiting.choose_room import longest_hold
from limitkit.waiting.message_copy import was_parked
from limitkit.waiting.origin_queue import parkable_queue
from limitkit.waiting.room import NO_MORE, ORDER, Leaving
from limitkit.worker.pacing.lane import NEVER
from limitkit.worker.pacing.parked_backlog import ParkedBacklog
from limitkit.worker.pacing.parked_demand import ParkedDemand
from limitkit.worker.pool.usual_starts import UsualStarts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from limitkit.buckets.decision import Bucket
    from limitkit.clock import Clock
    from limitkit.control.in_force import Terms
    from limitkit.waiting.room import Room
    from limitkit.worker.pacing.hold_bounds import HoldBounds
    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.prefetch_window import PrefetchWindow

logger = logging.getLogger("limitkit")

_LINGER: Final = 0.02
"""Seconds that a leaving request waits for others, so that one call parks many."""
_PAUSE: Final = 1.0
"""Seconds until a broker that failed is asked again."""
_EVERY: Final = 0.1
_LONGEST_SQUEEZED: Final = 2.0
"""Seconds that a request is held in a prefetch window that can't grow."""


class Parking:
    """The way into the waiting room and back, with the requests that are about to leave."""

    def __init__(
        self, consumer: Any, rooms: Callable[[], Room], bounds: HoldBounds, window: PrefetchWindow, clock: Clock
    ) -> None:
        self.count = 0
        """Messages parked since the worker started."""
        self.on_parked: Callable[[Held, Leaving], None] = lambda *_: None
        """Is called with each request that was parked."""
        self.bounds = bounds
        self.backlog = ParkedBacklog()
        self.usual = UsualStarts()
        self._demand = ParkedDemand(self.backlog, bounds)
        self._demand.interval_us = self.usual.interval_us
        self._app, self._consumer, self._clock = consumer.app, consumer, clock
        self._rooms = rooms
        self._room = rooms()
        bounds.steered = self._room.steered
        self.window = window
        self._leaving: deque[tuple[Held, Leaving]] = deque()
        self._park_at = NEVER
        self._bring_at = 0.0
        self._failing = False
        self._retimed: dict[str, float] = {}
        """Intervals that are not yet applied to what is parked, by the limits' tags."""
        self._weights: dict[str, Mapping[str, float]] = {}
        """Likewise, weights of the values of ``fair_by``."""
        self._retiming: Iterator[None] = iter(())

    @property
    def due(self) -> float:
        """When there is something to do."""
        return min(self._park_at, self._bring_at)

    @property
    def leaving(self) -> list[Any]:
        """The requests that are about to leave."""
        return [held.request for held, _ in self._leaving]

    # -- in -------------------------------------------------------------------------------------------------------

    def may_leave(self, held: Held) -> bool:
        """Whether a request can be parked; a broadcast, or one whose queue is not known, is held."""
        return parkable_queue(self._app, held.request.message) is not None

    def overdue(self, held: Held, now: float) -> bool:
        """Whether a request was held as long as the broker lets a worker hold it, or its narrow window."""
        longest = _LONGEST_SQUEEZED if held.squeezed else self.bounds.longest
        return now - held.since > longest and self.may_leave(held)

    def outstaying(self, held: Collection[Held], now: float) -> list[Held]:
        """Return those of all that this worker holds which have to leave."""
        overdue = [each for each in held if self.overdue(each, now)]
        return overdue or self.bounds.outstaying(held, now, self.may_leave)

    def ahead(self, held: Held, now: float) -> float:
        """Return in how many seconds all that are parked before a request that comes now are due."""
        if was_parked(held.request.message):
            return 0.0
        return max(self.backlog.ahead(lane.bucket.key, now, held.taker(lane)) for lane in held.lanes)

    def leads_elsewhere(self, held: Held, count: int, now: float) -> Lane | None:
        """Return the lane for which a request has to wait in the waiting room; None if the worker may hold it.

        It would be the worker's ``count``-th. A new request has to wait behind older ones that are parked.
        """
        if not self.may_leave(held):
            return None
        returned = was_parked(held.request.message)
        if returned:
            self._expect_more([lane.spaced for lane in held.lanes], now)
            self.backlog.returned(zip((lane.bucket.key for lane in held.lanes), held.takers, strict=False))
        else:
            for lane in held.lanes:
                if self.backlog.waits(lane.bucket.key, now) and not self._demand.takes_new(lane, held.taker(lane), now):
                    return lane
        self._demand.came(held.lanes)
        slowest = held.slowest(now)
        if slowest.wait(now) > self.bounds.longest or not self.bounds.admits(held, count, now, returned=returned):
            return slowest
        return None

    def turn(self, held: Held, lane: Lane, now: float) -> float:
        """Return in how many seconds a request that leaves because of that lane's bucket has its turn."""
        # A request that was parked before is a part of the backlog, not behind it.
        return lane.wait(now, 1) if was_parked(held.request.message) else self.backlog.turn(lane, now, held.taker(lane))

    def add(self, held: Held, lane: Lane, now: float, *, held_here: bool = False) -> None:
        """Let a request leave soon: it waits longest for that lane's bucket.

        One that this worker has held is before those that are parked: its turn is the next, not the one behind them.
        """
        queue = parkable_queue(self._app, held.request.message)
        assert queue is not None  # noqa: S101 (may_leave said so)
        taker = held.taker(lane)
        turn = behind = self.bounds.believed(lane, self.turn(held, lane, now))
        if taker.value and not was_parked(held.request.message):  # a room that is steered knows whose turn is next
            behind = self.bounds.believed(lane, self.backlog.turn(lane, now))
            turn = behind if self._room.steered else turn
        if held_here:
            turn = min(turn, lane.wait(now, 1))
        self.backlog.parked(lane.spaced, behind, now)
        if lane.local or (ORDER in held.request.message.properties and self._demand.is_stuck(lane, now)):
            turn = NO_MORE
        if len(self._leaving) < self.bounds.most:  # else a broker that can't park would fill this worker's memory
            self.window.widen(held)
        self._leaving.append((held, Leaving(held.request, queue, lane.spaced, turn, taker if taker.value else None)))
        self._bring_at = min(self._bring_at, now + _EVERY)
        if self._park_at == NEVER or (len(self._leaving) >= self._room.most and not self._failing):
            self._park_at = min(self._park_at, now + _LINGER)

    def work(self, lanes: Mapping[str, Lane], count: int, now: float) -> None:
        """Park what is about to leave, and bring back what is due; the worker holds ``count`` requests."""
        if self._leaving and (now >= self._park_at or (len(self._leaving) >= self._room.most and not self._failing)):
            self._park(now)
        if (self._retimed or self._weights) and now >= self._bring_at:
            self._retime(now)
        elif now >= self._bring_at:
            self._bring(lanes, self.bounds.most - count - len(self._leaving), now)

    def _park(self, now: float) -> None:
        those = [self._leaving[n] for n in range(min(len(self._leaving), self._room.most))]
        try:
            self._room.park([leaver for _, leaver in those])
        except Exception as error:  # noqa: BLE001 (whatever a broker's client raises: the messages are still ours)
            self._fail("Can't park what waits for its limits (%r); it is held and tried again.", error, now)
            self._park_at = now + _PAUSE
            self._leaving.rotate(-len(those))
            return
        self._failing = False
        for held, leaver in those:
            self._leaving.popleft()
            self.count += 1
            self.window.narrow(held)
            state.requests.pop(leaver.request.id, None)
            self.backlog.went(leaver.bucket.key, leaver.taker)
            self.on_parked(held, leaver)
        self._park_at = now + max(self._room.every, _LINGER) if self._leaving else NEVER

    # -- out ------------------------------------------------------------------------------------------------------

    def is_dead(self, properties: Mapping[str, Any], buckets: Iterable[Bucket]) -> None:
        """Note that a request will never start: the next that is parked is wanted instead."""
        now = self._clock.monotonic()
        for bucket in buckets:
            if ORDER in properties or self.backlog.waits(bucket.key, now):
                self._expect_more([bucket], now)
                self._demand.is_dead(bucket.key)

    def started(self, lanes: Iterable[Lane], now: float) -> None:
        """Note that one has started: the next should be here, if there is soon a token, or none is reserved ahead.

        What is parked may be so for longer than the backlog reckons, and than its turn says: both are estimates.
        """
        for lane in lanes:
            if lane.waiting or lane.bucket.key not in self.backlog.buckets:
                continue
            if not lane.reserves or lane.next_token(now) <= self.bounds.lead:
                self._demand.next_of(lane.bucket.key)
                self._bring_at = min(self._bring_at, now + _LINGER)

    def _expect_more(self, buckets: Collection[Bucket], now: float) -> None:
        """Assume that more of these are parked, until the waiting room says how many."""
        for bucket in buckets:
            self.backlog.parked(bucket, 0.0, now)
        self._demand.ask_of(bucket.key for bucket in buckets)
        self._bring_at = min(self._bring_at, now + _EVERY)

    def _bring(self, lanes: Mapping[str, Lane], places: int, now: float) -> None:
        if places <= 0:
            self._bring_at = now + _EVERY
            return
        steering = self._demand.steering(lanes, places, now)
        try:
            brought = self._room.bring(steering)
        except Exception as error:  # noqa: BLE001 (as above; nothing has left the waiting room)
            self._fail("Can't bring back what is parked (%r); it is tried again.", error, now)
            self._bring_at = now + _PAUSE
            return
        self._failing = False
        if brought.empty:
            self.backlog.clear()
        else:
            self.backlog.left(brought.left, now)
        self._bring_at = now + (_EVERY if steering.hungry else brought.again)

    def retime(self, terms: Mapping[str, Terms], weights: Mapping[str, Mapping[str, float]]) -> None:
        """Have what is parked come back at other rates, given by buckets' keys, or by the limits' tags in them."""
        now = self._clock.monotonic()
        terms = {name: self.usual.between_starts(name, of) for name, of in terms.items()}
        changed = self.backlog.retime(terms, now)
        self._demand.ask_of(changed)
        for key in changed:
            # A wait for a window does not shrink with its mean interval: where its number has grown, it is over now.
            if isinstance(self.backlog.buckets[key], Window):
                self._demand.is_dead(key)
        for index, (held, leaver) in enumerate(self._leaving):
            key = leaver.bucket.key
            of = terms.get(key) or terms.get((parts_of(key) or ("",))[0])
            if of is not None:
                self._leaving[index] = held, leaver.retimed(of)
        self._retimed |= {tag: of.interval_us / MICROSECONDS for tag, of in terms.items()}
        self._weights.update(weights)
        self._begin_retiming()
        self._bring_at = min(self._bring_at, now)

    def look_again(self) -> None:
        """Look into the waiting room with the next work."""
        self._bring_at = 0.0

    def refilled(self, key: str, *, partitions: bool) -> None:
        """Have some come back now: the bucket that they are parked for is full again."""
        for each in buckets_of(key, self.backlog.buckets, partitions=partitions):
            self._demand.is_dead(each)
            self._bring_at = 0.0

    def _retime(self, now: float) -> None:
        """Do one step of retiming."""
        self._bring_at = now
        try:
            next(self._retiming)
        except StopIteration:
            self._retimed.clear()
            self._weights.clear()
        except Exception as error:  # noqa: BLE001 (as above)
            self._fail("Can't retime what is parked (%r); it is tried again.", error, now)
            self._begin_retiming()

    def _begin_retiming(self) -> None:
        self._retiming = self._room.retime(dict(self._retimed), dict(self._weights))

    # -- connections ----------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Find out what the broker of a new connection can do."""
        self._room = self._rooms()
        self.bounds.steered = self._room.steered
        self._begin_retiming()
        self.bounds.longest = longest_hold(self._consumer)

    def forget(self) -> None:
        """Forget what is about to leave: the connection is gone, and the broker delivers it again."""
        for held, leaver in self._leaving:
            held.window = False
            state.requests.pop(leaver.request.id, None)
        self._leaving.clear()
        self._park_at = NEVER
        self._bring_at = 0.0
        self._room.close()

    def _fail(self, text: str, error: Exception, now: float) -> None:
        log = logger.debug if self._failing else logger.warning
        self._failing = True
        self._bring_at = max(self._bring_at, now + _PAUSE)
        log(text, error)
