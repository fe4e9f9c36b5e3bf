"""Notes on a start's request from which queue its message came, where queues have limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.worker.pool.limits_of import limited_queue_of_context

if TYPE_CHECKING:
    from limitkit.control.task_limits import TaskLimits
    from limitkit.waiting.delivery import Delivery

_ORIGIN: Final = "_limitkit_origin"


class _Origin(NamedTuple):
    """Where a message came from."""

    queue: str | None


def note_queue(
    task_limits: TaskLimits | None, task: Any, context: Any, came: Delivery | None, queue: str | None
) -> None:
    """Note from which queue a start's message came, where that matters; ``queue`` is that of a run."""
    if task_limits is not None and task_limits.has_queues:
        queue = queue or limited_queue_of_context(task_limits, task, context, came)
        setattr(context, _ORIGIN, _Origin(queue))


def queue_of(context: Any) -> str | None:
    """Return the queue from which a start's message came; None where it is not known, or no queue has limits."""
    origin = vars(context).get(_ORIGIN)
    return origin.queue if isinstance(origin, _Origin) else None  # a message's headers become attributes, too
