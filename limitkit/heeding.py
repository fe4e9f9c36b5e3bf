"""Heeding the other side: a task that met its "slow down" tells the store, and goes back to wait.

It works where the exception is seen first: around the task's own code, and in ``task.retry``, before that spends one.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celery.exceptions import Ignore, Reject, Retry

from limitkit import ticket
from limitkit.bucket import MICROSECONDS
from limitkit.decision import Refusal
from limitkit.errors import StoreError
from limitkit.events import FeedbackHeard, TaskSentBack, emit
from limitkit.retryafter import retry_after
from limitkit.slowdown import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.decision import Bucket, Feedback, Yielded
    from limitkit.stores import Store

logger = logging.getLogger("limitkit")

_ATTEMPT: Final = "_limitkit_attempt"
_PAUSE: Final = 1.0
"""Seconds for which a task waits at least that the store could not be told of."""


@dataclass(frozen=True, slots=True)
class TookEffect:
    """A limit, or one partition of it, was slowed down or paused on all workers."""

    limit: str
    action: str
    """``slow`` or ``pause``."""
    seconds: float
    """Until a task can start again."""
    rate: float
    """Tokens a second from then on."""


def took_effect(event: TookEffect) -> None:
    """Say that feedback took effect: called in the process that met it, once for each change."""
    so_long = f"no start for {event.seconds:.3g} s, then " if event.seconds else ""
    logger.info("%s: the other side refused; %s%.3g/s.", event.limit, so_long, event.rate, extra={"action": "feedback"})
    emit(FeedbackHeard(limit=event.limit, action=event.action))


class Attempt(NamedTuple):
    """A start of a task under limits with feedback."""

    shown: ticket.Ticket | None
    buckets: tuple[Bucket, ...]
    """Those with feedback."""
    started: float
    """Seconds of ``time.monotonic()``."""


class Heeding:
    """Tells the store of refusals, and sends back the tasks that met them."""

    def __init__(
        self, store: Callable[[], Store | None], send_back: Callable[[Any, Any, ticket.Ticket | None, float], bool]
    ) -> None:
        self._store = store
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

    def begin(self, context: Any, shown: ticket.Ticket | None, buckets: tuple[Bucket, ...]) -> None:
        """Note that a start may happen now that takes from these buckets."""
        heeded = tuple(bucket for bucket in buckets if bucket.feedback is not None)
        if heeded:
            setattr(context, _ATTEMPT, Attempt(shown, heeded, time.monotonic()))

    def met(self, task: Any, error: Exception) -> None:
        """Look at what a task has raised. Raises Retry when its message was sent back."""
        if isinstance(error, (Ignore, Reject)) and not isinstance(error, Retry):
            return
        # What carries a retry was sent already.
        if self._heed(task, error, sends=not isinstance(error, Retry)):
            raise Retry(ticket.REASON) from error

    def _heed(self, task: Any, error: BaseException, *, sends: bool) -> bool:
        """Tell the store if this is a refusal; says whether the message was sent back."""
        context = task.request_stack.top
        attempt = vars(context).get(_ATTEMPT) if context is not None else None
        if not isinstance(attempt, Attempt):  # a message's headers become attributes, too
            return False
        pairs = [(each, refusal(error, each.feedback.on)) for each in attempt.buckets if each.feedback]
        met = [(bucket, found) for bucket, found in pairs if found is not None]
        if not met:
            return False
        setattr(context, _ATTEMPT, None)
        said = [retry_after(found) for _, found in met]
        waits = [
            self._tell(Refusal(bucket, time.monotonic() - attempt.started, each))
            for (bucket, _), each in zip(met, said, strict=True)
        ]
        if not sends or not all(bucket.feedback and bucket.feedback.resend for bucket, _ in met):
            return False
        shown, wait = attempt.shown, max((wait for wait in waits if wait is not None), default=0.0)
        if any(each is None for each in waits):
            # Nobody else knows of it, so the message itself has to wait.
            shown, wait = None, max(_PAUSE, *(each or 0.0 for each in said))
        if not self._send_back(task, context, shown, wait):
            return False
        limit = next(bucket.feedback.limit for bucket, _ in met if bucket.feedback)
        emit(TaskSentBack(task=task.name, id=context.id, limit=limit, wait=wait, throttled=True))
        return True

    def _tell(self, met: Refusal) -> float | None:
        """Tell the store; returns the seconds until the bucket has a token, None when it could not be told."""
        store, feedback = self._store(), met.bucket.feedback
        assert feedback is not None  # noqa: S101 (no other bucket is told of)
        assert store is not None  # noqa: S101 (a worker with shared limits and no store refuses to start)
        try:
            yielded = store.yield_to(met)
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
            took_effect(_event(feedback, yielded))
        return max(yielded.pause, yielded.interval_us / MICROSECONDS)


def _event(feedback: Feedback, yielded: Yielded) -> TookEffect:
    return TookEffect(feedback.limit, feedback.action, yielded.pause, MICROSECONDS / yielded.interval_us)
