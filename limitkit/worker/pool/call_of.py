"""What limits look at in a message: read from Celery's request, or from the context of a task that runs.

Celery puts the headers of a sender among its own (protocol 2), or keeps them apart from its own, which are in the body
(protocol 1). In the pool, ``task.request.headers`` has only those of the sender, without any that Celery has, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.call import Call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from limitkit.waiting.delivery import Delivery

_CELERYS: Final = (
    "lang",
    "task",
    "id",
    "shadow",
    "eta",
    "expires",
    "group",
    "group_index",
    "retries",
    "timelimit",
    "root_id",
    "parent_id",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "replaced_task_nesting",
    "stamped_headers",
    "stamps",
)


def call_of(request: Any) -> Call:
    """Read a request of the worker's consumer."""
    return Call(request.args, request.kwargs, _headers(request.message.headers, request.request_dict))


def call_of_context(
    context: Any, came: Delivery | None = None, args: Sequence[Any] | None = None, kwargs: Any = None
) -> Call:
    """Read ``task.request``, and the message with which it ``came``, if that is known, as the consumer read it.

    ``args`` and ``kwargs`` are those that the task's code is called with, if not those of the context.
    """
    sent = came.headers if came is not None else context.headers
    args = args if args is not None else context.args or ()
    kwargs = kwargs if kwargs is not None else context.kwargs or {}
    return Call(args, kwargs, _headers(sent, vars(context)))


def _headers(sent: Mapping[str, Any] | None, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the headers of a message; those of Celery's are in ``known`` where they were not ``sent``."""
    if sent is not None and "task" in sent:
        return sent
    return {**{name: known[name] for name in _CELERYS if name in known}, **(sent or {})}
