"""Which limits hold for a request: those of its task, and those of the queue that it came from.

To find the queue costs little: a worker notes on each message where it comes from (``waiting.origin_queue``). Where
the file has no limits for a queue, nothing is asked at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from limitkit.waiting.origin_queue import queue_of

if TYPE_CHECKING:
    from limitkit.control.task_limits import BoundLimit, TaskLimits
    from limitkit.waiting.delivery import Delivery

_ORIGIN: Final = "_limitkit_origin"
"""Where ``task.request`` notes the queue."""


class _Origin(NamedTuple):
    """Where a message came from. A message's headers become attributes of ``task.request``, too, but not this type."""

    queue: str | None


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


def limits_of_context(task_limits: TaskLimits, task: Any, context: Any) -> tuple[BoundLimit, ...]:
    """Return the limits in force for ``task.request``."""
    return task_limits.limits(task, queue_of_context(task_limits, task, context))


def queue_of_context(task_limits: TaskLimits, task: Any, context: Any) -> str | None:
    """Return the queue from which the message of ``task.request`` came; as ``limited_queue``."""
    if not task_limits.has_queues:
        return None
    return noted_queue(context) or queue_of(task.app, context.delivery_info or {})


def noted_queue(context: Any) -> str | None:
    """Return what ``note_queue`` has noted, if anything."""
    noted = vars(context).get(_ORIGIN)
    return noted.queue if isinstance(noted, _Origin) else None


def note_queue(task_limits: TaskLimits | None, context: Any, came: Delivery | None, queue: str | None = None) -> None:
    """Note on ``task.request`` the queue of the message with which it ``came``, or of a run for several.

    It is noted only where some queue has limits: a task sees no more of limitkit than it must.

    Celery keeps only exchange and routing key there, and several queues may be bound alike.
    """
    queue = came.queue if came is not None else queue
    if queue is not None and task_limits is not None and task_limits.has_queues:
        setattr(context, _ORIGIN, _Origin(queue))
