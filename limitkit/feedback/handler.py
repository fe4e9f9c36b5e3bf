"""The feedback handler: reports to the store that the other side of a limit has refused a start.

It knows exceptions, limits and the store, and nothing of Celery; ``worker.feedback_retry`` calls it, and sends the
refused task back to wait.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.buckets.decision import Refusal
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.model.exception_patterns import refusal
from limitkit.errors import StoreError
from limitkit.events.emitter import emit
from limitkit.events.event_types import FeedbackReceived
from limitkit.feedback.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from limitkit.buckets.decision import BackedOff, Bucket
    from limitkit.config.declared import Feedback
    from limitkit.control.task_limits import TaskLimits

logger = logging.getLogger("limitkit")

_LONG: Final = 600.0
"""Seconds from which on a pause is written in days, hours, minutes and seconds."""
_PAUSE: Final = 1.0
"""The least seconds that a refused task waits when the store could not be updated."""


def took_effect(feedback: Feedback, backed_off: BackedOff) -> None:
    """Log and emit that a limit, or one partition of it, backs off on all workers; once for each change."""
    pause = (
        f"{backed_off.pause:.3g} s" if backed_off.pause < _LONG else str(dt.timedelta(seconds=round(backed_off.pause)))
    )
    so_long = f"no start for {pause}, then " if backed_off.pause else ""
    rate = MICROSECONDS / backed_off.interval_us
    logger.info("%s: the other side refused; %s%.3g/s.", feedback.limit, so_long, rate, extra={"action": "feedback"})
    emit(FeedbackReceived(limit=feedback.limit, action=feedback.action))


class Refused(NamedTuple):
    """A refused start: the feedback of which limits matched, and for how long its message has to wait."""

    feedback: tuple[Feedback, ...]
    """Of each limit whose feedback matches."""
    wait: float
    """Seconds."""
    stored: bool
    """Whether the store has all of it; else other tasks don't back off, and only this message waits."""

    def may_wait_again(self, task: str, task_id: str, refusals: int) -> bool:
        """Whether a task that was refused so often in a row may wait once more, by all limits that matched."""
        most = min(self.feedback, key=lambda feedback: feedback.resend)
        if most.resend and refusals > most.resend:
            logger.warning(
                "%s[%s] was refused %d times in a row, so its exception goes on, as the feedback of %s says "
                "(resend = %d).",
                task,
                task_id,
                refusals,
                most.limit,
                most.resend,
            )
        return refusals <= most.resend


class FeedbackHandler:
    """Reports refusals to the store."""

    def __init__(self, task_limits: Callable[[], TaskLimits | None]) -> None:
        self._task_limits = task_limits
        self._gone = False

    def handle(self, error: BaseException, buckets: tuple[Bucket, ...], age: float) -> Refused | None:
        """Report to the store what an exception says about these buckets; None when it is no refusal.

        ``age`` is the time in seconds since the start that took from them.
        """
        met = list(_met(error, buckets))
        if not met:
            return None
        said = [retry_after(found, feedback.on, feedback.max_pause) for feedback, _, found in met]
        waits = [
            self._report(feedback, Refusal(bucket, age, each))
            for (feedback, bucket, _), each in zip(met, said, strict=True)
        ]
        known = [wait for wait in waits if wait is not None]
        stored = len(known) == len(waits)
        wait = max(known) if stored else max(_PAUSE, *(each or 0.0 for each in said))
        return Refused(tuple(feedback for feedback, _, _ in met), wait, stored)

    def _report(self, feedback: Feedback, met: Refusal) -> float | None:
        """Update the store; returns the seconds until the bucket has a token, None when the store failed."""
        task_limits = self._task_limits()
        assert task_limits is not None and task_limits.store is not None  # noqa: S101, PT018 (else it would not have been admitted)
        try:
            backed_off = task_limits.store.back_off(met)
        except StoreError as error:
            if not self._gone:
                self._gone = True
                logger.warning(
                    "The store can't record that the other side of %s refused (%s); each task that is refused waits "
                    "by itself.",
                    feedback.limit,
                    error,
                )
            return None
        self._gone = False
        if backed_off.changed:
            took_effect(feedback, backed_off)
        return max(backed_off.pause, backed_off.interval_us / MICROSECONDS)


def _met(error: BaseException, buckets: tuple[Bucket, ...]) -> Iterator[tuple[Feedback, Bucket, BaseException]]:
    """Find the buckets of a start whose feedback matches, each with the exception that matched."""
    for bucket in buckets:
        found = refusal(error, bucket.feedback.on, bucket.feedback.unless) if bucket.feedback is not None else None
        if bucket.feedback is not None and found is not None:
            yield bucket.feedback, bucket, found
