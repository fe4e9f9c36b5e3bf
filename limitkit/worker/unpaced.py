"""Hands requests to the pool in a worker without a pacer: a limited task's message goes along, for its guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.buckets import ticket
from limitkit.waiting.delivery import attach
from limitkit.waiting.origin_queue import parkable_queue
from limitkit.worker.pool.guarded import is_guarded
from limitkit.worker.pool.limits_of import limits_of

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
        if limits_of(self._task_limits, request):
            attach(request, parkable_queue(self._app, request.message))
        elif is_guarded(request.task):
            ticket.attach(request, ticket.free(request.id))
        self._through(request)
