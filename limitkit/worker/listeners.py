"""The listeners of a worker: signals, the worker's own events and metrics; also for events of its pool processes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from limitkit.events import emitter
from limitkit.events.event_types import TaskDropped, TaskSentBack, TaskThrottled
from limitkit.events.last_minute import Recent
from limitkit.events.relay import Relay
from limitkit.signals import Signals
from limitkit.worker.start_counter import Starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import TaskLimits
    from limitkit.events.emitter import Listener
    from limitkit.events.event_types import Event
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer

_TASKS: Final = "task"
_GROUP: Final = "limitkit"
"""The types of limitkit's own events begin with this."""
THROTTLED: Final = f"{_GROUP}-task-throttled"


class WorkerEvents:
    """Sends an event for each throttled task, with its limit and until when, where the worker sends events (``-E``).

    These events have a group of their own. Programs that follow tasks by their events (``celery.events.state``, and so
    Flower) take each ``task-`` event for a state, and rank a state that Celery does not know above those that it does:
    a task would stay in it while it runs, and when it is revoked.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.consumer: Any = None
        self.paced = False
        """Whether there is a pacer, which has Celery send the event of a task that it drops."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether this event is sent; pool processes, forked before, can't know whether any are, and emit few."""
        if kind is TaskThrottled:
            return self._dispatcher is not None
        return kind in (TaskSentBack, TaskDropped)

    def __call__(self, event: Event) -> None:
        """Send one, unless the task's own ``send_events`` says no."""
        assert isinstance(event, TaskThrottled | TaskSentBack | TaskDropped)  # noqa: S101 (it wants no others)
        dispatcher = self._dispatcher
        # The request is not asked: when an event of a pool process comes, it may be over.
        if dispatcher is None or not getattr(self._app.tasks.get(event.task), "send_events", True):
            return
        if isinstance(event, TaskDropped):
            if not self.paced:  # Celery sends no event for an Ignore in the pool: the task would seem to run for ever
                dispatcher.send("task-revoked", uuid=event.id, terminated=False, signum=None, expired=False)
        elif not (isinstance(event, TaskSentBack) and event.throttled):
            _treat_as_tasks(dispatcher)
            expected = time.time() + event.wait
            dispatcher.send(THROTTLED, uuid=event.id, name=event.task, limit=event.limit, expected_start=expected)

    @property
    def _dispatcher(self) -> Any:
        """The sender of a worker's events, a new one for each connection; None while no events of tasks are wanted."""
        found = getattr(self.consumer, "event_dispatcher", None)
        sends = found is not None and found.enabled and (not found.groups or _TASKS in found.groups)
        return found if sends else None


def _treat_as_tasks(dispatcher: Any) -> None:
    """Have limitkit's events sent as those of tasks: many in one message, and where remote control asked for them."""
    if dispatcher.groups:
        dispatcher.groups.add(_GROUP)
    if dispatcher.buffer_group and _GROUP not in dispatcher.buffer_group:
        dispatcher.buffer_group = (*dispatcher.buffer_group, _GROUP)


class Metrics(Protocol):
    """The metrics of a worker: they count, and show the counts."""

    @property
    def listener(self) -> Listener:
        """The listener that counts events."""

    def start(self, pacer: Pacer | PacerDoor | None) -> None:
        """Show the metrics, from the first connection on; the pacer is that of this connection."""

    def close(self) -> None:
        """Stop showing them."""


class Listeners:
    """All listeners of one worker. A process has one: another takes its place."""

    _last: ClassVar[Listeners | None] = None

    def __init__(
        self,
        app: Any,
        task_limits: TaskLimits,
        refresh: Refresh,
        metrics: Callable[[Any, TaskLimits, Refresh], Metrics | None],
    ) -> None:
        if Listeners._last is not None:
            Listeners._last.close()
        Listeners._last = self
        self.recent = Recent()
        """Starts of the last minute, by the limits' tags in the buckets' keys."""
        self._starts = Starts(self.recent, task_limits, app.tasks)
        self._relay = Relay()
        self._events = WorkerEvents(app)
        self.settings = task_limits.rules.metrics
        """The settings of metrics as they were at the start: the port stays."""
        self._metrics = metrics(app, task_limits, refresh)
        self._listeners: list[Listener] = [Signals(), self._events]
        if self._metrics is not None:
            self._listeners.append(self._metrics.listener)
        emitter.carry_by(self._relay)
        for listener in self._listeners:
            emitter.listen(listener)

    def count_starts(self, pacer: Pacer | PacerDoor | None) -> None:
        """Count the starts of the last minute: those of the pacer, or those of the guard where there is no pacer.

        Call it before the pool's processes are there.
        """
        if pacer is not None:
            pacer.recent = self.recent
        elif self._starts not in self._listeners:
            self._listeners.append(self._starts)
            emitter.listen(self._starts)

    def start(self, consumer: Any, pacer: Pacer | PacerDoor | None) -> None:
        """Receive events from pool processes, on the consumer's loop; show metrics from the first time on."""
        self._relay.start(consumer.timer)
        self._events.consumer, self._events.paced = consumer, pacer is not None
        if self._metrics is not None:
            self._metrics.start(pacer)

    def stop(self) -> None:
        """Stop the connection's timer."""
        self._relay.stop()

    def close(self) -> None:
        """Receive and show nothing more."""
        self.stop()
        for listener in self._listeners:
            emitter.unlisten(listener)
        self._relay.close()
        if self._metrics is not None:
            self._metrics.close()
