"""Emits events for what happens to requests: from the pacer's lanes and tickets to the tasks and limits of the file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from limitkit.buckets.partition import parts_of
from limitkit.clock import epoch
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
from limitkit.worker.pool.limits_of import limits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from limitkit.control.task_limits import TaskLimits
    from limitkit.waiting.room import Leaving
    from limitkit.worker.pacing.lane import Held, Lane


class PacingEvents:
    """Emits what the pacer does with the requests that it holds."""

    def __init__(self, app: Any, task_limits: TaskLimits) -> None:
        self._app = app
        self._task_limits, self._clock = task_limits, task_limits.clock
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
        """Add counts by bucket up to counts by limit."""
        sums: Counter[str] = Counter()
        for key, count in list(counts.items()):
            sums[self.limit(key) or key] += count
        return sums

    def throttled(self, held: Held, lane: Lane, wait: float, *, held_here: bool = True) -> None:
        """Emit, once, that a request can't start yet because of that lane's bucket."""
        if held.throttled:
            return
        held.throttled = True
        if wanted(TaskThrottled):
            request = held.request
            limit = self._limit_of(held, lane)
            emit(TaskThrottled(task=request.task.name, id=request.id, limit=limit, wait=wait, held=held_here))

    def came(self, held: Held, now: float) -> None:
        """Emit that a request that has just come is throttled, if it did not start because of a limit."""
        lane = max(held.lanes, key=lambda lane: lane.next_token(now))
        if lane.next_token(now) > 0.0:
            self.throttled(held, lane, held.slowest(now).wait(now))

    def look(self, held: Iterable[Held], now: float) -> None:
        """Emit that requests are throttled which have been found to wait for a limit, not only for the pool."""
        for each in held:
            if not each.throttled:
                self._if_dry(each, now)

    def admitted(self, held: Held) -> None:
        """Emit that a request goes to the pool."""
        now = self._clock.monotonic()
        if not held.throttled:
            self._if_dry(held, now)
        if wanted(TaskAdmitted):
            request = held.request
            waited = max(0.0, now - first_came(request.message, held.since, epoch(self._clock)))
            emit(TaskAdmitted(task=request.task.name, id=request.id, waited=waited))

    def parked(self, held: Held, leaver: Leaving) -> None:
        """Emit that a request was parked in the waiting room."""
        if wanted(TaskParked):
            request = held.request
            limit = self.limit(leaver.bucket.key) or self._first_limit(request)
            emit(TaskParked(task=request.task.name, id=request.id, limit=limit, wait=max(0.0, leaver.turn)))

    def gave_up(self, held: Held, wait: float) -> None:
        """Emit that a request is throttled that may not wait so long; it is not held any more."""
        self.throttled(held, held.slowest(self._clock.monotonic()), wait, held_here=False)

    def _if_dry(self, held: Held, now: float) -> None:
        lane = max(held.lanes, key=lambda lane: lane.dry_at)
        if lane.dry_at > held.since:
            self.throttled(held, lane, lane.next_token(now))

    def _limit_of(self, held: Held, lane: Lane) -> str:
        return self.limit(lane.bucket.key) or self._first_limit(held.request)

    def _first_limit(self, request: Any) -> str:
        return next((bound.limit.name for bound in limits_of(self._task_limits, request)), request.task.name)


def emit_start(task: Any, queue: str | None, late: float | None = None, *, failed_open: bool = False) -> None:
    """Emit that a task's own code begins; ``queue`` is where its message came from, as far as that is known."""
    if wanted(TaskStarted):
        emit(TaskStarted(task=task.name, queue=queue, late=late, failed_open=failed_open))


def emit_sent_back(task: Any, task_id: str, names: Sequence[str], worst: int, wait: float, *, throttled: bool) -> None:
    """Emit that a task was sent back because of one of its shared limits, by their ``names`` that at ``worst``."""
    if not wanted(TaskSentBack):
        return
    limit = names[worst] if worst < len(names) else task.name
    emit(TaskSentBack(task=task.name, id=task_id, limit=limit, wait=wait, throttled=throttled))


def emit_dropped(task: Any, task_id: str) -> None:
    """Emit that a task was dropped."""
    emit(TaskDropped(task=task.name, id=task_id))


def emit_failed(task: Any, task_id: str) -> None:
    """Emit that a task fails with ``RateLimitExceeded``."""
    emit(TaskFailed(task=task.name, id=task_id))
