"""Notices at once that a pool process has died: Celery may look a moment too early, and then again after 5 seconds.

A dying process closes its pipes before the system can tell how it ended. Celery looks once, as the pipe that tells of
an exit closes, and unless it finds the process dead by then, only its timer finds it: until then the slots of the task
that ran there stay taken, and its place in the pool is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSES: Final = (0.005, 0.02, 0.1, 0.3, 1.0)
"""Seconds until Celery looks again, and again; its own timer does after the last."""


def look_again(pool: Any) -> None:
    """Have Celery's pool, which runs, look again for a process whose end it was told of, but did not find dead."""
    pool = getattr(pool, "_pool", None)
    noticed: Callable[[Any, Any], None] | None = getattr(pool, "_event_process_exit", None)
    if noticed is None or "_event_process_exit" in vars(pool):  # it has no event loop, or looks again already
        return

    def exited(hub: Any, process: Any) -> None:
        noticed(hub, process)
        _later(hub, pool, process, 0)

    pool._event_process_exit = exited  # noqa: SLF001 (it has no hook)


def _later(hub: Any, pool: Any, process: Any, number: int) -> None:
    if number < len(_PAUSES) and process in pool._pool:  # noqa: SLF001
        hub.call_later(_PAUSES[number], _look, hub, pool, process, number)


def _look(hub: Any, pool: Any, process: Any, number: int) -> None:
    if process in pool._pool:  # noqa: SLF001
        pool.maintain_pool()
        _later(hub, pool, process, number + 1)
