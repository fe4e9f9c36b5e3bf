"""Tells what becomes of requests, as events: in the pacer's words, which are lanes and tickets, it would be no use."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from limitkit.buckets.partition import parts_of
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import (
    TaskAdmitted,
    TaskDropped,
    TaskFailed,
    TaskParked,
    TaskSentBack,
    TaskStarted,
    TaskThrottled,
)
from limitkit.waiting.bucket_owners import Owners
from limitkit.waiting.message_copy import first_came

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.control.task_limits import TaskLimits
    from limitkit.waiting.room import Leaving
    from limitkit.worker.pacing.lane import Held, Lane


class PacingEvents:
    """Tells what the pacer does with the requests that it holds."""

    def __init__(self, app: Any, task_limits: TaskLimits) -> None:
        self._app = app
        self._task_limits = task_limits
        self._owners: Owners | None = None
        self._rules = task_limits.rules

    def limit(self, key: str) -> str | None:
        """Name the limit of a bucket; None for one that no limit declares, as of ``app.control.rate_limit()``."""
        if parts_of(key) is None:
            return None
        if self._owners is None or self._rules is not self._task_limits.rules:
            self._rules = self._task_limits.rules
            self._owners = Owners(self._rules, list(self._app.tasks))
        return self._owners.of(key).name

    def by_limit(self, counts: Mapping[str, int]) -> Counter[str]:
        """Add up by limit what is counted by bucket."""
        sums: Counter[str] = Counter()
        for key, count in list(counts.items()):
            sums[self.limit(key) or key] += count
        return sums

    def throttled(self, held: Held, lane: Lane, wait: float, *, held_here: bool = True) -> None:
        """Tell, once, that a request can't start yet because of that lane's bucket."""
        if held.throttled:
            return
        held.throttled = True
        if wanted(TaskThrottled):
            request = held.request
            limit = self._limit_of(held, lane)
            emit(TaskThrottled(task=request.task.name, id=request.id, limit=limit, wait=wait, held=held_here))

    def came(self, held: Held, now: float) -> None:
        """Tell of a request that has just come and did not start, if a limit is why."""
        lane = max(held.lanes, key=lambda lane: lane.next_token(now))
        if lane.next_token(now) > 0.0:
            self.throttled(held, lane, held.slowest(now).wait(now))

    def look(self, held: Iterable[Held], now: float) -> None:
        """Tell of those for which it has turned out that a limit holds them up, and not the pool alone."""
        for each in held:
            if not each.throttled:
                self._if_dry(each, now)

    def admitted(self, held: Held) -> None:
        """Tell that a request goes to the pool."""
        now = time.monotonic()
        if not held.throttled:
            self._if_dry(held, now)
        if wanted(TaskAdmitted):
            request = held.request
            waited = max(0.0, now - first_came(request.message, held.since))
            emit(TaskAdmitted(task=request.task.name, id=request.id, waited=waited))

    def parked(self, held: Held, leaver: Leaving) -> None:
        """Tell that a request has left for the waiting room."""
        if wanted(TaskParked):
            request = held.request
            limit = self.limit(leaver.bucket.key) or self._first_limit(request.task)
            emit(TaskParked(task=request.task.name, id=request.id, limit=limit, wait=max(0.0, leaver.turn)))

    def gave_up(self, held: Held, wait: float) -> None:
        """Tell of a request that may not wait so long; it is not held any more."""
        self.throttled(held, held.slowest(time.monotonic()), wait, held_here=False)

    def _if_dry(self, held: Held, now: float) -> None:
        lane = max(held.lanes, key=lambda lane: lane.dry_at)
        if lane.dry_at > held.since:
            self.throttled(held, lane, lane.next_token(now))

    def _limit_of(self, held: Held, lane: Lane) -> str:
        return self.limit(lane.bucket.key) or self._first_limit(held.request.task)

    def _first_limit(self, task: Any) -> str:
        return next((bound.limit.name for bound in self._task_limits.limits(task)), task.name)


def emit_start(task: Any, *, late: float | None = None, failed_open: bool = False) -> None:
    """Tell that a task's own code begins."""
    if wanted(TaskStarted):
        emit(TaskStarted(task=task.name, late=late, failed_open=failed_open))


def emit_sent_back(
    task: Any, task_id: str, task_limits: TaskLimits, worst: int, wait: float, *, throttled: bool
) -> None:
    """Tell for which of its shared limits a task was sent back: the one at ``worst``."""
    if not wanted(TaskSentBack):
        return
    names = [bound.limit.name for bound in task_limits.limits(task) if not bound.local]
    limit = names[worst] if worst < len(names) else task.name
    emit(TaskSentBack(task=task.name, id=task_id, limit=limit, wait=wait, throttled=throttled))


def emit_dropped(task: Any, task_id: str) -> None:
    """Tell that a task was dropped."""
    emit(TaskDropped(task=task.name, id=task_id))


def emit_failed(task: Any, task_id: str) -> None:
    """Tell that a task fails with ``RateLimitExceeded``."""
    emit(TaskFailed(task=task.name, id=task_id))
