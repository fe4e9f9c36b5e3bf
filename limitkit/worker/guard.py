"""The guard wraps ``task.run`` and decides last: a task's own code starts with a fresh ticket, or after a take.

It also works without a pacer: in such a pool or worker it takes from the store itself.
"""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Final

from celery.app.task import Context, Task
from celery.exceptions import Ignore, Retry

from limitkit.buckets import ticket
from limitkit.clock import SYSTEM
from limitkit.config.wording import one_line
from limitkit.errors import RateLimitExceeded, StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.stores.recovery import take_both
from limitkit.waiting import delivery
from limitkit.waiting.message_copy import came_back
from limitkit.waiting.send_back import SendBack
from limitkit.worker.current_request import begin_run, follow, is_eager, is_traced, off_loop, starting
from limitkit.worker.feedback_retry import FeedbackRetry
from limitkit.worker.pacing.pacing_events import emit_dropped, emit_failed, emit_sent_back, emit_start
from limitkit.worker.pool.call_of import call_of_context
from limitkit.worker.pool.guarded import GUARDED, is_guarded, mark_guarded
from limitkit.worker.pool.leases import Leases, limit_of
from limitkit.worker.pool.limits_of import limits_of_context, note_queue, noted_queue, queue_of_context
from limitkit.worker.running import Running
from limitkit.worker.settler import Settler
from limitkit.worker.wanted import NOTHING_TAKEN, Start, Wanted, wanted_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.buckets.decision import Decision, GiveBack, Take
    from limitkit.clock import Clock
    from limitkit.config.declared import Limit
    from limitkit.control.task_limits import TaskLimits

logger = logging.getLogger("limitkit")

_PATIENCE: Final = 0.1
"""Seconds that a start waits in its pool process for a slot of its own; what is due later is sent back."""
_PATIENCE_OF_PACED: Final = 0.95
"""The same where a pacer gave it a token, for which it came too late: a slow pool would be late again, and the next
tokens are reserved by then. A store forgets what is reserved more than a second ahead (``stores/take.lua``)."""
_PUBLISH_PAUSE: Final = 1.0
_SEEN: Final = object()
"""The mark of a request that was seen; a message's headers become attributes of it too, but can't be this object."""


class Guard:
    """Admits starts, or sends their messages back."""

    def __init__(
        self,
        app: Any,
        task_limits: Callable[[], TaskLimits | None],
        clock: Clock = SYSTEM,
        send_back: SendBack | None = None,
    ) -> None:
        self._task_limits, self._clock = task_limits, clock
        self._own = MemoryStore(clock)
        """This process's shares of buckets, while the store is gone."""
        self._send_back = send_back or SendBack(app, clock)
        self._feedback = FeedbackRetry(task_limits, self._send_back, clock)
        self._settler = Settler(self._store, clock)
        self._leases = Leases(self._store, limit_of, clock)
        """Of slots that this process has taken itself, since no pacer did."""
        self.elsewhere = False
        """Whether the pool is none of Celery's: it may run a task's code where the guard can't find its request."""

    def _store(self) -> Any:
        task_limits = self._task_limits()
        return task_limits.store if task_limits is not None else None

    def look_elsewhere(self, *, strange_pool: bool) -> None:
        """Find requests also where a pool or a tracer that is none of Celery's runs the code."""
        self.elsewhere = strange_pool
        follow()

    def wrap(self, task: Any) -> None:
        """Put the guard around a task's own code, outermost, once; and again when that code was replaced.

        The code is ``run``, or ``__call__`` where the task's class has its own, since Celery calls that first.
        """
        if not is_guarded(task):
            mark_guarded(task)
            self._feedback.watch_retry(task)
        cls = type(task)
        if cls.__call__ is not Task.__call__:  # a worker may have replaced Celery's own
            if getattr(cls.__call__, GUARDED, None) is None:
                cls.__call__ = self._around(cls.__call__)
        elif getattr(task.run, GUARDED, None) is not task:
            task.run = self._around(task.run, task)

    def _around(self, code: Callable[..., Any], task: Task | None = None) -> Callable[..., Any]:
        """Guard a task's code; without a task it is the ``__call__`` of a class, which is given the task first."""
        if inspect.iscoroutinefunction(code):
            follow()

            @functools.wraps(code)
            async def guarded(*args: Any, **kwargs: Any) -> Any:
                whose, given = (args[0], args[1:]) if task is None else (task, args)
                if GUARDED not in vars(whose):
                    return await code(*args, **kwargs)
                start = self._begin(whose)
                running = (
                    await off_loop(self._admit, whose, start, given, kwargs) if isinstance(start, Start) else start
                )
                code_run = self._feedback.run(whose, code, args, kwargs)
                return await (code_run if running is None else running.run_awaited(code_run))

        else:

            @functools.wraps(code)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                whose, given = (args[0], args[1:]) if task is None else (task, args)
                if GUARDED not in vars(whose):
                    return code(*args, **kwargs)
                running = self.admit(whose, given, kwargs)
                if running is None:
                    return self._feedback.run(whose, code, args, kwargs)
                return running.run(lambda: self._feedback.run(whose, code, args, kwargs))

        setattr(guarded, GUARDED, task or True)
        return guarded

    def admit(self, task: Any, args: Any, kwargs: Any) -> Running | None:
        """Return when the start may happen now, with what has to be done at its end if there is anything.

        Raises Retry when its message was sent back instead, Ignore when it was dropped, and RateLimitExceeded when it
        fails.
        """
        start = self._begin(task)
        return self._admit(task, start, args, kwargs) if isinstance(start, Start) else start

    def _begin(self, task: Any) -> Start | Running | None:
        """Return the start that needs a take; else it may start already: it has a fresh ticket, or needs none.

        Raises RateLimitExceeded when it must fail.
        """
        run, context, came = begin_run(task), starting(task), None
        if run is not None:
            context, shown = context or Context(), run.ticket
        elif context is None:
            if not self.elsewhere or is_traced():
                return None
            context, shown = Context(), None
        elif context.called_directly or is_eager(context) or vars(context).get(GUARDED) is _SEEN:
            return None
        else:
            setattr(context, GUARDED, _SEEN)
            came_back(vars(context))  # the pacer does it, where there is one
            shown, came = ticket.collect(context), delivery.collect(context)
        note_queue(self._task_limits(), context, came, run.queue if run is not None else None)
        if shown is not None and self._clock.monotonic() <= shown.until:
            self._feedback.begin(context, shown, came, shown.buckets)
            if shown.at is not None:
                emit_start(
                    task, noted_queue(context), self._clock.monotonic() - shown.at, failed_open=shown.failed_open
                )
            return Running(task.name, shown.charges, self._settler) if shown.charges else None
        if shown is not None and shown.refused is not None:
            raise _exceeded(task, context, shown.refused)
        return Start(context, shown, came)

    def _admit(self, task: Any, start: Start, args: Any, kwargs: Any) -> Running | None:
        context, shown, came = start
        task_limits = self._task_limits()
        if task_limits is None:
            return None
        if shown is not None:
            wanted = Wanted(shown.buckets, shown.costs, shown.member, shown.charges)
        else:
            task_limits.freshen()
            bound = [limit for limit in limits_of_context(task_limits, task, context) if not limit.local]
            call = call_of_context(context, came, args, kwargs)
            wanted = wanted_by([task_limits.ask(limit, task, call) for limit in bound], task_limits.new_member)
        taken = NOTHING_TAKEN if not wanted.buckets else self._take(task, start, wanted, task_limits)
        self._feedback.begin(context, shown, came, wanted.buckets)
        emit_start(task, noted_queue(context), failed_open=taken is None)
        return self._running(task, wanted, taken, paced=shown is not None) if taken is not None else None

    def _running(self, task: Any, wanted: Wanted, taken: Decision, *, paced: bool) -> Running | None:
        """Return what has to be done when an admitted start ends; where there is a pacer, slots are its own."""
        charges, slots = wanted.charged(taken), () if paced or not taken.marks else wanted.slots
        if not slots:
            return Running(task.name, charges, self._settler) if charges else None
        self._leases.hold(slots, wanted.member)

        def free() -> None:
            gifts = self._leases.end(wanted.member)
            try:
                self._store().take([], gifts)
            except StoreError as error:
                logger.debug("Slots could not be given back, so their leases have to end: %s", error)

        return Running(task.name, charges, self._settler, free)

    def _take(self, task: Any, start: Start, wanted: Wanted, task_limits: TaskLimits) -> Decision | None:
        """Take what a start needs; returns None when some of its limits were not asked."""
        context, shown, came = start
        patience = _PATIENCE if shown is None else _PATIENCE_OF_PACED
        ask = wanted.take(patience)
        undo = shown.undo if shown is not None else ()
        until, again = self._clock.monotonic() + patience, False
        limits = [each.limit for each in limits_of_context(task_limits, task, context) if not each.local]
        while True:
            worst, decision, asked = 0, None, self._clock.monotonic()
            try:
                decision = self._ask_store(task_limits, ask, undo, paced=shown is not None)
            except StoreError as error:
                if shown is None:  # else the pacer logs it
                    task_limits.outage.lost(error, task_limits.on_errors)
                retry_after = self._without_store(limits, wanted, task_limits, paced=shown is not None)
                taken = None if any(limit.on_error == "allow" for limit in limits) else NOTHING_TAKEN
            else:
                task_limits.outage.over(task_limits.rules.store.timeout)
                undo = ()
                retry_after, taken = self._admitted(decision), decision
                worst = decision.waits.index(max(decision.waits))
                if shown is None and retry_after is not None and context.id is not None:
                    self._give_up(task, context, task_limits, retry_after)
            if retry_after is None:
                late = self._clock.monotonic() - asked - wanted.tolerance
                if decision is None or late <= 0.0 or again:
                    return taken
                # A window counts it where it was asked, and after its time has room for another: so ask once more.
                again, undo = True, tuple(wanted.undo(decision))
                continue
            if shown is not None and self._clock.monotonic() + retry_after <= until:
                self._clock.sleep(retry_after)
                continue
            # A pacer knows when to start it again.
            wait = retry_after if shown is None else 0.0
            if context.id is not None and self._send_back(task, context.id, came, wait):
                throttled = shown is not None and shown.throttled
                names = [limit.name for limit in limits]
                emit_sent_back(task, context.id, names, worst, retry_after, throttled=throttled)
                raise Retry(ticket.REASON)
            self._clock.sleep(min(retry_after, _PUBLISH_PAUSE))

    def _give_up(self, task: Any, context: Any, task_limits: TaskLimits, retry_after: float) -> None:
        """Drop or fail a start that would wait longer than ``max_wait``; a pacer would have done so before."""
        patience = task_limits.patience(task, queue_of_context(task_limits, task, context))
        if patience is None or retry_after <= patience.max_wait:
            return
        if patience.action == "fail":
            raise _exceeded(task, context, retry_after)
        task.backend.mark_as_revoked(context.id, ticket.REASON, request=context, store_result=not task.ignore_result)
        emit_dropped(task, context.id)
        raise Ignore(ticket.REASON)

    def _ask_store(self, task_limits: TaskLimits, ask: Take, undo: tuple[GiveBack, ...], *, paced: bool) -> Decision:
        assert task_limits.store is not None  # noqa: S101 (a worker with shared limits and no store refuses to start)
        if not paced and task_limits.outage.recent:
            return take_both(task_limits.store, self._own, task_limits.worker_count.share_of_process, [ask], undo)[0]
        return task_limits.store.take([ask], undo)[0]

    def _without_store(
        self, limits: list[Limit], wanted: Wanted, task_limits: TaskLimits, *, paced: bool
    ) -> float | None:
        """Take what a start needs while the store is gone: None when it may start now, else seconds to wait.

        Each shared limit goes by its ``on_error``: ``allow`` is not asked, ``divide`` uses this process's share, and
        ``hold`` waits. A worker's share is given out by its pacer, so where there is one the message goes back.
        """
        if any(limit.on_error == "hold" for limit in limits) or not all(bucket.burst for bucket in wanted.buckets):
            return _PUBLISH_PAUSE
        divided = wanted.only([limit.on_error == "divide" for limit in limits])
        if not divided.buckets:
            return None
        share = None if paced else divided.shared_out(task_limits.worker_count.share_of_process)
        return _PUBLISH_PAUSE if share is None else self._admitted(self._own.take([share.take(_PATIENCE)])[0])

    def _admitted(self, decision: Decision) -> float | None:
        """Wait for a slot if there is one; else return in how many seconds there may be."""
        if not decision.slots:
            return decision.retry_after
        self._clock.sleep(decision.slots[0])
        return None


def _exceeded(task: Any, context: Any, retry_after: float) -> RateLimitExceeded:
    emit_failed(task, context.id)
    return RateLimitExceeded(
        f"the limits of {one_line(task.name)} admit this start in {retry_after:.3g} s", retry_after
    )
