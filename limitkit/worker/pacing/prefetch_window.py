"""The prefetch window: it grows by one for each request that is held, so that other tasks can pass."""

from __future__ import annotations

from typing import Any, Protocol

from celery.utils.quorum_queues import detect_quorum_queues

from limitkit.waiting.origin_queue import QUEUE
from limitkit.worker.pacing.extra_consumers import extra_consumers


class Place(Protocol):
    """A held request, which takes a place in the window."""

    request: Any
    window: bool
    squeezed: bool


class PrefetchWindow:
    """Widens and narrows the prefetch window of the current connection."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._first = 0
        """What each consumer's own window is, where it can't grow itself."""
        # After a reconnect Celery would reduce the window, and set it to fixed sizes again as tasks end. Then it
        # forgets what was added for held requests, and as these leave, the window would shrink to almost nothing.
        consumer.app.conf.worker_enable_prefetch_count_reduction = False

    def connected(self) -> None:
        """Find out how the window of a new connection grows."""
        driver = self._consumer.connection.transport.driver_type
        own = detect_quorum_queues(self._consumer.app, driver)[0]  # as Celery does: then each consumer has its own
        self._first = self._consumer.initial_prefetch_count if own else 0

    @property
    def room(self) -> int:
        """How many places of a window that can't grow held requests may take."""
        return int(self._consumer.qos.value // 2)

    def widen(self, held: Place) -> None:
        """Widen the window by one, unless it is at ``worker_eta_task_limit``; ``held`` notes whether it did."""
        qos = self._consumer.qos
        if not qos.value:
            return  # no window at all
        before = qos.value
        qos.increment_eventually()
        # At worker_eta_task_limit it does not grow, and must not be narrowed either.
        held.window = qos.value != before
        held.squeezed = not held.window
        if held.window:
            self._resize(held, 1)

    def narrow(self, held: Place) -> None:
        """Take back what was added for a request."""
        if held.window:
            held.window = False
            self._consumer.qos.decrement_eventually()
            self._resize(held, -1)

    def _resize(self, held: Place, places: int) -> None:
        if self._first:
            queue = (held.request.message.delivery_info or {}).get(QUEUE, "")
            extra_consumers(self._consumer, self._first).widen(queue, places)
