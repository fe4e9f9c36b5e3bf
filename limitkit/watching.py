"""Who hears what a worker tells: signals, the worker's own events, metrics; and what its pool processes tell."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celery.worker import state

from limitkit import events
from limitkit.events import TaskSentBack, TaskThrottled
from limitkit.relay import Relay
from limitkit.signals import Signals

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from limitkit.events import Event, Listener
    from limitkit.live import Live
    from limitkit.metrics.reading import Reading
    from limitkit.pacer import Pacer
    from limitkit.upkeep import Upkeep

_MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"


class WorkerEvents:
    """Sends ``task-throttled`` events where a worker sends events (``-E``), with the limit and the expected start."""

    def __init__(self) -> None:
        self.consumer: Any = None

    def wants(self, kind: type[Event]) -> bool:
        """Whether events are sent; processes that were forked before can't know, and send seldom."""
        if kind is TaskThrottled:
            return bool(getattr(getattr(self.consumer, "event_dispatcher", None), "enabled", False))
        return kind is TaskSentBack

    def __call__(self, event: Event) -> None:
        """Send one, unless the task's own ``send_events`` says no."""
        assert isinstance(event, TaskThrottled | TaskSentBack)  # noqa: S101 (it wants no others)
        request = state.requests.get(event.id)
        if request is not None and not (isinstance(event, TaskSentBack) and event.throttled):
            request.send_event("task-throttled", limit=event.limit, expected_start=time.time() + event.wait)


class Watching:
    """All listeners of one worker. A process has one: another takes its place."""

    _last: ClassVar[Watching | None] = None

    def __init__(self, app: Any, live: Live, upkeep: Upkeep) -> None:
        if Watching._last is not None:
            Watching._last.close()
        Watching._last = self
        self._relay = Relay()
        self._events = WorkerEvents()
        self._settings = live.rules.metrics
        self._reading: Reading | None = None
        self._server: WSGIServer | None = None
        self._served = False
        self._listeners: list[Listener] = [Signals(), self._events]
        self._count(app, live, upkeep)
        events.carry_by(self._relay)
        for listener in self._listeners:
            events.listen(listener)

    def _count(self, app: Any, live: Live, upkeep: Upkeep) -> None:
        from limitkit import metrics  # noqa: PLC0415 (of use where metrics are wanted alone)

        if not self._settings.wanted and not metrics.registered():
            return
        from limitkit.metrics.counting import Counting  # noqa: PLC0415
        from limitkit.metrics.numbers import Numbers  # noqa: PLC0415
        from limitkit.metrics.reading import Reading  # noqa: PLC0415

        numbers = Numbers()
        counting = Counting(numbers, live, app.tasks)
        reading = self._reading = Reading(live, app.tasks, upkeep, counting)
        self._listeners.append(counting)
        metrics.COLLECTOR.source = lambda: reading.metrics(numbers)

    def start(self, consumer: Any, pacer: Pacer | None) -> None:
        """Hear what comes from pool processes, on the consumer's loop; show metrics from the first time on."""
        self._relay.start(consumer.timer)
        self._events.consumer = consumer
        if self._reading is not None:
            self._reading.pacer = lambda: pacer
            self._show()

    def stop(self) -> None:
        """Let go of the connection's timer."""
        self._relay.stop()

    def close(self) -> None:
        """Hear and show nothing more."""
        self.stop()
        for listener in self._listeners:
            events.unlisten(listener)
        self._relay.close()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _show(self) -> None:
        if self._served or not self._settings.wanted:
            return
        self._served = True
        from prometheus_client import REGISTRY, CollectorRegistry  # noqa: PLC0415

        from limitkit import metrics  # noqa: PLC0415
        from limitkit.metrics.serving import serve  # noqa: PLC0415

        registry = REGISTRY
        if os.environ.get(_MULTIPROCESS):  # a team shows the default registry's metrics elsewhere, of all processes
            registry = CollectorRegistry()
        if not metrics.registered():
            registry.register(metrics.COLLECTOR)
        if self._settings.ports:
            self._server = serve(self._settings.host, self._settings.ports, registry, metrics.COLLECTOR)
