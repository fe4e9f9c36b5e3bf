"""Limits in shadow: what they would have delayed is counted, and nothing waits for them.

Each request that comes takes the next slot of the limit's shadow bucket, however far ahead that is. The time until that
slot is how long the request would have waited, if all before it had waited too.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.decision import Take
from limitkit.buckets.partition import limit_tag
from limitkit.errors import StoreError
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import TaskShadowed
from limitkit.waiting.message_copy import was_parked
from limitkit.worker.pacing.lane import NEVER
from limitkit.worker.pool.call_of import call_of
from limitkit.worker.pool.limits_of import limited_queue

if TYPE_CHECKING:
    from limitkit.buckets.decision import Decision
    from limitkit.config.declared import Limit
    from limitkit.control.task_limits import TaskLimits
    from limitkit.stores.store import Store

logger = logging.getLogger("limitkit")

_LINGER: Final = 0.05
"""Seconds for which requests are collected, so that one call serves many."""
_MOST_AT_ONCE: Final = 64
_MOST_COLLECTED: Final = 1024
"""More are not counted: a store that does not answer must not fill a worker's memory."""
_LONGEST: Final = 86_400.0
"""Seconds: a longer wait counts as this one."""


@dataclass(slots=True)
class ShadowCount:
    """What a limit in shadow would have done, in this worker since it started."""

    came: int = 0
    delayed: int = 0
    """How many of those would have had to wait."""
    seconds: float = 0.0
    """How long they would have waited, all together."""
    longest: float = 0.0

    def count(self, wait: float) -> None:
        """Count one that would have waited for so many seconds."""
        self.came += 1
        self.delayed += wait > 0.0
        self.seconds += wait
        self.longest = max(self.longest, wait)


class ShadowRequest(NamedTuple):
    """A request that a limit in shadow counts."""

    task: str
    limit: Limit


class Shadow:
    """Counts for the limits in shadow of one worker."""

    def __init__(self, task_limits: TaskLimits, own: Store) -> None:
        self.shadow_counts: dict[str, ShadowCount] = {}
        """By the limits' tags in the buckets' keys."""
        self._task_limits = task_limits
        self._own = own
        self._collected: list[tuple[ShadowRequest, Take]] = []
        self._due = NEVER

    @property
    def due(self) -> float:
        """When there is something to do."""
        return self._due

    def came(self, request: Any) -> bool:
        """Count a request that has come for the first time; returns whether ``due`` has changed."""
        limits = self._task_limits.shadows(request.task, limited_queue(self._task_limits, request))
        if not limits or was_parked(request.message):
            return False
        for bound in limits:
            shadowed = ShadowRequest(request.task.name, bound.limit)
            take = Take((self._task_limits.ask(bound, request.task, call_of(request)).bucket,), 1, 1, _LONGEST)
            if bound.local:
                self._count(shadowed, self._own.take([take])[0])
            elif len(self._collected) < _MOST_COLLECTED:
                self._collected.append((shadowed, take))
        if not self._collected or self._due != NEVER:
            return False
        self._due = time.monotonic() + _LINGER
        return True

    def work(self, now: float) -> None:
        """Ask the store for the collected requests. They are not counted when it can't be asked."""
        if now < self._due:
            return
        asked, self._collected = self._collected[:_MOST_AT_ONCE], self._collected[_MOST_AT_ONCE:]
        self._due = now if self._collected else NEVER
        assert self._task_limits.store is not None  # noqa: S101 (a worker with such limits and no store refuses to start)
        try:
            decisions = self._task_limits.store.take([take for _, take in asked])
        except StoreError as error:
            logger.debug("Requests of limits in shadow are not counted: %s", error)
            return
        for (shadowed, _), decision in zip(asked, decisions, strict=True):
            self._count(shadowed, decision)

    def _count(self, shadowed: ShadowRequest, decision: Decision) -> None:
        wait = decision.slots[0] if decision.slots else _LONGEST
        tag = limit_tag(shadowed.limit.name, own=shadowed.limit.own)
        self.shadow_counts.setdefault(tag, ShadowCount()).count(wait)
        if wait > 0.0 and wanted(TaskShadowed):
            emit(TaskShadowed(task=shadowed.task, limit=shadowed.limit.name, wait=wait))
