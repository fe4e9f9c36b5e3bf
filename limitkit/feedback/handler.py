"""Heeding the other side: a task that met its "slow down" tells the store, and goes back to wait.

It works where the exception is seen first: around the task's own code, and in ``task.retry``, before that spends one.
"""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celery.exceptions import Ignore, Reject, Retry

from limitkit.buckets import ticket
from limitkit.buckets.decision import Refusal
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.model.exception_patterns import refusal
from limitkit.config.model.regex import sharing_time
from limitkit.errors import StoreError
from limitkit.events.events import FeedbackHeard, TaskSentBack, emit
from limitkit.feedback.retry_after import retry_after
from limitkit.waiting.message_copy import note_of
from limitkit.worker.current_request import off_loop, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from limitkit.buckets.decision import Bucket, Feedback, Yielded
    from limitkit.control.task_limits import Live
    from limitkit.waiting.delivery import Delivery
    from limitkit.waiting.send_back import SendBack

logger = logging.getLogger("limitkit")

_ATTEMPT: Final = "_limitkit_attempt"
_LONG: Final = 600.0
"""Seconds from which on a pause is told in days, hours, minutes and seconds."""
_PAUSE: Final = 1.0
"""Seconds for which a task waits at least that the store could not be told of."""


def took_effect(feedback: Feedback, yielded: Yielded) -> None:
    """Tell that a limit, or one partition of it, gives way on all workers: once for each change, by who met it."""
    pause = f"{yielded.pause:.3g} s" if yielded.pause < _LONG else str(dt.timedelta(seconds=round(yielded.pause)))
    so_long = f"no start for {pause}, then " if yielded.pause else ""
    rate = MICROSECONDS / yielded.interval_us
    logger.info("%s: the other side refused; %s%.3g/s.", feedback.limit, so_long, rate, extra={"action": "feedback"})
    emit(FeedbackHeard(limit=feedback.limit, action=feedback.action))


class Attempt(NamedTuple):
    """A start of a task under limits with feedback."""

    shown: ticket.Ticket | None
    came: Delivery | None
    buckets: tuple[Bucket, ...]
    """Those with feedback."""
    started: float
    """Seconds of ``time.monotonic()``."""

    @property
    def refusals(self) -> int:
        """How often in a row its message was sent back for a refusal."""
        note = note_of(self.came) if self.came is not None else None
        return note.refusals if note is not None else 0


class Heeding:
    """Tells the store of refusals, and sends back the tasks that met them."""

    def __init__(self, live: Callable[[], Live | None], send_back: SendBack) -> None:
        self._live = live
        self._send_back = send_back
        self._gone = False

    def watch_retry(self, task: Any) -> None:
        """Look at what a task's ``retry`` is given, autoretry's too, before it spends a retry on a refusal."""
        retry = task.retry

        @functools.wraps(retry)
        def watched(  # as Celery's own takes them
            args: Any = None,
            kwargs: Any = None,
            exc: Any = None,
            throw: bool = True,  # noqa: FBT001, FBT002
            *rest: Any,
            **options: Any,
        ) -> Any:
            error = exc if isinstance(exc, BaseException) else sys.exc_info()[1]
            # With other arguments it would be another task: that is retried, as it asks.
            if error is not None and self._heed(task, error, sends=args is None and kwargs is None):
                back = Retry(ticket.REASON)
                if throw:
                    raise back from error
                return back
            return retry(args, kwargs, exc, throw, *rest, **options)

        task.retry = watched

    def begin(
        self, context: Any, shown: ticket.Ticket | None, came: Delivery | None, buckets: tuple[Bucket, ...]
    ) -> None:
        """Note that a start may happen now that takes from these buckets."""
        heeded = tuple(bucket for bucket in buckets if bucket.feedback is not None)
        if heeded:
            setattr(context, _ATTEMPT, Attempt(shown, came, heeded, time.monotonic()))

    def attend(self, task: Any, code: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run a task's own code. Raises Retry when it has met a refusal and its message was sent back."""
        try:
            result = code(*args, **kwargs)
        except (Ignore, Reject):
            raise
        except Exception as error:
            # What carries a retry was sent already.
            if self._heed(task, error, sends=not isinstance(error, Retry)):
                raise Retry(ticket.REASON) from error
            raise
        return self._attend_awaited(task, result) if inspect.iscoroutine(result) else result

    async def _attend_awaited(self, task: Any, code: Coroutine[Any, Any, Any]) -> Any:
        """Do the same for a coroutine, whose event loop must not wait for a store or a broker."""
        try:
            return await code
        except (Ignore, Reject):
            raise
        except Exception as error:
            if await off_loop(self._heed, task, error, sends=not isinstance(error, Retry)):
                raise Retry(ticket.REASON) from error
            raise

    @sharing_time()
    def _heed(self, task: Any, error: BaseException, *, sends: bool) -> bool:
        """Tell the store if this is a refusal; says whether the message was sent back."""
        context = request_of(task)
        attempt = vars(context).get(_ATTEMPT) if context is not None else None
        if not isinstance(attempt, Attempt):  # a message's headers become attributes, too
            return False
        met = list(_met(error, attempt.buckets))
        if not met:
            return False
        setattr(context, _ATTEMPT, None)
        age = time.monotonic() - attempt.started
        said = [retry_after(found, feedback.on, feedback.max_pause) for feedback, _, found in met]
        waits = [
            self._tell(feedback, Refusal(bucket, age, each))
            for (feedback, bucket, _), each in zip(met, said, strict=True)
        ]
        sends, refusals = sends and context.id is not None, attempt.refusals + 1
        if not sends or not _may_wait_again(task, context, refusals, [feedback for feedback, _, _ in met]):
            return False
        told = [wait for wait in waits if wait is not None]
        alone = len(told) < len(waits)  # nobody else knows of it, so the message itself has to wait
        wait = max(_PAUSE, *(each or 0.0 for each in said)) if alone else max(told)
        paced = attempt.shown is not None and not alone
        if not self._send_back(task, context.id, attempt.came, 0.0 if paced else wait, refusals=refusals):
            return False
        throttled = attempt.shown is not None and attempt.shown.throttled
        limit = met[0][0].limit
        emit(TaskSentBack(task=task.name, id=context.id, limit=limit, wait=wait, throttled=throttled))
        return True

    def _tell(self, feedback: Feedback, met: Refusal) -> float | None:
        """Tell the store; returns the seconds until the bucket has a token, None when it could not be told."""
        live = self._live()
        assert live is not None and live.store is not None  # noqa: S101, PT018 (else it would not have been admitted)
        try:
            yielded = live.store.yield_to(met)
        except StoreError as error:
            if not self._gone:
                self._gone = True
                logger.warning(
                    "The store can't be told that the other side of %s refused (%s); its tasks that meet this wait "
                    "for themselves.",
                    feedback.limit,
                    error,
                )
            return None
        self._gone = False
        if yielded.changed:
            took_effect(feedback, yielded)
        return max(yielded.pause, yielded.interval_us / MICROSECONDS)


def _may_wait_again(task: Any, context: Any, refusals: int, met: list[Feedback]) -> bool:
    """Whether a task that was refused so often in a row may wait once more, by all limits that it met."""
    most = min(met, key=lambda feedback: feedback.resend)
    if most.resend and refusals > most.resend:
        logger.warning(
            "%s[%s] was refused %d times in a row, so its exception goes on, as the feedback of %s says (resend = %d).",
            task.name,
            context.id,
            refusals,
            most.limit,
            most.resend,
        )
    return refusals <= most.resend


def _met(error: BaseException, buckets: tuple[Bucket, ...]) -> Iterator[tuple[Feedback, Bucket, BaseException]]:
    """Find those of an attempt's buckets whose feedback this is, each with the exception that says so."""
    for bucket in buckets:
        found = refusal(error, bucket.feedback.on, bucket.feedback.unless) if bucket.feedback is not None else None
        if bucket.feedback is not None and found is not None:
            yield bucket.feedback, bucket, found
