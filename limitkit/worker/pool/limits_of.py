"""Which limits hold for a request: those of its task, and those of the queue that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from limitkit.waiting.origin_queue import queue_of

if TYPE_CHECKING:
    from limitkit.control.task_limits import BoundLimit, TaskLimits
    from limitkit.waiting.delivery import Delivery


def limits_of(task_limits: TaskLimits, request: Any) -> tuple[BoundLimit, ...]:
    """Return the limits in force for a request of the worker's consumer."""
    return task_limits.limits(request.task, limited_queue(task_limits, request))


def limited_queue(task_limits: TaskLimits, request: Any) -> str | None:
    """Return the queue that a request came from; None where it is not known, or the file limits no queue."""
    if not task_limits.has_queues:
        return None
    if hasattr(request, "limited_queue"):  # a run for several messages
        return cast("str | None", request.limited_queue)
    return queue_of(request.task.app, request.message.delivery_info or {})


def limited_queue_of_context(task_limits: TaskLimits, task: Any, context: Any, came: Delivery | None) -> str | None:
    """Do the same for ``task.request``, which does not name the queue; the message that it ``came`` with does."""
    if not task_limits.has_queues:
        return None
    return came.queue if came is not None else queue_of(task.app, context.delivery_info or {})
