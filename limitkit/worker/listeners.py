"""Who hears what a worker tells: signals, the worker's own events, metrics; and what its pool processes tell."""

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
    from limitkit.worker.pacing.pacer import Pacer

_TASKS: Final = "task"
_GROUP: Final = "limitkit"
"""What the types of limitkit's own events begin with."""
THROTTLED: Final = f"{_GROUP}-task-throttled"


class WorkerEvents:
    """Tells where a worker sends events (``-E``) who is throttled, by which limit, and until when.

    Those events are of a group of their own. Whoever follows tasks by their events (``celery.events.state``, and so
    Flower) takes each ``task-`` event for a state, and one that Celery does not know ranks above those that it does:
    a task would stay in it while it runs, and when it is revoked.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.consumer: Any = None
        self.paced = False
        """Whether there is a pacer, which has Celery tell of what it drops."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether events are sent; processes that were forked before can't know, and send seldom."""
        if kind is TaskThrottled:
            return self._dispatcher is not None
        return kind in (TaskSentBack, TaskDropped)

    def __call__(self, event: Event) -> None:
        """Send one, unless the task's own ``send_events`` says no."""
        assert isinstance(event, TaskThrottled | TaskSentBack | TaskDropped)  # noqa: S101 (it wants no others)
        dispatcher = self._dispatcher
        # The request is not asked: what a pool process tells comes when that may be over.
        if dispatcher is None or not getattr(self._app.tasks.get(event.task), "send_events", True):
            return
        if isinstance(event, TaskDropped):
            if not self.paced:  # Celery tells of nothing that its pool ignores, and the task would seem to run for good
                dispatcher.send("task-revoked", uuid=event.id, terminated=False, signum=None, expired=False)
        elif not (isinstance(event, TaskSentBack) and event.throttled):
            _treat_as_tasks(dispatcher)
            expected = time.time() + event.wait
            dispatcher.send(THROTTLED, uuid=event.id, name=event.task, limit=event.limit, expected_start=expected)

    @property
    def _dispatcher(self) -> Any:
        """What sends a worker's events, a new one for each connection; None while none are wanted of its tasks."""
        found = getattr(self.consumer, "event_dispatcher", None)
        sends = found is not None and found.enabled and (not found.groups or _TASKS in found.groups)
        return found if sends else None


def _treat_as_tasks(dispatcher: Any) -> None:
    """Have our events sent as those of tasks are: many in one message, and where remote control has asked for them."""
    if dispatcher.groups:
        dispatcher.groups.add(_GROUP)
    if dispatcher.buffer_group and _GROUP not in dispatcher.buffer_group:
        dispatcher.buffer_group = (*dispatcher.buffer_group, _GROUP)


class Metrics(Protocol):
    """What counts in a worker, and shows its counts."""

    @property
    def listener(self) -> Listener:
        """What hears of each event."""

    def start(self, pacer: Pacer | None) -> None:
        """Show the metrics, from the first connection on; the pacer is that of this connection."""

    def close(self) -> None:
        """Show them no more."""


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
        """As they were when it started: its port stays."""
        self._metrics = metrics(app, task_limits, refresh)
        self._listeners: list[Listener] = [Signals(), self._events]
        if self._metrics is not None:
            self._listeners.append(self._metrics.listener)
        emitter.carry_by(self._relay)
        for listener in self._listeners:
            emitter.listen(listener)

    def count_starts(self, pacer: Pacer | None) -> None:
        """Count the starts of the last minute: what the pacer lets through, or what the guard does where there is none.

        Call it before the pool's processes are there.
        """
        if pacer is not None:
            pacer.recent = self.recent
        elif self._starts not in self._listeners:
            self._listeners.append(self._starts)
            emitter.listen(self._starts)

    def start(self, consumer: Any, pacer: Pacer | None) -> None:
        """Hear what comes from pool processes, on the consumer's loop; show metrics from the first time on."""
        self._relay.start(consumer.timer)
        self._events.consumer, self._events.paced = consumer, pacer is not None
        if self._metrics is not None:
            self._metrics.start(pacer)

    def stop(self) -> None:
        """Let go of the connection's timer."""
        self._relay.stop()

    def close(self) -> None:
        """Hear and show nothing more."""
        self.stop()
        for listener in self._listeners:
            emitter.unlisten(listener)
        self._relay.close()
        if self._metrics is not None:
            self._metrics.close()
