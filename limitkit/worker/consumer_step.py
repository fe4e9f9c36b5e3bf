"""The steps of Celery's consumer: they put the pacer in, and start and stop limitkit's other parts in a worker."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from celery import bootsteps

from limitkit.waiting.room_names import REDIS, kind_of_transport
from limitkit.worker.installation import INSTALLED

if TYPE_CHECKING:
    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import TaskLimits
    from limitkit.worker.batch_strategies import BatchRuns
    from limitkit.worker.listeners import Listeners
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer
    from limitkit.worker.pool.entry import PoolEntry
    from limitkit.worker.reconnect import Unacked
    from limitkit.worker.rescue import Rescue

logger = logging.getLogger("limitkit")


class PacerStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Puts the pacer where the consumer hands requests over, and has it forget them when the connection goes."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._closes_first = False
        self.entry: PoolEntry | None = None
        self.pacer: Pacer | PacerDoor | None = None
        self._task_limits: TaskLimits | None = None
        self._refresh: Refresh | None = None
        self._batch_runs: BatchRuns | None = None
        self._worker_listeners: Listeners | None = None
        self.unacked: Unacked | None = None
        self._rescue: Rescue | None = None
        installation = INSTALLED.get(consumer.app)
        if installation is None or installation.config is None or installation.task_limits is None:
            return
        if installation.unlimited:
            return
        from limitkit.worker.batch_strategies import BatchRuns  # noqa: PLC0415
        from limitkit.worker.bypasses import strategy_of  # noqa: PLC0415 (likewise)
        from limitkit.worker.pool.entry import open_entry, paces  # noqa: PLC0415
        from limitkit.worker.startup_checks import warn  # noqa: PLC0415 (only workers need it)
        from limitkit.worker.startup_line import pool_line, start_line  # noqa: PLC0415

        self._task_limits, self._refresh, self._worker_listeners = (
            installation.task_limits,
            installation.refresh,
            installation.listeners,
        )
        paced = paces(consumer.controller)
        line = start_line(installation.config, consumer.app, pool_line(consumer.controller), paced=paced)
        logger.info("%s", line, extra={"action": "started"})
        warn(installation.config, consumer.controller, installation.task_limits.store, paced=paced)
        if installation.trouble is not None:
            installation.task_limits.outage.out_of_sight(installation.trouble, installation.task_limits.on_errors)
            installation.trouble = None
        self.entry = open_entry(consumer, installation.task_limits.clock)
        if kind_of_transport(consumer.app.connection_for_read().transport) == REDIS:
            from limitkit.worker.rescue import Rescue  # noqa: PLC0415 (only this broker needs it)

            self._rescue = Rescue(consumer, installation.task_limits)
            self.entry = self._rescue.enter_by(self.entry)
        if self.entry is not None:
            self.pacer = installation.pacer = self._pace(consumer, self.entry, installation.task_limits)
        else:
            from limitkit.worker.unpaced import Unpaced  # noqa: PLC0415

            consumer.on_task_request = Unpaced(consumer, installation.task_limits)
        if any(strategy_of(task) for task in consumer.app.tasks.values()):
            self._batch_runs = BatchRuns(consumer, installation.task_limits, self.pacer, self._free_unused)
        if self._worker_listeners is not None:
            self._worker_listeners.count_starts(self.pacer)

    def _free_unused(self) -> None:
        """Free a place of the pool for which something was started that the pool never got."""
        if self.entry is not None and not self.entry.frees_unused:
            self.entry.semaphore.release()

    def _pace(self, consumer: Any, entry: PoolEntry, task_limits: TaskLimits) -> Pacer | PacerDoor:
        """Put a pacer where the consumer hands requests over."""
        from limitkit.waiting.choose_room import open_room  # noqa: PLC0415
        from limitkit.worker.pacer_door import PacerDoor  # noqa: PLC0415
        from limitkit.worker.pacing.hold_bounds import HoldBounds  # noqa: PLC0415
        from limitkit.worker.pacing.pacer import Pacer  # noqa: PLC0415
        from limitkit.worker.pacing.parking import Parking  # noqa: PLC0415
        from limitkit.worker.pacing.prefetch_window import PrefetchWindow  # noqa: PLC0415
        from limitkit.worker.pacing.rate_limit_command import RateLimitCommand  # noqa: PLC0415

        command_rates, window = RateLimitCommand(consumer, task_limits), PrefetchWindow(consumer)
        bounds = HoldBounds(lambda: task_limits.rules.waiting, lambda: consumer.initial_prefetch_count)
        prefix, clock = task_limits.rules.store.prefix, task_limits.clock
        parking = Parking(consumer, lambda: open_room(consumer, prefix, clock), bounds, window, clock)
        pacer = Pacer(consumer, entry, task_limits, parking, command_rates)
        door = pacer if consumer.hub else PacerDoor(pacer, entry.loop)
        consumer.on_task_request = door
        command_rates.take_over(door.reconsider)
        pacer.view.ask = entry.loop.run
        return door

    def start(self, consumer: Any) -> None:
        """Return to the broker what the last connection has left, find out what it can do, and count the workers."""
        if self._task_limits is not None:
            from limitkit.waiting.origin_queue import note_queues  # noqa: PLC0415 (only workers need it)

            note_queues(consumer.connection.default_channel)
        if kind_of_transport(consumer.connection.transport) == REDIS:
            self._settle(consumer)
        if not self._closes_first:
            self._close_first(consumer)
        if self._batch_runs is not None:
            self._batch_runs.connected()
        if self.entry is not None and self.pacer is not None:
            self.entry.connected(consumer, lambda: self._is_busy(consumer))
            self.pacer.connected()
        if self._task_limits is not None and self._task_limits.store is not None:
            self._task_limits.worker_count.start(self._task_limits.store, consumer.controller, consumer.timer)
        if self._refresh is not None:
            self._refresh.start(consumer, self.pacer)
        if self._worker_listeners is not None:
            self._worker_listeners.start(consumer, self.pacer)

    def _settle(self, consumer: Any) -> None:
        """Settle over Redis what the last connection has left, and note whose the next deliveries are."""
        from limitkit.worker.pool.in_pool import QueuedInPool  # noqa: PLC0415 (likewise)
        from limitkit.worker.reconnect import Unacked  # noqa: PLC0415 (only this broker needs it)

        in_pool = self.entry.in_pool if self.entry is not None else QueuedInPool()
        self.unacked = self.unacked or Unacked(consumer, in_pool)
        self.unacked.connected()
        if self._batch_runs is not None:
            runs = self._batch_runs.in_pool
            self.unacked.batches = lambda: list(runs)
        if self._rescue is not None:
            self._rescue.connected(self.unacked)

    def _close_first(self, consumer: Any) -> None:
        """Start nothing more once the connection closes, or is lost, before Celery or limitkit gives back the rest."""
        self._closes_first = True
        on_close, on_lost = consumer.blueprint.on_close, consumer.on_connection_error_after_connected

        def start_nothing() -> None:
            if self.pacer is not None:
                self.pacer.close()
            if self.entry is not None:
                self.entry.close()

        def close() -> None:
            start_nothing()
            if on_close is not None:
                on_close()

        def lost(error: Exception) -> None:
            start_nothing()
            on_lost(error)

        consumer.blueprint.on_close, consumer.on_connection_error_after_connected = close, lost

    def _is_busy(self, consumer: Any) -> bool:
        """Whether what the consumer may fetch can change by itself: something is held, or its window is full."""
        if self.pacer is not None and self.pacer.view.holds:
            return True
        qos = getattr(consumer.connection.default_channel, "qos", None)  # of a virtual transport
        return qos is not None and not qos.can_consume()

    def shutdown(self, consumer: Any) -> None:  # noqa: ARG002 (Celery passes it)
        """End the pacer's loop, and what goes on until the pool has ended."""
        if self.entry is not None:
            self.entry.loop.close()
        if self.pacer is not None:
            self.pacer.shutdown()
        if self._rescue is not None:
            self._rescue.shutdown()

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 (Celery passes it)
        """Forget what is held: the broker has it again."""
        if self._refresh is not None:
            self._refresh.stop()
        if self._worker_listeners is not None:
            self._worker_listeners.stop()
        if self.unacked is not None:
            self.unacked.receive_last()
        if self.entry is not None:
            self.entry.loop.disconnected()
        if self.pacer is not None:
            self.pacer.forget()
        if self.unacked is not None:
            self.unacked.give_back()
        if self._task_limits is not None:
            self._task_limits.worker_count.stop()
        if self._rescue is not None:
            self._rescue.stop()


class BypassStep(bootsteps.StartStopStep):  # type: ignore[misc] # as above
    """Warns, once the tasks have their Strategies and tracers, of what may bypass their limits."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._said = False

    def start(self, consumer: Any) -> None:
        """Warn, at the first connection."""
        installation = INSTALLED.get(consumer.app)
        if installation is not None and installation.ready_at is None:
            installation.ready_at = time.monotonic()
        if self._said or installation is None or installation.task_limits is None or installation.refresh is None:
            return
        if installation.unlimited:
            return
        from limitkit.worker.bypasses import bypasses, heard  # noqa: PLC0415 (only workers need it)

        task_limits, tasks, pool = installation.task_limits, consumer.app.tasks, consumer.controller.pool_cls
        self._said = True
        installation.refresh.bypasses = lambda: bypasses(task_limits, tasks, pool)
        for problem in heard(installation.usable(), installation.refresh.bypasses()):
            logger.warning("%s", problem)
