"""What the pool's processes have accepted, heard before Celery sorts out what it has given them.

As its consumer closes, Celery takes out of the pool what no process has accepted so far, since the broker delivers that
again. A process to which it was sent a moment ago runs it even so: it would run twice, and the process would wait for
half a minute until its result is taken, which nobody does.
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
"""Times that a pool process which says nothing is polled for what it was sent; it needs one or two milliseconds."""


def hear_before_close(consumer: Any) -> None:
    """Have a consumer hear which requests its pool's processes have accepted, before it closes."""
    close: Callable[[], None] | None = consumer.blueprint.on_close

    def hear_and_close() -> None:
        hear_who_accepted(consumer.pool)
        if close is not None:
            close()

    consumer.blueprint.on_close = hear_and_close


def hear_who_accepted(pool: Any) -> None:
    """Hear which requests the pool's processes have accepted: what they say is not listened to any more after this.

    Celery takes what was not accepted out of the pool, but a process to which it was sent already runs it.
    """
    pool = pool._pool  # noqa: SLF001 (Celery's own flush does the same)
    if pool is None:  # in a cold shutdown Celery ends the pool first: it has run all that it was given, and said so
        return
    silent = 0  # not seconds: on a machine that stood still they may be over before the process had one
    try:
        while silent < _PATIENCE and any(map(_is_on_its_way, list(pool._cache.values()))):  # noqa: SLF001
            poller = select.poll()
            for pipe in pool._fileno_to_outq:  # noqa: SLF001
                poller.register(pipe, select.POLLIN)
            heard = poller.poll(_POLL_MS)
            silent += not heard
            for pipe, _ in heard:
                pool.handle_result_event(pipe)
    except Exception:
        logger.exception("The pool can't be asked what it has accepted; some of that may start twice.")


def _is_on_its_way(job: Any) -> bool:
    return job._write_to is not None and not job._accepted  # noqa: SLF001
