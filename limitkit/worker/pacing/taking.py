"""Takes tokens for a lane when there is a pool process: what it asks of the store, and what the answer lets start."""

from __future__ import annotations

from itertools import takewhile
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.buckets.decision import GiveBack, Slots, Take
from limitkit.buckets.lateness import fresh_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from limitkit.buckets.decision import Decision
    from limitkit.stores.store import Store
    from limitkit.worker.pacing.lane import Held, Lane, Slot
    from limitkit.worker.pool.processes import Processes
    from limitkit.worker.pool.request_order import RequestOrder

_BATCH: Final = 0.05
"""The slots of so many seconds are reserved in one call."""
_MOST: Final = 16
"""Slots that are reserved in one call at most."""
_LEAST_BUSY: Final = 0.002
"""A process that comes within so many seconds is as good as free."""


def due_slots(lane: Lane, now: float) -> int:
    """How many of the reserved slots have come."""
    return sum(1 for _ in takewhile(lambda slot: slot.at <= now, lane.slots))


def wanted(lane: Lane, now: float) -> int:
    """How many processes the lane could use now, as far as it knows."""
    if lane.slots:
        return min(max(due_slots(lane, now), int(lane.early)), len(lane.waiting))
    if not lane.waiting[0].is_plain:
        return 1
    return min(len(lane.waiting), lane.bucket.burst)


def unsure(lane: Lane, behind: Held | None, count: int) -> Iterator[RequestOrder]:
    """Name the places of requests that may be able to start too after a take for so many; ``behind`` is the next."""
    head = lane.waiting[0]
    if behind is not None and (len(lane.slots) <= count if lane.slots else not head.is_plain):
        yield behind.order
    yield from (other.waiting[0].order for other in head.lanes if other.mover is head and other.waiting)


def soon(lane: Lane, process_wait: float) -> int:
    """How many processes will come while a token that the lane takes now is surely fresh."""
    if lane.local or lane.slots or not lane.waiting[0].is_plain:
        return 0
    return int(lane.tolerance / 2 / max(process_wait, _LEAST_BUSY))


def asks(lane: Lane, processes: int, now: float) -> bool:
    """Whether the shared store may be asked for a lane that has so many processes; not for slots that have come."""
    started = min(processes, due_slots(lane, now))
    left = len(lane.slots) - started
    return not lane.local and left <= 1 and len(lane.waiting) - started > left


def give_back(lane: Lane) -> GiveBack:
    """Return the slots that the lane still has reserved, as far as no other worker can have taken between them."""
    return GiveBack(lane.paced, lane.mark, min(lane.batch, len(lane.slots)))


class Admitted(NamedTuple):
    """A request that may start, and until when its tokens are fresh; ``undo`` gives back those that can be."""

    held: Held
    at: float
    """The moment for which its tokens were taken."""
    until: float
    undo: tuple[GiveBack, ...] = ()
    own: tuple[Lane, ...] | None = None
    """Where the store is gone, the lanes whose tokens are this worker's own; None where it was asked."""
    marks: Mapping[Lane, int] = MappingProxyType({})
    """The states of shared buckets after the take, where it was for this request alone."""


class Plan:
    """One lane's round: its takes, and then which requests start, which wait elsewhere, and when to look again."""

    __slots__ = (
        "_ahead",
        "_asked",
        "_began",
        "_lane_take",
        "_new_member",
        "_own",
        "_patience",
        "_processes",
        "_reserving",
        "due",
        "early",
        "frees",
        "keeps",
        "lane",
        "moves",
        "returns",
        "starts",
    )

    def __init__(self, lane: Lane, processes: int, new_member: Callable[[], str], *, ahead: int = 0) -> None:
        self.lane = lane
        self._ahead, self._new_member = ahead, new_member
        self.due = 0.0
        self.starts: list[Admitted] = []
        """Requests to hand over."""
        self.moves: list[tuple[Held, Lane, float]] = []
        """Requests that wait for another of their buckets, which has a token at that time."""
        self.returns: tuple[GiveBack, ...] = ()
        """Tokens that were taken in vain."""
        self.keeps = 0.0
        """Seconds for which one process must be kept, for the lane's first slot."""
        self.early = False
        """Whether ``due`` is before the token's time."""
        self.frees: list[tuple[Lane, float]] = []
        """Lanes from whose buckets a token was taken, each with the time of the next token."""
        self._processes = processes
        self._asked: Held | None = None
        self._own: dict[Lane, Slot] = {}
        """The slots that need no take, since they were reserved before and have come."""
        self._lane_take: Take | None = None
        self._reserving = False
        self._patience = 0.0

    @property
    def processes(self) -> int:
        """How many starts it may make at once."""
        return self._processes

    def takes(self, now: float, local: Store, processes: Processes, waiter: str = "") -> list[Take]:
        """Start requests whose slot has come, and return the takes from the shared store for the others."""
        lane, self._began = self.lane, now
        self._reserving = processes.wait <= max(lane.slack / 2, _LEAST_BUSY)
        self._patience = 0.0 if self._reserving else min(processes.longest_keep, lane.horizon)
        while self._left and lane.waiting and lane.slots and lane.slots[0].at <= now:
            if not lane.waiting[0].is_plain:
                break
            self._start_at_slot()
        if not lane.waiting:
            return []
        head = lane.waiting[0]
        takes: list[Take] = []
        if head.is_plain:
            self._plan_single()
        elif head.anchor is lane and self._left and (not lane.slots or lane.slots[0].at <= now):
            self._plan_several(head, now, local, takes, waiter)
        if self._lane_take is not None and not lane.local:
            takes.append(self._lane_take)
        return takes

    @property
    def _left(self) -> int:
        return self._processes - len(self.starts)

    def _start_at_slot(self) -> None:
        """Let the first start with the first slot; only the last token that was taken can be given back."""
        lane = self.lane
        slot = lane.slots.popleft()
        undo = () if lane.slots or lane.local else (GiveBack(lane.paced, lane.mark),)
        self.starts.append(Admitted(lane.pop().starting(), slot.at, slot.until, undo))

    def _batch(self) -> int:
        return max(1, min(_MOST, ceil(self.lane.rate * _BATCH)))

    def _plan_single(self) -> None:
        """Take for as many starts as there are processes, and reserve the next slots where the pool keeps up."""
        lane = self.lane
        ready = 0 if lane.slots else self._left + self._ahead
        lacking = len(lane.waiting) - len(lane.slots)
        if lacking <= 0 or (lane.slots and (not self._reserving or len(lane.slots) > 1)):
            return
        if self._reserving:
            self._lane_take = Take((lane.bucket,), min(lacking, ready + self._batch()), ready, lane.horizon)
        elif ready or not lane.bucket.burst:  # a paused one says when to ask again
            self._lane_take = Take((lane.bucket,), 1, min(ready, 1), self._patience)

    def _plan_several(self, head: Held, now: float, local: Store, takes: list[Take], waiter: str) -> None:
        """Take from all of a request's buckets at once; if the lane's own bucket was short, reserve its slot first."""
        lane = self.lane
        if self._refused_here(head, now, local):
            return
        if not lane.slots and lane.reserve and self._reserving:
            self._lane_take = Take((lane.bucket,), 1, 1, lane.horizon)
            return
        self._asked = head
        self._own = {other: other.slots.popleft() for other in head.lanes if self._has_slot(other, head, now)}
        if head.has_slots:
            head.member = self._new_member()
        shared = [other for other in head.lanes if not other.local and other not in self._own]
        if shared:
            takes.append(head.take(shared, waiter))

    def _has_slot(self, other: Lane, head: Held, now: float) -> bool:
        """Whether a slot of this bucket has come that no request before this one waits for."""
        mine = other is self.lane or not other.is_ahead_of(head)
        return mine and bool(other.slots) and other.slots[0].at <= now

    def _refused_here(self, head: Held, now: float, local: Store) -> bool:
        """Whether a static limit has no token, so that the request waits for that first."""
        lane = self.lane
        for other in head.lanes:
            if other.local and other not in self._own and not self._has_slot(other, head, now):
                wait = local.take([head.take([other], count=0)])[0].retry_after
                if wait > 0.0:
                    other.note_wait(wait, now)
                    if other is not lane:
                        self.moves.append((lane.take_out(head), other, now + wait))
                    self.due = now + (wait if other is lane else 0.0)
                    return True
        return False

    def settle(self, decisions: Iterator[Decision], now: float, local: Store) -> None:
        """Work out starts, moves and the time of the next round from the answers; ``now`` is when they came."""
        lane = self.lane
        if self._asked is not None:
            self._settle_several(self._asked, decisions, now, local)
        wait = 0.0
        if self._lane_take is not None:
            decision = local.take([self._lane_take])[0] if lane.local else next(decisions)
            for interval in decision.intervals:  # none where the bucket has no feedback
                lane.follow(interval)
            lane.reserve_slots(decision.slots, decision.marks[0], now)
            wait = decision.waits[0]
            lane.note_wait(wait, now)
            while self._left and lane.waiting and lane.waiting[0].is_plain and lane.slots:
                if lane.slots[0].at > now:
                    break
                self._start_at_slot()
        if lane.slots:
            self.due = lane.slots[0].at
            if not self._reserving and self.due > now:
                self.keeps = self.due - now
        elif self._lane_take is not None:
            # From a busy pool a process is claimed before the token is there. A paused bucket has none to come.
            lead = lane.lead if self._reserving else self._patience
            self.due = now + max(0.0, wait - (lead if lane.bucket.burst else 0.0))
            self.early = not self._reserving and self.due < now + wait

    def _settle_several(self, head: Held, decisions: Iterator[Decision], now: float, local: Store) -> None:
        lane, own = self.lane, self._own
        undo: tuple[GiveBack, ...] = ()
        marks: dict[Lane, int] = {}
        shared = [other for other in head.lanes if not other.local and other not in own]
        if shared:
            decision = next(decisions)
            for other, interval in zip(shared, decision.intervals, strict=False):
                other.follow(interval)
            if not decision.slots:
                self.keep_slots()
                wait, worst = max(zip(decision.waits, shared, strict=True), key=lambda pair: pair[0])
                worst.note_wait(wait, now)
                if worst is lane:
                    lane.reserve = lane.reserves
                    self.due = now if lane.reserve and self._reserving else now + lane.soonest(wait)
                else:
                    self.moves.append((lane.take_out(head), worst, now + worst.soonest(wait)))
                    self.due = now
                return
            undo = tuple(head.undo(other, mark) for other, mark in zip(shared, decision.marks, strict=True))
            marks = dict(zip(shared, decision.marks, strict=True))
        if self._refused_here(head, now, local):  # another plan of this step has had that token
            self.keep_slots()
            self.returns = undo
            return
        if shared:
            for other, wait in zip(shared, decision.waits, strict=True):
                other.note_wait(wait, now)
                self.frees.append((other, now + wait))
        for other in head.lanes:
            if other.local and other not in own:
                wait = local.take([head.take([other])])[0].waits[0]
                self.frees.append((other, now + wait))
        until = fresh_until(((other.bucket, other.tolerance) for other in head.lanes), self._began, now)
        until = min([until, *(slot.until for slot in own.values())])
        # A slot of a concurrency limit stays with the request until that has ended.
        undo = tuple(gift for gift in undo if not gift.member)
        self.starts.append(Admitted(lane.take_out(head).starting(), now, until, undo, marks=marks))
        # The next take makes sense once this bucket has a token; a slot of it can be reserved at once.
        self.due = now if lane in own or lane.reserve else dict(self.frees)[lane]

    @property
    def unanswered(self) -> tuple[GiveBack, ...]:
        """What frees the slots that it may have taken by a call that got no answer."""
        head = self._asked
        if head is None or not head.member:
            return ()
        return tuple(head.undo(lane, 0) for lane in head.lanes if isinstance(lane.bucket, Slots) and not lane.local)

    def keep_slots(self) -> None:
        """Put back the slots that were not used."""
        for other, slot in self._own.items():
            other.slots.appendleft(slot)
        self._own = {}
