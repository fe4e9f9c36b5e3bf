"""Counts what the core tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from limitkit import events
from limitkit.metrics import families as f

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.events import Event
    from limitkit.live import Live
    from limitkit.metrics.numbers import Numbers

_WINDOW: Final = 60.0
"""Seconds in which the starts are that utilization is of."""


class Recent:
    """How many there were in the last minute: those of this minute, and the part of the one before that is left."""

    __slots__ = ("_before", "_born", "_now", "_since")

    def __init__(self, now: float) -> None:
        self._born = self._since = now
        self._now = self._before = 0

    def add(self, now: float) -> None:
        """Count one."""
        self._turn(now)
        self._now += 1

    def per_second(self, now: float) -> float:
        """Return how many there were in a second; in the first minute of all, those since it began."""
        self._turn(now)
        count = self._now + self._before * (1 - (now - self._since) / _WINDOW)
        return count / min(_WINDOW, max(1.0, now - self._born))

    def _turn(self, now: float) -> None:
        past = int((now - self._since) / _WINDOW)
        if past > 0:
            self._before = self._now if past == 1 else 0
            self._now = 0
            self._since += past * _WINDOW


class Counting:
    """The listener that counts; ``tasks`` are the app's, by name."""

    def __init__(self, numbers: Numbers, live: Live, tasks: Any) -> None:
        self._numbers = numbers
        self._live = live
        self._tasks = tasks
        self.recent: dict[str, Recent] = {}
        """Starts of the last minute, by limit."""
        self.degraded = False
        self._do: dict[type[Event], Callable[[Any], None]] = {
            events.TaskThrottled: self._throttled,
            events.TaskAdmitted: lambda event: numbers.observe(f.WAITS, event.waited, event.task),
            events.TaskParked: lambda event: numbers.add(f.OUTCOMES, event.task, "parked"),
            events.TaskStarted: self._started,
            events.TaskSentBack: self._sent_back,
            events.TaskDropped: lambda event: numbers.add(f.OUTCOMES, event.task, "dropped"),
            events.TaskFailed: lambda event: numbers.add(f.OUTCOMES, event.task, "failed"),
            events.TaskShadowed: self._shadowed,
            events.StoreAsked: self._asked,
            events.StoreFailed: lambda _: setattr(self, "degraded", True),
            events.StoreRecovered: lambda _: setattr(self, "degraded", False),
            events.ConfigReloaded: lambda _: numbers.add(f.RELOADS),
            events.ConfigRefused: lambda _: numbers.add(f.FAILED_RELOADS),
            events.FeedbackHeard: lambda event: numbers.add(f.FEEDBACK, event.limit, event.action),
        }

    def wants(self, kind: type[Event]) -> bool:
        """Whether it is counted."""
        return kind in self._do

    def __call__(self, event: Event) -> None:
        """Count."""
        self._do[type(event)](event)

    def _throttled(self, event: events.TaskThrottled) -> None:
        self._numbers.add(f.HITS, event.task)
        if event.held:
            self._numbers.add(f.OUTCOMES, event.task, "held")

    def _started(self, event: events.TaskStarted) -> None:
        self._numbers.add(f.OUTCOMES, event.task, "failed_open" if event.failed_open else "started")
        if event.late is not None:
            self._numbers.observe(f.LATENESS, max(0.0, event.late))
        task, now = self._tasks.get(event.task), time.monotonic()
        for bound in self._live.limits(task) if task is not None else ():
            name = bound.limit.name
            self._numbers.add(f.STARTS, name)
            recent = self.recent.get(name)
            if recent is None:
                recent = self.recent[name] = Recent(now)
            recent.add(now)

    def _sent_back(self, event: events.TaskSentBack) -> None:
        self._numbers.add(f.RETRIES, event.task)
        if not event.throttled:
            self._numbers.add(f.HITS, event.task)

    def _shadowed(self, event: events.TaskShadowed) -> None:
        self._numbers.add(f.OUTCOMES, event.task, "shadowed")
        self._numbers.observe(f.SHADOW_WAITS, event.wait, event.limit)

    def _asked(self, event: events.StoreAsked) -> None:
        self._numbers.observe(f.STORE_CALLS, event.seconds)
        if event.failed:
            self._numbers.add(f.STORE_ERRORS)
