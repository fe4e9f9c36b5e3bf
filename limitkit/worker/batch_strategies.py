"""Paces runs that a task's own Strategy hands to the pool past the consumer, as if they were requests.

celery-batches collects messages, and runs the task's code once for many of them. Such a run is one start, and takes
what one start takes, however many messages it serves: limits count starts. It can't be parked or sent back, since its
messages belong to its Strategy; while it is held they are unacknowledged, so that none is lost.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from celery.app.task import Task
from celery.worker import state

from limitkit.buckets import ticket
from limitkit.errors import RateLimitExceeded
from limitkit.waiting.origin_queue import queue_of
from limitkit.worker.current_request import run_in_pool
from limitkit.worker.pacing.prefetch_window import PrefetchWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.control.task_limits import TaskLimits
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer

_NOWHERE: Final = {"exchange": "limitkit: no message"}
"""The origin of a run, which matches no queue: it can't go back."""


class Run:
    """A run of a task's code for some messages, with what the pacer needs of a request."""

    expires = None
    delivery_info = _NOWHERE

    def __init__(self, task: Any, args: Sequence[Any], queue: str | None = None) -> None:
        self.id = str(uuid4())
        self.task = task
        self.name = task.name
        self.args = tuple(args)
        self.kwargs: dict[str, Any] = {}
        self.request_dict: dict[str, Any] = {"id": self.id}
        self.message = SimpleNamespace(headers={}, properties={}, delivery_info=_NOWHERE, channel=None)
        self.messages = _messages(self.args)
        """The messages that it runs for, where its first argument is a list of them, as with celery-batches."""
        self.limited_queue = queue
        """The first queue with limits from which one of its messages came."""
        self.on_accepted: Callable[..., Any] = _nothing
        self.on_return: Callable[..., Any] = _nothing
        self.on_turn: Callable[[ticket.Ticket, Any], Any] = _nothing
        """Is called with the pool when it may start, or must fail, as the ticket says."""
        self.on_leave: Callable[[], Any] = _nothing
        """Is called when it is not held any more."""

        self.result: Any = None
        """What the pool returned for it."""

    def _apply_result(self) -> Any:
        """Return the pool's job, as the reference does that Celery's requests have by that name."""
        return self.result

    def __str__(self) -> str:
        return f"A run of {self.name} for {len(self.messages)} messages"

    def revoked(self) -> bool:
        """Return False: its messages may be revoked, but its Strategy has let them through."""
        return False

    def execute_using_pool(self, pool: Any) -> None:
        """Start, or fail: the pacer has got a place in the pool for it."""
        state.requests.pop(self.id, None)
        state.reserved_requests.discard(self)
        self.on_leave()
        self.on_turn(self.request_dict["properties"][ticket.KEY], pool)

    def settle(self, record: Callable[..., Any], outcome: Any) -> None:
        """End without a start: record that of each message, and have the Strategy acknowledge them."""
        for message in self.messages:
            record(message.id, outcome, store_result=not self.task.ignore_result)
        self.on_accepted(0, 0.0)
        self.on_return(None)

    def _announce_revoked(self, reason: str, *_: Any) -> None:
        """Record that it was dropped; Celery's requests have this by that name."""
        self.on_leave()
        self.settle(self.task.backend.mark_as_revoked, reason)


class BatchRuns:
    """Wraps ``apply_async`` of a worker's pool, and paces the runs of tasks with limits that are handed to it.

    Where there is no pacer they wait in the pool for their tokens.
    """

    def __init__(
        self, consumer: Any, task_limits: TaskLimits, pacer: Pacer | PacerDoor | None, free: Callable[[], Any]
    ) -> None:
        """``free`` frees the place in the pool of a run that it never got."""
        self._task_limits = task_limits
        self._pacer, self._free = pacer, free
        self._consumer = consumer
        self.in_pool: dict[Run, None] = {}
        """The runs that the pool has."""
        self._window = PrefetchWindow(consumer)
        self._apply_async = consumer.pool.apply_async
        consumer.pool.apply_async = self._come

    def connected(self) -> None:
        """Find out whether the prefetch window can grow on a new connection."""
        self._window.connected()

    def _come(self, target: Any, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        # Celery itself passes the task's name, not the task.
        task = next((each for each in args or () if isinstance(each, Task)), None)
        if task is None or not self._task_limits.may_limit(task):
            return self._apply_async(target, args, kwargs, **options)
        own = next((each for each in args[args.index(task) + 1 :] if isinstance(each, (list, tuple))), ())
        queue = self._limited_queue(task, own)
        if not self._task_limits.limits(task, queue):
            return self._apply_async(target, args, kwargs, **options)
        if self._pacer is None:
            return self._apply_async(run_in_pool, (task.name, None, target, args, kwargs), {"queue": queue}, **options)
        run = Run(task, own, queue)
        run.on_accepted = options.get("accept_callback") or _nothing
        run.on_return = options.get("callback") or _nothing
        # Its messages take more places in the prefetch window than the one place of a held request.
        places = [SimpleNamespace(request=run, window=False, squeezed=False) for _ in run.messages[1:]]
        qos = self._consumer.qos

        def on_leave() -> None:
            for place in places if qos is self._consumer.qos else ():
                self._window.narrow(place)

        def on_turn(shown: ticket.Ticket, pool: Any) -> None:
            if shown.refused is not None:
                self._fail(run, shown.refused)
                return
            callbacks = {"accept_callback": run.on_accepted, "callback": on_return}
            self.in_pool[run] = None
            run.result = pool.apply_async(
                run_in_pool, (task.name, shown, target, args, kwargs), {"queue": queue}, **{**options, **callbacks}
            )

        def on_return(*args: Any) -> None:
            try:
                run.on_return(*args)
            finally:
                self.in_pool.pop(run, None)

        run.on_leave, run.on_turn = on_leave, on_turn
        for place in places:
            self._window.widen(place)
        self._pacer(run)
        return None

    def _limited_queue(self, task: Any, args: Sequence[Any]) -> str | None:
        """Return the first queue with limits from which one of a run's messages came: one run is one start."""
        if not self._task_limits.has_queues:
            return None
        origins = {queue_of(task.app, getattr(each, "delivery_info", None) or {}): None for each in _messages(args)}
        for_queue = self._task_limits.rules.for_queue
        return next((queue for queue in origins if queue is not None and for_queue(queue) is not None), None)

    def _fail(self, run: Run, retry_after: float) -> None:
        """Record a failure of its messages; the pool never gets the run, so its place is freed here."""
        text = f"the limits of {run.name} admit this start in {retry_after:.3g} s"
        try:
            run.settle(run.task.backend.mark_as_failure, RateLimitExceeded(text, retry_after))
        finally:
            self._free()


def _messages(args: Sequence[Any]) -> list[Any]:
    first = args[0] if args else None
    return [each for each in first if hasattr(each, "id")] if isinstance(first, (list, tuple)) else []


def _nothing(*_: Any) -> None:
    pass
