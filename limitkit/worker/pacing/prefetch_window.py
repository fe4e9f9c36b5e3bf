"""The prefetch window: it grows by one for each request that is held, so that other tasks flow past."""

from __future__ import annotations

from typing import Any, Protocol

from celery.utils.quorum_queues import detect_quorum_queues


class Place(Protocol):
    """Something that is held, and takes a place in the window."""

    window: bool
    squeezed: bool


class PrefetchWindow:
    """Counts what the prefetch window of the current connection was changed by."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._grows = True
        # After a reconnect Celery would reduce the window, and set it to fixed sizes again as tasks end. What it has
        # grown by for requests that are held is forgotten then, and as they leave it shrinks to next to nothing.
        consumer.app.conf.worker_enable_prefetch_count_reduction = False

    def connected(self) -> None:
        """Learn what the queues of a new connection can do."""
        transport = self._consumer.connection.transport.driver_type
        # Quorum queues have a window per consumer, which can't be changed while it consumes.
        self._grows = not detect_quorum_queues(self._consumer.app, transport)[0]

    @property
    def room(self) -> int:
        """How many places of a window that can't grow may be taken by what is held."""
        return int(self._consumer.qos.value // 2)

    def widen(self, held: Place) -> None:
        """Make place for one more, if that can be done: ``held`` says what became of it."""
        qos = self._consumer.qos
        if not qos.value:
            return  # no window at all
        before = qos.value
        if self._grows:
            qos.increment_eventually()
        # At worker_eta_task_limit it does not grow, and must not be narrowed either.
        held.window = qos.value != before
        held.squeezed = not held.window

    def narrow(self, held: Place) -> None:
        """Take back what was added for a request."""
        if held.window:
            held.window = False
            self._consumer.qos.decrement_eventually()
