"""The steps of Celery's consumer: they put the pacer in, and start and stop limitkit's other parts in a worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery import bootsteps

from limitkit.waiting.room_names import REDIS, kind_of_transport
from limitkit.worker.installation import INSTALLED

if TYPE_CHECKING:
    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import TaskLimits
    from limitkit.worker.batch_strategies import BatchRuns
    from limitkit.worker.listeners import Listeners
    from limitkit.worker.pacing.pacer import Pacer
    from limitkit.worker.reconnect import Unacked

logger = logging.getLogger("limitkit")


class PacerStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Puts the pacer where the consumer hands requests over, and has it forget them when the connection goes."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self.pacer: Pacer | None = None
        self._task_limits: TaskLimits | None = None
        self._refresh: Refresh | None = None
        self._batch_runs: BatchRuns | None = None
        self._worker_listeners: Listeners | None = None
        self.unacked: Unacked | None = None
        installation = INSTALLED.get(consumer.app)
        if installation is None or installation.config is None or installation.task_limits is None:
            return
        from limitkit.worker.batch_strategies import BatchRuns  # noqa: PLC0415
        from limitkit.worker.bypasses import strategy_of  # noqa: PLC0415 (likewise)
        from limitkit.worker.startup_checks import warn  # noqa: PLC0415 (only workers need it)
        from limitkit.worker.startup_line import start_line  # noqa: PLC0415

        self._task_limits, self._refresh, self._worker_listeners = (
            installation.task_limits,
            installation.refresh,
            installation.listeners,
        )
        paced = paces(consumer.controller)
        logger.info("%s", start_line(installation.config, consumer.app, paced=paced), extra={"action": "started"})
        warn(installation.config, consumer.controller, installation.task_limits.store, paced=paced)
        if installation.trouble is not None:
            installation.task_limits.outage.out_of_sight(installation.trouble, installation.task_limits.on_errors)
            installation.trouble = None
        if paced:
            from limitkit.worker.pool.accepted import read_before_close  # noqa: PLC0415

            read_before_close(consumer)
            self.pacer = installation.pacer = self._pace(consumer, installation.task_limits)
        else:
            from limitkit.worker.unpaced import Unpaced  # noqa: PLC0415

            consumer.on_task_request = Unpaced(consumer, installation.task_limits)
        if any(strategy_of(task) for task in consumer.app.tasks.values()):
            self._batch_runs = BatchRuns(consumer, installation.task_limits, self.pacer)
        if self._worker_listeners is not None:
            self._worker_listeners.count_starts(self.pacer)

    def _pace(self, consumer: Any, task_limits: TaskLimits) -> Pacer:
        """Put a pacer where the consumer hands requests over."""
        from limitkit.waiting.choose_room import open_room  # noqa: PLC0415
        from limitkit.worker.pacing.hold_bounds import HoldBounds  # noqa: PLC0415
        from limitkit.worker.pacing.pacer import Pacer  # noqa: PLC0415
        from limitkit.worker.pacing.parking import Parking  # noqa: PLC0415
        from limitkit.worker.pacing.prefetch_window import PrefetchWindow  # noqa: PLC0415
        from limitkit.worker.pacing.rate_limit_command import RateLimitCommand  # noqa: PLC0415

        command_rates, window = RateLimitCommand(consumer, task_limits), PrefetchWindow(consumer)
        bounds = HoldBounds(lambda: task_limits.rules.waiting, lambda: consumer.initial_prefetch_count)
        parking = Parking(consumer, lambda: open_room(consumer, task_limits.rules.store.prefix), bounds, window)
        pacer = Pacer(consumer, task_limits, parking, window, command_rates)
        consumer.on_task_request = pacer
        command_rates.take_over(pacer.reconsider)
        return pacer

    def start(self, consumer: Any) -> None:
        """Return to the broker what the last connection has left, find out what it can do, and count the workers."""
        if self._task_limits is not None:
            from limitkit.waiting.origin_queue import note_queues  # noqa: PLC0415 (only workers need it)

            note_queues(consumer.connection.default_channel)
        if kind_of_transport(consumer.connection.transport) == REDIS:
            from limitkit.worker.reconnect import Unacked  # noqa: PLC0415 (only this broker needs it)

            self.unacked = self.unacked or Unacked(consumer, pool_queues=not paces(consumer.controller))
            self.unacked.connected()
        if self._batch_runs is not None:
            self._batch_runs.connected()
        if self.pacer is not None:
            self.pacer.connected()
        if self._task_limits is not None and self._task_limits.store is not None:
            self._task_limits.worker_count.start(self._task_limits.store, consumer.controller, consumer.timer)
        if self._refresh is not None:
            self._refresh.start(consumer, self.pacer)
        if self._worker_listeners is not None:
            self._worker_listeners.start(consumer, self.pacer)

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 (Celery passes it)
        """Forget what is held: the broker has it again."""
        if self._refresh is not None:
            self._refresh.stop()
        if self._worker_listeners is not None:
            self._worker_listeners.stop()
        if self.unacked is not None:
            self.unacked.receive_last()
        if self.pacer is not None:
            self.pacer.forget()
        if self.unacked is not None:
            self.unacked.give_back()
        if self._task_limits is not None:
            self._task_limits.worker_count.stop()


class BypassStep(bootsteps.StartStopStep):  # type: ignore[misc] # as above
    """Warns, once the tasks have their Strategies and tracers, of what may bypass their limits."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._said = False

    def start(self, consumer: Any) -> None:
        """Warn, at the first connection."""
        installation = INSTALLED.get(consumer.app)
        if self._said or installation is None or installation.task_limits is None or installation.refresh is None:
            return
        from limitkit.worker.bypasses import bypasses  # noqa: PLC0415 (only workers need it)

        task_limits, tasks, pool = installation.task_limits, consumer.app.tasks, consumer.controller.pool_cls
        self._said = True
        installation.refresh.bypasses = lambda: bypasses(task_limits, tasks, pool)
        for each in installation.refresh.bypasses():
            logger.warning("%s", each.problem(installation.usable()))


def paces(worker: Any) -> bool:
    """Whether this worker's pool has processes that can be waited for (prefork)."""
    return bool(getattr(worker, "semaphore", None) and worker.pool_putlocks and worker.pool_cls.uses_semaphore)
