"""Drops or fails requests that would have to wait for their limits longer than ``max_wait``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from celery.worker import state

from limitkit.buckets import ticket
from limitkit.buckets.decision import Slots, Window
from limitkit.clock import epoch
from limitkit.waiting.message_copy import first_came
from limitkit.worker.pacing.lane import NEVER
from limitkit.worker.pacing.pacing_events import emit_dropped
from limitkit.worker.pool.limits_of import limited_queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.config.declared import Patience
    from limitkit.control.task_limits import TaskLimits
    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.pacing_events import PacingEvents

logger = logging.getLogger("limitkit")

_LOOK_EVERY: Final = 0.05
"""Seconds between two checks of the watched requests."""


class MaxWait:
    """Watches the held requests whose wait is bounded, and gives them up as soon as it would be longer.

    Only limits count: a request that waits only for a pool process is not given up.
    """

    def __init__(
        self,
        task_limits: TaskLimits,
        through: Callable[[Any], None],
        let_go: Callable[[Held], None],
        pacing_events: PacingEvents,
    ) -> None:
        self._task_limits = task_limits
        self._emit = pacing_events
        self._through = through
        self._let_go = let_go
        self._watched: dict[Held, tuple[Patience, float]] = {}
        self._next = NEVER

    @property
    def due(self) -> float:
        """When to check them again."""
        return self._next if self._watched else NEVER

    def watch(self, held: Held, parked: float, now: float) -> bool:
        """Watch a request that has just come, or come back; returns whether it was given up at once.

        ``parked`` is the time in seconds in which those that are parked before it are due.
        """
        patience = self._task_limits.patience(held.request.task, limited_queue(self._task_limits, held.request))
        if patience is None:
            return False
        came = first_came(held.request.message, held.since, epoch(self._task_limits.clock))
        self._watched[held] = patience, came + patience.max_wait
        self._next = min(self._next, now)
        ahead = max(((lane.count - 1) / lane.rate for lane in held.lanes if lane.dry_until > now), default=0.0)
        return self._judge(held, max(ahead, parked), now)

    def too_far(self, held: Held, lane: Lane, now: float) -> bool:
        """Give up a request that would be parked for this lane, if it could not come back in time; whether it was.

        Its tokens may all be there while the pool is busy: but those before it take them. A slot may be free, and a
        window reset, sooner than the lane's rate says.
        """
        early = isinstance(lane.bucket, Slots) or (isinstance(lane.bucket, Window) and lane.bucket.resets is not None)
        wait = lane.wait(now)
        if early or held not in self._watched or now + wait <= self._watched[held][1]:
            return False
        self._give_up(held, wait)
        return True

    def look(self, now: float) -> None:
        """Give up those that would have to wait longer than they may."""
        if now < self._next:
            return
        self._next = now + _LOOK_EVERY
        for held in list(self._watched):
            self._judge(held, 0.0, now)

    def forget(self, held: Held) -> None:
        """Stop watching a request that starts, or leaves."""
        self._watched.pop(held, None)

    def clear(self) -> None:
        """Forget all."""
        self._watched.clear()

    def _judge(self, held: Held, ahead: float, now: float) -> bool:
        _, deadline = self._watched[held]
        dry = max((lane.next_token(now) for lane in held.lanes if lane.dry_until > now), default=None)
        wait = ahead if dry is None else max(ahead, dry)
        if (dry is None and not ahead) or now + wait <= deadline:
            return False
        self._give_up(held, wait)
        return True

    def _give_up(self, held: Held, wait: float) -> None:
        patience, _ = self._watched[held]
        self._emit.gave_up(held, wait)
        self._let_go(held)
        if patience.action == "fail":
            self._fail(held.request, wait)
        else:
            self._drop(held.request)

    def _drop(self, request: Any) -> None:
        """Have it end as a revoked task ends, so that a chord with it fails instead of waiting for ever."""
        try:
            request._announce_revoked(ticket.REASON, False, None, False)  # noqa: FBT003, SLF001 (positional there)
        except Exception:
            logger.exception("%s was dropped, which can't be recorded; the broker delivers it again.", request)
        else:
            emit_dropped(request.task, request.id)

    def _fail(self, request: Any, retry_after: float) -> None:
        """Have it fail in a pool process: Celery's own way of failing runs handlers, error links and chords there."""
        ticket.attach(request, ticket.refusal(request.id, retry_after))
        state.task_reserved(request)
        self._through(request)
