"""The pool that is played: each process runs one task at a time, through the real guard."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from celery.app.task import Context
from celery.exceptions import Ignore, Retry
from celery.worker import state

from limitkit.buckets.ticket import KEY, Ticket
from limitkit.errors import RateLimitExceeded
from limitkit.worker.pool.guarded import is_guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.trial.engine.messages import Request
    from limitkit.trial.engine.timeline import Actor, Timeline

BEGINS_AFTER: Final = 0.001
"""Seconds from the hand-over until a process of the pool runs the task's code."""
TOLD_AFTER: Final = 0.0005
"""Seconds until the worker's main process hears of what a pool process has done.

With both, the next task begins 2.1 ms after the end of the one that had the only slot; measured were 3 ms (median, and
9 ms for one in a hundred; docs/decisions/022).
"""


class Pool:
    """The processes of one worker, and what they have been given."""

    def __init__(
        self, timeline: Timeline, owner: Actor, semaphore: Any, processes: int, jitter: Callable[[float], float]
    ) -> None:
        self._timeline, self._clock, self._owner = timeline, timeline.clock, owner
        self._semaphore, self._processes = semaphore, processes
        self._given: deque[Request] = deque()
        """What waits for a process: only after a lost connection, since Celery then forgets what runs."""
        self._jobs: dict[Request, None] = {}
        """All that was given and has not ended."""
        self._running = 0
        self._sleepers: list[_Sleeper] = []
        self.run: Callable[[Request], float | None] = lambda _: 0.0
        """Runs the code of a task; returns the seconds until it ends, or None when it did not start."""
        self.ended: Callable[[Request], None] = lambda _: None
        """Is told when a task has ended."""
        self.begins_after: Callable[[Request], float] = lambda _: jitter(BEGINS_AFTER)
        """Returns the seconds from the hand-over of a request until its task's code begins."""

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def given(self) -> list[Request]:
        """All requests that it was given and that have not ended."""
        return list(self._jobs)

    def process(self, request: Request) -> None:
        """Run a request, for which a process is taken; one that was revoked gives it back, as with Celery."""
        if request.revoked():
            self._semaphore.release()
            return
        self._jobs[request] = None
        if self._running < self._processes:
            self._begin(request)
        else:
            self._given.append(request)

    def close(self) -> None:
        """End the starts that sleep: the play is over."""
        for each in self._sleepers:
            each.end()

    def watch(self, request: Request, on_end: Callable[[], None]) -> None:
        """Call back when a request has ended; now if it has already."""
        if request in self._jobs:
            request.on_end = on_end
        else:
            on_end()

    def _begin(self, request: Request) -> None:
        self._running += 1
        self._timeline.at(self._clock.now + self.begins_after(request), self._start, request)

    def _start(self, request: Request) -> None:
        if self._owner.gone:
            return
        began = self._clock.now
        self._timeline.at(began + TOLD_AFTER, self._accepted, request, began, actor=self._owner)
        if _may_wait(request, began):
            self._sleepers = [each for each in self._sleepers if each.sleeps]
            self._sleepers.append(_Sleeper(self._timeline, self._owner, self.run, self._ends_in, request))
        else:
            self._ends_in(request, self.run(request))

    def _accepted(self, request: Request, began: float) -> None:
        request.on_accepted(1, began)

    def _ends_in(self, request: Request, seconds: float | None) -> None:
        self._timeline.at(self._clock.now + (seconds or 0.0) + TOLD_AFTER, self._told, request, actor=self._owner)

    def _told(self, request: Request) -> None:
        self._running -= 1
        self._jobs.pop(request, None)
        self.ended(request)
        if self._given:
            self._begin(self._given.popleft())
        state.requests.pop(request.id, None)
        state.reserved_requests.discard(request)
        request.on_end()
        self._semaphore.release()


def run_guarded(request: Request) -> BaseException | None:
    """Run a task's code as Celery's tracer does; returns what the guard has raised in place of it."""
    task = request.task
    context = Context(request.request_dict, args=request.args, kwargs=request.kwargs, called_directly=False)
    task.request_stack.push(context)
    try:
        task.run(*request.args, **request.kwargs)
    except (Retry, Ignore, RateLimitExceeded) as error:
        return error
    finally:
        task.request_stack.pop()
    return None


def _may_wait(request: Request, now: float) -> bool:
    """Whether the guard may have to wait: it does not, if the request comes with a fresh ticket."""
    ticket = request.request_dict["properties"].get(KEY)
    fresh = isinstance(ticket, Ticket) and (now <= ticket.until - 1e-3 or ticket.refused is not None)
    return is_guarded(request.task) and not fresh


class _OverError(BaseException):
    """Ends a start that sleeps; nothing that it passes on its way out may take it for an error of its own."""


class _Sleeper:
    """A thread in which a start may sleep on the virtual clock; it and the timeline never run at once."""

    def __init__(
        self,
        timeline: Timeline,
        owner: Actor,
        run: Callable[[Request], float | None],
        on_end: Callable[[Request, float | None], None],
        request: Request,
    ) -> None:
        self._timeline, self._clock, self._owner = timeline, timeline.clock, owner
        self._run, self._on_end, self._request = run, on_end, request
        self.sleeps = True
        """Whether it has not come to its end."""
        self._is_over = False
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._go_on()

    def end(self) -> None:
        """Never go on: its worker is gone, or the play."""
        self._is_over = True
        if self.sleeps:
            self._turn.release()
            self._thread.join()

    def _go_on(self) -> None:
        if self._owner.gone or self._is_over:
            self.end()
            return
        self._clock.sleeper = self._sleep
        self._turn.release()
        self._back.acquire()
        self._clock.sleeper = None
        if self._error is not None:
            raise self._error

    def _sleep(self, seconds: float) -> None:
        self._timeline.at(self._clock.now + seconds, self._go_on)
        self._back.release()
        self._turn.acquire()
        if self._is_over:
            raise _OverError

    def _work(self) -> None:
        self._turn.acquire()
        try:
            self._on_end(self._request, self._run(self._request))
        except _OverError:
            pass
        except BaseException as error:  # noqa: BLE001 (the thread of the timeline raises it)
            self._error = error
        self.sleeps = False
        self._back.release()
