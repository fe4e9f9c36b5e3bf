"""Sends back a task whose start was refused by the other side, before it fails or spends a retry.

It works where the exception is seen first: around the task's own code, and in ``task.retry``, before that spends one.
"""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celery.exceptions import Ignore, Reject, Retry

from limitkit.buckets import ticket
from limitkit.clock import SYSTEM
from limitkit.config.model.regex import sharing_time
from limitkit.events.emitter import emit
from limitkit.events.event_types import TaskSentBack
from limitkit.feedback.handler import FeedbackHandler
from limitkit.waiting.message_copy import note_of
from limitkit.worker.current_request import off_loop, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from limitkit.buckets.decision import Bucket
    from limitkit.clock import Clock
    from limitkit.control.task_limits import TaskLimits
    from limitkit.waiting.delivery import Delivery
    from limitkit.waiting.send_back import SendBack

_ATTEMPT: Final = "_limitkit_attempt"


class Attempt(NamedTuple):
    """A start of a task under limits with feedback."""

    shown: ticket.Ticket | None
    came: Delivery | None
    buckets: tuple[Bucket, ...]
    """Those with feedback."""
    started: float
    """Monotonic time in seconds."""

    @property
    def refusals(self) -> int:
        """How often in a row its message was sent back for a refusal."""
        note = note_of(self.came) if self.came is not None else None
        return note.refusals if note is not None else 0


class FeedbackRetry:
    """Passes refusals to the feedback handler, and sends the refused tasks back."""

    def __init__(
        self, task_limits: Callable[[], TaskLimits | None], send_back: SendBack, clock: Clock = SYSTEM
    ) -> None:
        self._clock = clock
        self._handler = FeedbackHandler(task_limits)
        self._send_back = send_back

    def watch_retry(self, task: Any) -> None:
        """Check the exception that a task's ``retry`` is given, also by autoretry, before a refusal spends a retry."""
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
            # With other arguments it is another task: that is retried as it asks.
            if error is not None and self._refused(task, error, sends=args is None and kwargs is None):
                back = Retry(ticket.REASON)
                if throw:
                    raise back from error
                return back
            return retry(args, kwargs, exc, throw, *rest, **options)

        task.retry = watched

    def begin(
        self, context: Any, shown: ticket.Ticket | None, came: Delivery | None, buckets: tuple[Bucket, ...]
    ) -> None:
        """Note a start that may happen now and takes from these buckets."""
        with_feedback = tuple(bucket for bucket in buckets if bucket.feedback is not None)
        if with_feedback:
            setattr(context, _ATTEMPT, Attempt(shown, came, with_feedback, self._clock.monotonic()))

    def run(self, task: Any, code: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run a task's own code. Raises Retry when it was refused and its message was sent back."""
        try:
            result = code(*args, **kwargs)
        except (Ignore, Reject):
            raise
        except Exception as error:
            # A Retry means that the retry was sent already.
            if self._refused(task, error, sends=not isinstance(error, Retry)):
                raise Retry(ticket.REASON) from error
            raise
        return self._run_awaited(task, result) if inspect.iscoroutine(result) else result

    async def _run_awaited(self, task: Any, code: Coroutine[Any, Any, Any]) -> Any:
        """Do the same for a coroutine, whose event loop must not wait for a store or a broker."""
        try:
            return await code
        except (Ignore, Reject):
            raise
        except Exception as error:
            if await off_loop(self._refused, task, error, sends=not isinstance(error, Retry)):
                raise Retry(ticket.REASON) from error
            raise

    @sharing_time()
    def _refused(self, task: Any, error: BaseException, *, sends: bool) -> bool:
        """Handle this error if it is a refusal; returns whether the message was sent back."""
        context = request_of(task)
        attempt = vars(context).get(_ATTEMPT) if context is not None else None
        if not isinstance(attempt, Attempt):  # a message's headers become attributes, too
            return False
        setattr(context, _ATTEMPT, None)  # first: a time limit may interrupt the report, and one start reports once
        refused = self._handler.handle(error, attempt.buckets, self._clock.monotonic() - attempt.started)
        if refused is None:
            setattr(context, _ATTEMPT, attempt)
            return False
        sends, refusals = sends and context.id is not None, attempt.refusals + 1
        if not sends or not refused.may_wait_again(task.name, context.id, refusals):
            return False
        paced = attempt.shown is not None and refused.stored
        if not self._send_back(task, context.id, attempt.came, 0.0 if paced else refused.wait, refusals=refusals):
            return False
        throttled = attempt.shown is not None and attempt.shown.throttled
        limit = refused.feedback[0].limit
        emit(TaskSentBack(task=task.name, id=context.id, limit=limit, wait=refused.wait, throttled=throttled))
        return True
