"""Counts the events that the core emits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from limitkit.events import event_types
from limitkit.events.last_minute import SECONDS, Recent
from limitkit.metrics import families as f

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.control.task_limits import TaskLimits
    from limitkit.events.event_types import Event
    from limitkit.metrics.counters import Numbers


class Counting:
    """The listener that counts; ``tasks`` are the app's, by name."""

    def __init__(self, numbers: Numbers, task_limits: TaskLimits, tasks: Any) -> None:
        self._numbers = numbers
        self._task_limits = task_limits
        self._tasks = tasks
        self._lock = threading.Lock()
        self._recent = Recent()
        self._born: dict[str, float] = {}
        """The time of the first start, by limit."""
        self.degraded = False
        self._do: dict[type[Event], Callable[[Any], None]] = {
            event_types.TaskThrottled: self._throttled,
            event_types.TaskAdmitted: lambda event: numbers.observe(f.WAITS, event.waited, event.task),
            event_types.TaskParked: lambda event: numbers.add(f.OUTCOMES, event.task, "parked"),
            event_types.TaskStarted: self._started,
            event_types.TaskSentBack: self._sent_back,
            event_types.TaskDropped: lambda event: numbers.add(f.OUTCOMES, event.task, "dropped"),
            event_types.TaskFailed: lambda event: numbers.add(f.OUTCOMES, event.task, "failed"),
            event_types.TaskShadowed: self._shadowed,
            event_types.StoreAsked: self._asked,
            event_types.StoreFailed: lambda _: setattr(self, "degraded", True),
            event_types.StoreRecovered: lambda _: setattr(self, "degraded", False),
            event_types.ConfigReloaded: lambda _: numbers.add(f.RELOADS),
            event_types.ConfigRefused: lambda _: numbers.add(f.FAILED_RELOADS),
            event_types.LeaseLost: lambda event: numbers.add(f.LEASES_LOST, event.limit),
            event_types.CostSettled: self._settled,
            event_types.FeedbackReceived: lambda event: numbers.add(f.FEEDBACK, event.limit, event.action),
        }

    def wants(self, kind: type[Event]) -> bool:
        """Whether it is counted."""
        return kind in self._do

    def __call__(self, event: Event) -> None:
        """Count."""
        self._do[type(event)](event)

    def starts_a_second(self, limit: str, now: float) -> float:
        """Return how fast tasks of a limit have started in the last minute, or since its first start."""
        with self._lock:
            if limit not in self._born:
                return 0.0
            return self._recent.total(limit, now) / min(SECONDS, max(1.0, now - self._born[limit]))

    def _throttled(self, event: event_types.TaskThrottled) -> None:
        self._numbers.add(f.HITS, event.task)
        if event.held:
            self._numbers.add(f.OUTCOMES, event.task, "held")

    def _started(self, event: event_types.TaskStarted) -> None:
        self._numbers.add(f.OUTCOMES, event.task, "failed_open" if event.failed_open else "started")
        if event.late is not None:
            self._numbers.observe(f.LATENESS, max(0.0, event.late))
        task, now = self._tasks.get(event.task), time.monotonic()
        for bound in self._task_limits.limits(task, event.queue) if task is not None else ():
            self._numbers.add(f.STARTS, bound.limit.name)
            with self._lock:
                self._recent.count(bound.limit.name, now)
                self._born.setdefault(bound.limit.name, now)

    def _sent_back(self, event: event_types.TaskSentBack) -> None:
        self._numbers.add(f.RETRIES, event.task)
        if not event.throttled:
            self._numbers.add(f.HITS, event.task)

    def _settled(self, event: event_types.CostSettled) -> None:
        self._numbers.add(f.ESTIMATED, event.limit, number=event.estimate)
        self._numbers.add(f.SETTLED, event.limit, number=event.cost)

    def _shadowed(self, event: event_types.TaskShadowed) -> None:
        self._numbers.add(f.OUTCOMES, event.task, "shadowed")
        self._numbers.observe(f.SHADOW_WAITS, event.wait, event.limit)

    def _asked(self, event: event_types.StoreAsked) -> None:
        self._numbers.observe(f.STORE_CALLS, event.seconds)
        if event.failed:
            self._numbers.add(f.STORE_ERRORS)
