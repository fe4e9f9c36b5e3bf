"""Finds the request that a start belongs to, wherever its pool or an event loop runs the task's own code.

In Celery's pools the thread that traces a task runs its code too, and there ``task.request_stack`` has the request on
top. Where coroutines or other threads run the code, the stack is empty, or has another task's request on top. There a
context variable has it, which is set when the tracer begins.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from celery import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.ticket import Ticket

_T = TypeVar("_T")


class _Traced(NamedTuple):
    """A task that is being traced."""

    task: Any
    context: Any
    before: _Traced | None
    """The trace that this one runs inside of: ``apply()`` traces a task inside of another."""


@dataclass(slots=True)
class Run:
    """A run of a task's code that has no request of its own, since it serves several messages."""

    task: str
    ticket: Ticket | None
    """None where there is no pacer."""
    is_new: bool = True
    queue: str | None = None
    """From which its messages came, if that is known and has limits."""


_traced: Final[ContextVar[_Traced | None]] = ContextVar("limitkit_traced", default=None)
_run: Final[ContextVar[Run | None]] = ContextVar("limitkit_run", default=None)


def follow() -> None:
    """Have tracers note what they begin. Celery's own pools need that only for coroutines."""
    signals.task_prerun.connect(_begins, weak=False, dispatch_uid="limitkit.task_prerun")
    signals.task_postrun.connect(_ends, weak=False, dispatch_uid="limitkit.task_postrun")


def _begins(task: Any = None, **_: Any) -> None:
    _traced.set(_Traced(task, task.request_stack.top, _traced.get()))


def _ends(task: Any = None, **_: Any) -> None:
    traced = _traced.get()
    if traced is not None and traced.task is task:
        _traced.set(traced.before)


def request_of(task: Any) -> Any:
    """Return the request that a task's code runs for, as ``task.request`` has it; None when it is not known."""
    top, traced = task.request_stack.top, _traced.get()
    if traced is None or traced.task is not task or _is_call(top):
        return top
    return traced.context


def starting(task: Any) -> Any:
    """Do the same at the moment when a task's code begins: inside of a trace, that is a start."""
    traced = _traced.get()
    if traced is not None and traced.task is task:
        return traced.context  # in a thread with an empty stack, Celery treats it as called directly
    return task.request_stack.top


def _is_call(context: Any) -> bool:
    return context is not None and bool(context.called_directly)


def is_eager(context: Any) -> bool:
    """Whether ``apply()`` made this request; what a message says of it does not count."""
    return bool(context.is_eager and (context.delivery_info or {}).get("is_eager"))


def is_traced() -> bool:
    """Whether a tracer has noted what runs here."""
    return _traced.get() is not None


def run_in_pool(
    task: str,
    ticket: Ticket | None,
    target: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Any,
    *,
    queue: str | None = None,
) -> Any:
    """Run in the pool what a task's own Strategy has handed over, so that the guard counts it as a start."""
    before = _run.set(Run(task, ticket, queue=queue))
    try:
        return target(*args, **(kwargs or {}))
    finally:
        _run.reset(before)


def begin_run(task: Any) -> Run | None:
    """Return the run that begins here; None when there is none, or it has begun before."""
    run = _run.get()
    if run is None or run.task != task.name or not run.is_new:
        return None
    run.is_new = False
    return run


async def off_loop(work: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Do blocking work in a thread, so that the event loop goes on meanwhile."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # driven by something else than asyncio
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
