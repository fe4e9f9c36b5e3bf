"""Hands a request to the pool: with one of its processes, and a ticket that says until when its tokens are fresh."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from celery.worker import state

from limitkit.buckets import ticket
from limitkit.buckets.decision import Bucket, Slots
from limitkit.buckets.lateness import grace
from limitkit.waiting import delivery
from limitkit.waiting.origin_queue import parkable_queue
from limitkit.worker.pacing.lane import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pacing.lanes import Lanes
    from limitkit.worker.pacing.taking import Admitted
    from limitkit.worker.pacing.tokens import Tokens
    from limitkit.worker.pool.entry import PoolEntry

logger = logging.getLogger("limitkit")


class Ends:
    """Lets others start in the place of what has ended, or counts a start that was late."""

    def __init__(self, lanes: Lanes, tokens: Tokens, pump: Callable[[], None]) -> None:
        self._lanes, self._tokens, self._pump = lanes, tokens, pump
        self.is_closed = False
        """Whether nothing starts, since the connection is gone."""

    def late(self, used: list[tuple[Lane, float]], started: float) -> None:
        """Count a late start of static limits at the time when it was.

        Each lane is given with how far ahead its bucket was at the hand-over.
        """
        self._lanes.postpone(used, started)
        self._pump()

    def ended(self, admitted: Admitted, begun: float) -> None:
        """Give back the slots of a request that has ended; it may also have settled for less than it has taken."""
        held = admitted.held
        if held.member:
            self._tokens.free(held, admitted.own)
        for lane in held.lanes:
            if isinstance(lane.bucket, Slots):
                self._lanes.note_run(lane.bucket.key, self._tokens.clock.monotonic() - begun)
            elif not lane.bucket.metered:
                continue
            self._lanes.wake(lane.bucket.key)
        if self.is_closed:
            self._tokens.flush()
        self._pump()

    def woken(self, key: str) -> None:
        """Ask for a slot that another worker has given back."""
        self._lanes.wake(key)
        self._pump()


class HandOver:
    """The way from a lane into a pool process that is held for it."""

    def __init__(self, consumer: Any, entry: PoolEntry, tokens: Tokens, ends: Ends) -> None:
        self._app = consumer.app
        self._entry = entry
        self._tokens = tokens
        self._ends = ends

    def __call__(self, admitted: Admitted) -> None:
        """Start a request; a pool process is held for it."""
        request, is_ready = admitted.held.request, False
        try:
            self._attach_ticket(admitted)
            self._hold_slots(admitted)
            state.task_reserved(request)
            is_ready = True
            self._entry.process(request)
        except Exception:
            if not is_ready:
                self._entry.semaphore.release()
            logger.exception("%s could not be handed to the pool; the broker delivers it again.", request)
        if admitted.held.member or any(lane.bucket.metered for lane in admitted.held.lanes):
            self._entry.watch(request, partial(self._ends.ended, admitted, self._tokens.clock.monotonic()))

    def _hold_slots(self, admitted: Admitted) -> None:
        """Renew the leases of its slots from now on; those that were not asked for have none."""
        shared = admitted.held.slots(local=False)
        if shared and admitted.own is None:
            self._tokens.leases.hold(shared, admitted.held.member)

    def _attach_ticket(self, admitted: Admitted) -> None:
        held, without_store, request = admitted.held, admitted.own, admitted.held.request
        shared = [lane for lane in held.lanes if not lane.local]
        own = [lane for lane in held.lanes if lane.local] if without_store is None else without_store
        shown = ticket.Ticket(
            ticket.NONCE,
            request.id,
            admitted.until + self._grace(shared) if shared and without_store is None else NEVER,
            tuple(lane.bucket for lane in shared),
            admitted.undo,
            at=admitted.at,
            failed_open=without_store is not None and len(without_store) < len(held.lanes),
            throttled=held.throttled,
            costs=tuple(held.cost(lane) for lane in shared) if any(lane.bucket.metered for lane in shared) else (),
            member=held.member,
            charges=() if without_store is not None else self._charges(admitted, shared),
        )
        delivery.attach(request, parkable_queue(self._app, request.message))
        ticket.attach(request, shown)
        if tokens := [lane for lane in own if type(lane.bucket) is Bucket]:
            self._watch(request, tokens, admitted.until)

    def _grace(self, shared: Iterable[Lane]) -> float:
        return grace((lane.bucket, lane.interval_us, lane.tolerance) for lane in shared)

    def _charges(self, admitted: Admitted, shared: Iterable[Lane]) -> tuple[ticket.Charge, ...]:
        """Return what the start was charged with by limits that can be settled."""
        limits = {ask.bucket.key: ask.limit for ask in admitted.held.asks}
        return tuple(
            ticket.Charge(limit.name, lane.bucket, admitted.held.cost(lane), admitted.marks.get(lane, 0), limit.settle)
            for lane in shared
            if lane.bucket.metered and (limit := limits.get(lane.bucket.key)) is not None
        )

    def _watch(self, request: Any, own: Iterable[Lane], until: float) -> None:
        """Report a start with tokens of this worker's own that the pool accepted late.

        The guard can't take from this worker's own buckets, so a delay by a busy machine is corrected here.
        """
        on_accepted = request.on_accepted
        used = [(lane, self._tokens.used_ahead(lane)) for lane in own]

        def accepted(pid: int, time_accepted: float) -> None:
            on_accepted(pid, time_accepted)
            if time_accepted > until:
                self._entry.loop.post(self._ends.late, used, time_accepted)

        request.on_accepted = accepted
