"""Limits in shadow: what they would have delayed is counted, and nothing waits for them.

Each request that comes takes the next slot of the limit's shadow bucket, however far ahead that is. The time until that
slot is how long the request would have waited, if all before it had waited too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celery.worker import state

from limitkit.buckets.decision import Bucket, Slots, Take
from limitkit.buckets.partition import limit_tag
from limitkit.errors import StoreError
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import TaskShadowed
from limitkit.waiting.message_copy import was_parked
from limitkit.worker.pacing.lane import NEVER
from limitkit.worker.pool.call_of import call_of
from limitkit.worker.pool.leases import give_backs
from limitkit.worker.pool.limits_of import limited_queue

if TYPE_CHECKING:
    from limitkit.buckets.decision import Decision
    from limitkit.config.declared import Limit
    from limitkit.control.task_limits import Ask, TaskLimits
    from limitkit.worker.pacing.tokens import Tokens

logger = logging.getLogger("limitkit")

_LINGER: Final = 0.05
"""Seconds for which requests are collected, so that one call serves many."""
_MOST_AT_ONCE: Final = 64
_MOST_COLLECTED: Final = 1024
"""More are not counted: a store that does not answer must not fill a worker's memory."""
_SWEEP_EVERY: Final = 0.2
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


class _Slot(NamedTuple):
    """A slot of a concurrency limit in shadow."""

    id: str
    """The request's."""
    bucket: Slots
    local: bool


class Shadow:
    """Counts for the limits in shadow of one worker."""

    def __init__(self, task_limits: TaskLimits, tokens: Tokens) -> None:
        self.shadow_counts: dict[str, ShadowCount] = {}
        """By the limits' tags in the buckets' keys."""
        self._task_limits = task_limits
        self._own = tokens.own
        self._tokens = tokens
        self._running: dict[str, _Slot] = {}
        """The slots that requests have taken, by the names under which they have them."""
        self._swept = NEVER
        self._collected: list[tuple[ShadowRequest, Take]] = []
        self._due = NEVER

    @property
    def due(self) -> float:
        """When there is something to do."""
        return min(self._due, self._swept)

    def came(self, request: Any) -> bool:
        """Count a request that has come for the first time; returns whether ``due`` has changed."""
        limits = self._task_limits.shadows(request.task, limited_queue(self._task_limits, request))
        if not limits or was_parked(request.message):
            return False
        for bound in limits:
            shadowed = ShadowRequest(request.task.name, bound.limit)
            take = self._take(request, self._task_limits.ask(bound, request.task, call_of(request)))
            if bound.local:
                self._count(shadowed, take, self._own.take([take])[0])
            elif len(self._collected) < _MOST_COLLECTED:
                self._collected.append((shadowed, take))
        if not self._collected or self._due != NEVER:
            return False
        self._due = self._task_limits.clock.monotonic() + _LINGER
        return True

    def work(self, now: float) -> None:
        """Ask the store for the collected requests. They are not counted when it can't be asked."""
        if now >= self._swept:
            self._sweep(now)
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
        for (shadowed, take), decision in zip(asked, decisions, strict=True):
            self._count(shadowed, take, decision)

    def _take(self, request: Any, ask: Ask) -> Take:
        bucket = ask.bucket
        if type(bucket) is Bucket and not bucket.metered:
            return Take((bucket,), 1, 1, _LONGEST)
        member = ""
        if isinstance(bucket, Slots):
            member = self._task_limits.new_member()
            self._running[member] = _Slot(request.id, bucket, ask.local)
            self._swept = min(self._swept, self._task_limits.clock.monotonic() + _SWEEP_EVERY)
        return Take((bucket,), costs=(ask.cost,), member=member)

    def _sweep(self, now: float) -> None:
        """Give back the slots of requests that have ended, as far as Celery knows."""
        asked_later = {take.member for _, take in self._collected}
        for member, slot in list(self._running.items()):
            if slot.id in state.requests or member in asked_later:
                continue
            del self._running[member]
            gifts = give_backs([slot.bucket], member)
            if slot.local:
                self._own.take([], gifts)
            else:
                self._tokens.leases.end(member)
                self._tokens.give_back_later(gifts)
        self._swept = now + _SWEEP_EVERY if self._running else NEVER

    def _count(self, shadowed: ShadowRequest, take: Take, decision: Decision) -> None:
        slot = self._running.get(take.member)
        if slot is not None and not decision.slots:  # it would wait for one, and starts without
            del self._running[take.member]
        elif slot is not None and not slot.local:
            self._tokens.leases.hold([slot.bucket], take.member)
        wait = decision.slots[0] if decision.slots else min(_LONGEST, decision.retry_after) or _LONGEST
        tag = limit_tag(shadowed.limit.name, own=shadowed.limit.own)
        self.shadow_counts.setdefault(tag, ShadowCount()).count(wait)
        if wait > 0.0 and wanted(TaskShadowed):
            emit(TaskShadowed(task=shadowed.task, limit=shadowed.limit.name, wait=wait))
