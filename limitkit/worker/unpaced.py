"""Hands requests to the pool in a worker without a pacer: a limited task's message goes along, for its guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.waiting.delivery import attach
from limitkit.waiting.origin_queue import parkable_queue

if TYPE_CHECKING:
    from limitkit.control.task_limits import TaskLimits


class Unpaced:
    """Replaces ``consumer.on_task_request``, as the pacer does elsewhere, and lets everything through."""

    def __init__(self, consumer: Any, task_limits: TaskLimits) -> None:
        self._app = consumer.app
        self._task_limits = task_limits
        self._through = consumer.on_task_request

    def __call__(self, request: Any) -> None:
        """Let a request through to the pool."""
        if self._task_limits.limits(request.task):
            attach(request, parkable_queue(self._app, request.message))
        self._through(request)
