"""Counts the starts of the last minute in a worker that has no pacer, where only the guard knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.buckets.partition import limit_tag
from limitkit.events.event_types import TaskStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery.app.task import Task

    from limitkit.control.task_limits import TaskLimits
    from limitkit.events.event_types import Event
    from limitkit.events.last_minute import Recent


class Starts:
    """The listener that counts, for each limit of a task, what the guard lets start; ``tasks`` are the app's."""

    def __init__(self, recent: Recent, task_limits: TaskLimits, tasks: Mapping[str, Task]) -> None:
        self._recent = recent
        self._task_limits = task_limits
        self._tasks = tasks

    def wants(self, kind: type[Event]) -> bool:
        """Whether it is a start."""
        return kind is TaskStarted

    def __call__(self, event: Event) -> None:
        """Count a start. Called in the thread that begins it, or for an event from another process."""
        assert isinstance(event, TaskStarted)  # noqa: S101 (it wants no others)
        task = self._tasks.get(event.task)
        now = self._task_limits.clock.monotonic()
        for bound in self._task_limits.limits(task, event.queue) if task is not None else ():
            self._recent.count(limit_tag(bound.limit.name, own=bound.limit.own), now)
