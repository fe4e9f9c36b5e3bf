"""The metrics of one worker: what counts there, and shows the counts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import REGISTRY, CollectorRegistry

from limitkit.metrics import registry as registries
from limitkit.metrics.count_events import Counting
from limitkit.metrics.counters import Numbers
from limitkit.metrics.endpoint import serve
from limitkit.metrics.gauges import Reading

if TYPE_CHECKING:
    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import TaskLimits
    from limitkit.metrics.http_server import BoundedServer
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer

_MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"


class WorkerMetrics:
    """Counts what happens in a worker, and shows it where the file or the app says."""

    def __init__(self, app: Any, task_limits: TaskLimits, refresh: Refresh) -> None:
        self._settings = task_limits.rules.metrics
        self._server: BoundedServer | None = None
        self._served = False
        numbers = Numbers()
        self.listener = Counting(numbers, task_limits, app.tasks)
        reading = self._reading = Reading(task_limits, app.tasks, refresh, self.listener)
        registries.COLLECTOR.source = lambda: reading.metrics(numbers)

    def start(self, pacer: Pacer | PacerDoor | None) -> None:
        """Show the metrics, once; the pacer is that of this connection."""
        self._reading.pacer = lambda: pacer
        if self._served or not self._settings.wanted:
            return
        self._served = True
        registry = REGISTRY
        if os.environ.get(_MULTIPROCESS):  # a team shows the default registry's metrics elsewhere, of all processes
            registry = CollectorRegistry()
        if not registries.registered():
            registries.show_in(registry)
        if self._settings.ports:
            self._server = serve(self._settings.host, self._settings.ports, registry, registries.COLLECTOR)

    def close(self) -> None:
        """Stop showing the metrics."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
