"""Reads which requests the pool's processes have accepted, before Celery removes the others from the pool.

As its consumer closes, Celery removes from the pool what no process has accepted so far, since the broker delivers that
again. A process to which it was sent a moment ago runs it even so: it would run twice, and the process would wait for
half a minute for its result to be read.

Celery before 5.7 removes also what runs. Then nobody learns of its end: its message would not be acknowledged, and its
slots of concurrency limits would stay taken for ever.
"""

from __future__ import annotations

import logging
import select
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("limitkit")

_POLL_MS: Final = 20
_PATIENCE: Final = 25
"""How often a silent pool process is polled for what it was sent; it needs one or two milliseconds."""


def read_before_close(consumer: Any) -> None:
    """Have a consumer read which requests its pool's processes have accepted, before it closes."""
    close: Callable[[], None] | None = consumer.blueprint.on_close

    def read_and_close() -> None:
        read_accepted(consumer.pool)
        if close is not None:
            close()

    consumer.blueprint.on_close = read_and_close


def read_accepted(pool: Any) -> None:
    """Read which requests the pool's processes have accepted; after this, Celery does not read from them any more.

    Celery removes from the pool what was not accepted, but a process to which it was sent already runs it.
    """
    pool = pool._pool  # noqa: SLF001 (Celery's own flush does the same)
    if pool is None:  # in a cold shutdown Celery ends the pool first: it has run, and acknowledged, all that it had
        return
    silent = 0  # rounds, not seconds: on a machine that was frozen, seconds may pass before the process could run
    try:
        while silent < _PATIENCE and any(map(_is_on_its_way, list(pool._cache.values()))):  # noqa: SLF001
            poller = select.poll()
            for pipe in pool._fileno_to_outq:  # noqa: SLF001
                poller.register(pipe, select.POLLIN)
            ready = poller.poll(_POLL_MS)
            silent += not ready
            for pipe, _ in ready:
                pool.handle_result_event(pipe)
    except Exception:
        logger.exception("The pool can't be asked what it has accepted; some of that may start twice.")


def keep_accepted(pool: Any) -> None:
    """Have Celery's pool, which runs, keep what its processes have accepted, when it removes the others."""
    flush: Callable[[], None] | None = getattr(pool, "flush", None)
    if flush is None or getattr(flush, "_keeps", False):
        return
    cache = pool._pool._cache  # noqa: SLF001 (as above)

    def flush_others() -> None:
        running = {number: job for number, job in cache.items() if getattr(job, "_accepted", False)}
        try:
            flush()
        finally:
            for number, job in running.items():
                if not job.ready():
                    cache.setdefault(number, job)

    flush_others._keeps = True  # type: ignore[attr-defined] # noqa: SLF001
    pool.flush = flush_others


def _is_on_its_way(job: Any) -> bool:
    return job._write_to is not None and not job._accepted  # noqa: SLF001
