"""Hands a request to the pool: with one of its processes, and a ticket that says until when its tokens are fresh."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery.worker import state

from limitkit.buckets import ticket
from limitkit.waiting import delivery
from limitkit.waiting.origin_queue import parkable_queue
from limitkit.worker.pacing.lane import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pacing.taking import Admitted
    from limitkit.worker.pacing.tokens import Tokens
    from limitkit.worker.pool.entry import PoolEntry

    OnLate = Callable[[list[tuple[Lane, float]], float], None]
    """Is called with the lanes, each with how far ahead its bucket was at the hand-over, and the time of the start."""

logger = logging.getLogger("limitkit")


class HandOver:
    """The way from a lane into a pool process that is held for it."""

    def __init__(self, consumer: Any, entry: PoolEntry, tokens: Tokens, on_late: OnLate) -> None:
        self._app = consumer.app
        self._entry = entry
        self._tokens = tokens
        self._on_late = on_late

    def __call__(self, admitted: Admitted) -> None:
        """Start a request; a pool process is held for it."""
        request, is_ready = admitted.held.request, False
        try:
            self._attach_ticket(admitted)
            state.task_reserved(request)
            is_ready = True
            self._entry.process(request)
        except Exception:
            if not is_ready:
                self._entry.semaphore.release()
            logger.exception("%s could not be handed to the pool; the broker delivers it again.", request)

    def _attach_ticket(self, admitted: Admitted) -> None:
        held, without_store, request = admitted.held, admitted.own, admitted.held.request
        shared = tuple(lane.bucket for lane in held.lanes if not lane.local)
        own = [lane for lane in held.lanes if lane.local] if without_store is None else without_store
        shown = ticket.Ticket(
            ticket.NONCE,
            request.id,
            admitted.until if shared and without_store is None else NEVER,
            shared,
            admitted.undo,
            at=admitted.at,
            failed_open=without_store is not None and len(without_store) < len(held.lanes),
            throttled=held.throttled,
        )
        delivery.attach(request, parkable_queue(self._app, request.message))
        ticket.attach(request, shown)
        if own:
            self._watch(request, own, admitted.until)

    def _watch(self, request: Any, own: Iterable[Lane], until: float) -> None:
        """Report a start with tokens of this worker's own that the pool accepted late.

        The guard can't take from this worker's own buckets, so a delay by a busy machine is corrected here.
        """
        on_accepted = request.on_accepted
        used = [(lane, self._tokens.used_ahead(lane)) for lane in own]

        def accepted(pid: int, time_accepted: float) -> None:
            on_accepted(pid, time_accepted)
            if time_accepted > until:
                self._entry.loop.post(self._on_late, used, time_accepted)

        request.on_accepted = accepted
