"""Which pools can be counted, and how each shows that what it runs has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from celery.concurrency import get_implementation
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]
    """Gives it to the pool, with the options."""
    Leave = Callable[..., None]

ALIEN: Final = frozenset({("celery_aio_pool.pool", "AsyncIOPool")})
"""Pools of other packages that were tried: this one runs one task at a time, and returns when it has ended, as solo."""


class Kind(Protocol):
    """How to see the end of what a pool runs."""

    name: str
    consumes: bool
    """Whether the pool runs tasks in the thread that consumes."""

    def give(self, pool: Any, run: Run, leave: Leave, options: dict[str, Any]) -> Any:
        """Have the pool run something; ``leave`` is called when that has ended, in any thread or greenlet."""


class _Threads:
    """Each run has a future, which also ends where Celery's callbacks fail."""

    name, consumes = "threads", False

    def give(self, pool: Any, run: Run, leave: Leave, options: dict[str, Any]) -> Any:  # noqa: ARG002
        """See ``Kind``."""
        result = run(**options)
        result.f.add_done_callback(leave)
        return result


class _Gevent:
    """Each run has a greenlet, which may be killed before it begins."""

    name, consumes = "gevent", False

    def give(self, pool: Any, run: Run, leave: Leave, options: dict[str, Any]) -> Any:  # noqa: ARG002
        """See ``Kind``."""
        greenlet = run(**options)
        greenlet.link(leave)
        return greenlet


class _Eventlet:
    """As gevent, but Celery does not return the greenlet: it is the one that the pool has noted last."""

    name, consumes = "eventlet", False

    def give(self, pool: Any, run: Run, leave: Leave, options: dict[str, Any]) -> Any:
        """See ``Kind``."""
        result = run(**options)
        next(reversed(pool._pool_map.values())).link(leave)  # noqa: SLF001
        return result


class _Inline:
    """The pool returns when what it was given has ended, or raises."""

    consumes = True

    def __init__(self, name: str) -> None:
        self.name = name

    def give(self, pool: Any, run: Run, leave: Leave, options: dict[str, Any]) -> Any:  # noqa: ARG002
        """See ``Kind``."""
        result = run(**options)
        leave()
        return result


class _Processes:
    """Prefork without an event loop: one of billiard's callbacks tells each end, in a thread of its own."""

    name, consumes = "prefork", False

    def give(self, pool: Any, run: Run, leave: Leave, options: dict[str, Any]) -> Any:  # noqa: ARG002
        """See ``Kind``."""
        on_timeout = options.get("timeout_callback")
        ends = {name: _then(options.get(name), leave) for name in ("callback", "error_callback")}

        def timed_out(soft: bool, timeout: float) -> None:  # noqa: FBT001 (billiard's signature)
            try:
                if on_timeout is not None:
                    on_timeout(soft, timeout)
            finally:
                if not soft:
                    leave()

        return run(**{**options, **ends, "timeout_callback": timed_out})


def _then(callback: Callable[..., Any] | None, leave: Leave) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs) if callback is not None else None
        finally:
            leave()

    return called


def kind_of(pool_cls: Any) -> Kind | None:
    """Return how to count a pool, given by its class or name; None where nobody has seen how its runs end."""
    cls = get_implementation(pool_cls)
    if (cls.__module__, cls.__qualname__) in ALIEN:
        return _Inline(cls.__qualname__)
    applies = {str(method.__module__) for method in (cls.apply_async, getattr(cls, "on_apply", cls)) if method}
    if any(not module.startswith("celery.concurrency") for module in applies):
        return None
    if cls.uses_semaphore:
        return _Processes()
    if issubclass(cls, ThreadPool):
        return _Threads()
    if issubclass(cls, SoloPool):
        return _Inline("solo")
    by_module: dict[str, Kind] = {"celery.concurrency.gevent": _Gevent(), "celery.concurrency.eventlet": _Eventlet()}
    return next((by_module[base.__module__] for base in cls.__mro__ if base.__module__ in by_module), None)
