"""What limits look at in a message: read from Celery's request, or from the context of a task that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.control.task_limits import Call

if TYPE_CHECKING:
    from collections.abc import Mapping


def call_of(request: Any) -> Call:
    """Read a request of the worker's consumer."""
    return Call(request.args, request.kwargs, _headers(request.message.headers))


def call_of_context(context: Any) -> Call:
    """Read ``task.request``."""
    return Call(context.args or (), context.kwargs or {}, _headers(context.headers))


def _headers(headers: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return headers or {}
