"""Has ``app.control.rate_limit``, ``celery control rate_limit`` and Flower's button act on the pacer.

Celery sets ``task.rate_limit`` and has the consumer build its own token buckets anew. Here, a static limit gets the
new rate; a task with shared limits only gets that rate as an extra cap in this worker. "0" restores what is declared.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any

from celery.utils.time import rate as per_second

from limitkit.buckets.decision import Bucket
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.control.task_limits import Ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.buckets.call import Call
    from limitkit.control.task_limits import BoundLimit, TaskLimits

logger = logging.getLogger("limitkit")


class RateLimitCommand:
    """Replaces the consumer's own token buckets where the file limits a task."""

    def __init__(self, consumer: Any, task_limits: TaskLimits) -> None:
        self._consumer = consumer
        self._task_limits = task_limits
        self._celerys_own = consumer.bucket_for_task
        self._seen: set[str] = set()
        self._static: dict[str, int] = {}
        """Intervals (us) of static buckets, by key."""
        self._caps: dict[str, Bucket] = {}
        """Extra buckets of tasks that have shared limits only, by task name."""
        self._on_change: Callable[[], None] | None = None

    def take_over(self, on_change: Callable[[], None]) -> None:
        """Have the consumer ask here for the buckets of its tasks; ``on_change`` is called when one has changed."""
        self._on_change = on_change
        self._consumer.bucket_for_task = self._bucket_for_task
        self._consumer.reset_rate_limits()

    def asks(self, task: Any, limits: tuple[BoundLimit, ...], call: Call) -> list[Ask]:
        """Return what a start takes from each of its limits, and from the extra cap of its task if there is one."""
        found = []
        for bound in limits:
            ask = self._task_limits.ask(bound, task, call)
            interval = self._static.get(ask.bucket.key) if bound.local else None
            if interval:
                ask = ask._replace(bucket=replace(ask.bucket, interval_us=interval))
            found.append(ask)
        if task.name in self._caps:
            found.append(Ask(self._caps[task.name], local=True))
        return found

    def interval(self, bound: BoundLimit) -> float | None:
        """Return the seconds between two starts that the command has set for a static limit; None if it has not."""
        interval = self._static.get(bound.bucket.key) if bound.local and bound.bucket is not None else None
        return interval / MICROSECONDS if interval else None

    def caps(self) -> dict[str, float]:
        """Return the extra caps of this worker, by task: seconds between two starts."""
        return {task: bucket.interval_us / MICROSECONDS for task, bucket in self._caps.items()}

    def rates(self) -> dict[str, float]:
        """Return the rates, per second, that the command has set for static buckets, by their keys."""
        return {key: MICROSECONDS / interval for key, interval in list(self._static.items())}

    def _bucket_for_task(self, task: Any) -> Any:
        limits = self._task_limits.limits(task)
        if not limits:
            return self._celerys_own(task)
        given, task.rate_limit = task.rate_limit, None
        if task.name not in self._seen:
            # The first is the task's own rate limit, and the file wins over that; later ones come from the command.
            self._seen.add(task.name)
        elif given is not None:
            self._set(task, limits, per_second(given))
        return None

    def _set(self, task: Any, limits: tuple[BoundLimit, ...], rate: float) -> None:
        interval = ceil(MICROSECONDS / rate) if rate > 0 else 0
        # Slots of this worker alone have no rate.
        static = [bound.bucket for bound in limits if bound.local and type(bound.bucket) is Bucket]
        for bucket in static:
            if interval:
                self._static[bucket.key] = interval
            else:
                self._static.pop(bucket.key, None)
        if not static and interval:
            self._caps[task.name] = Bucket(f"cap:{task.name}", interval, 1)
        else:
            self._caps.pop(task.name, None)
        logger.info(
            "%s: %s in this worker.",
            task.name,
            f"{rate:g}/s {'holds' if static else 'is an extra cap'}" if interval else "the declared rate holds again",
        )
        assert self._on_change is not None  # noqa: S101 (take_over gave it)
        self._on_change()
