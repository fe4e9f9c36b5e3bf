"""The loop that the pacer runs on: it makes one call at a time, whichever thread or greenlet asks for it.

Where Celery's worker has an event loop (kombu's hub), that is the one: ``HubLoop``. Else the calls come from the thread
that consumes, from the pool's threads or greenlets, and from timers: ``LockedLoop``. Where the consuming thread runs
the tasks itself, they must start in no other: ``ConsumingLoop``.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.clock import Clock

logger = logging.getLogger("limitkit")

_T = TypeVar("_T")
_PATIENCE: Final = 0.1
"""Seconds for which a consumer without an event loop waits for messages while what it may fetch can change."""


class Timer(Protocol):
    """A call that is to be made later."""

    def cancel(self) -> None:
        """Don't make it."""


class Loop(Protocol):
    """Makes the pacer's calls, one at a time."""

    def call_at(self, at: float, call: Callable[[], Any]) -> Timer:
        """Make a call at that monotonic time."""

    def post(self, call: Callable[..., Any], *args: Any) -> None:
        """Make a call soon; of any thread or greenlet, which does not wait for it."""

    def run(self, call: Callable[..., _T], *args: Any) -> _T | None:
        """Make a call now, and return its result; None where it can only be made later."""

    def connected(self, consumer: Any, is_busy: Callable[[], bool]) -> None:
        """Serve the consumer's new connection; ``is_busy`` says whether what may be fetched can change by itself."""

    def disconnected(self) -> None:
        """Go on without the consumer, whose connection has ended: what the pool still runs may end meanwhile."""

    def close(self) -> None:
        """Make no more calls."""


class HubLoop:
    """kombu's event loop. What a pool's thread posts wakes it, which older kombu's own ``call_soon`` does not."""

    def __init__(self, timer: Any) -> None:
        self._timer = timer
        self._thread = threading.get_ident()
        self._posted: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._reader, self._writer = -1, -1
        self._is_served = True
        """Whether kombu's loop runs, or is about to."""
        self._unserved = threading.RLock()

    def call_at(self, at: float, call: Callable[[], Any]) -> Timer:
        """See ``Loop``."""
        timer: Timer = self._timer.call_at(at, call)
        return timer

    def post(self, call: Callable[..., Any], *args: Any) -> None:
        """See ``Loop``."""
        if threading.get_ident() == self._thread:
            call(*args)
            return
        self._posted.append((call, args))
        if not self._is_served:
            self._work()
        elif self._writer >= 0:
            with contextlib.suppress(BlockingIOError):  # it is full: the loop is awake
                os.write(self._writer, b"\0")

    def run(self, call: Callable[..., _T], *args: Any) -> _T | None:
        """See ``Loop``."""
        return call(*args)

    def connected(self, consumer: Any, is_busy: Callable[[], bool]) -> None:  # noqa: ARG002 (the loop sees it itself)
        """See ``Loop``; the hub forgets its readers with a connection."""
        if self._reader < 0:
            self._reader, self._writer = os.pipe()
            os.set_blocking(self._reader, False)
            os.set_blocking(self._writer, False)
        self._thread = threading.get_ident()  # a worker may be made in another one
        consumer.hub.add_reader(self._reader, self._on_posted)
        self._is_served = True
        self._work()

    def disconnected(self) -> None:
        """See ``Loop``; the thread that posts a call makes it."""
        self._is_served = False
        self._work()

    def close(self) -> None:
        """See ``Loop``."""
        reader, writer = self._reader, self._writer
        self._reader = self._writer = -1
        for end in (reader, writer):
            if end >= 0:
                os.close(end)

    def _on_posted(self, *_: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        self._work()

    def _work(self) -> None:
        with self._unserved:
            while self._posted:
                call, args = self._posted.popleft()
                _make(call, *args)


class _Call:
    """A call of ``call_at``."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call: Callable[[], Any] | None = call

    def cancel(self) -> None:
        """Don't make it."""
        self.call = None


class _Calls:
    """Calls that were posted, and those whose time comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._posted: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._later: list[tuple[float, int, _Call]] = []
        self._numbers = itertools.count()
        self._guard = threading.Lock()

    def post(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Add one that is due now. It takes no lock: greenlets that must not wait call this."""
        self._posted.append((call, args))

    def at(self, at: float, call: Callable[[], Any]) -> _Call:
        """Add one that is due then."""
        later = _Call(call)
        with self._guard:
            heapq.heappush(self._later, (at, next(self._numbers), later))
        return later

    def work(self) -> None:
        """Make those that are due."""
        for _ in range(len(self._posted)):
            call, args = self._posted.popleft()
            _make(call, *args)
        while (due := self._next_due()) is not None:
            _make(due)

    def _next_due(self) -> Callable[[], Any] | None:
        with self._guard:
            while self._later:
                at, _, later = self._later[0]
                if later.call is not None and at > self._clock.monotonic():
                    return None
                heapq.heappop(self._later)
                if later.call is not None:
                    return later.call
        return None

    def rest(self) -> float | None:
        """Return in how many seconds there is something to do; None while there is nothing."""
        if self._posted:
            return 0.0
        with self._guard:
            while self._later and self._later[0][2].call is None:
                heapq.heappop(self._later)
            return max(0.0, self._later[0][0] - self._clock.monotonic()) if self._later else None


class LockedLoop:
    """A thread of the pacer's own, or a greenlet where threads are: it makes what is posted, and what is due.

    The thread that consumes makes its calls itself (``run``): its next wait for messages begins with their effect.
    """

    def __init__(self, clock: Clock) -> None:
        self._calls = _Calls(clock)
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def call_at(self, at: float, call: Callable[[], Any]) -> Timer:
        """See ``Loop``."""
        later = self._calls.at(at, call)
        self._wake.set()
        return later

    def post(self, call: Callable[..., Any], *args: Any) -> None:
        """See ``Loop``."""
        self._calls.post(call, args)
        self._wake.set()

    def run(self, call: Callable[..., _T], *args: Any) -> _T | None:
        """See ``Loop``."""
        with self._lock:
            return call(*args)

    def connected(self, consumer: Any, is_busy: Callable[[], bool]) -> None:
        """See ``Loop``."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="limitkit-pacer", daemon=True)
            self._thread.start()
        _divide_waits(consumer.connection, lambda longest: min(longest, _PATIENCE) if is_busy() else longest)

    def disconnected(self) -> None:
        """See ``Loop``; its thread goes on."""

    def close(self) -> None:
        """See ``Loop``."""
        self._is_closed = True
        self._wake.set()

    def _serve(self) -> None:
        while not self._is_closed:
            self._wake.wait(self._calls.rest())
            self._wake.clear()
            with self._lock:
                self._calls.work()


class ConsumingLoop:
    """The thread that consumes: between two waits for messages it makes what was posted, and what is due."""

    def __init__(self, clock: Clock) -> None:
        self._calls = _Calls(clock)
        self._thread = threading.get_ident()

    def call_at(self, at: float, call: Callable[[], Any]) -> Timer:
        """See ``Loop``."""
        return self._calls.at(at, call)

    def post(self, call: Callable[..., Any], *args: Any) -> None:
        """See ``Loop``."""
        self.run(call, *args)

    def run(self, call: Callable[..., _T], *args: Any) -> _T | None:
        """See ``Loop``."""
        if threading.get_ident() == self._thread:
            return call(*args)
        self._calls.post(call, args)
        return None

    def connected(self, consumer: Any, is_busy: Callable[[], bool]) -> None:
        """See ``Loop``."""
        self._thread = threading.get_ident()

        def wait(longest: float) -> float:
            self._calls.work()
            rest = self._calls.rest()
            longest = longest if rest is None else min(longest, max(rest, 0.001))
            return min(longest, _PATIENCE) if is_busy() else longest

        _divide_waits(consumer.connection, wait)

    def disconnected(self) -> None:
        """See ``Loop``; this thread is also the pool."""

    def close(self) -> None:
        """See ``Loop``; there is no thread to end."""


def _divide_waits(connection: Any, wait: Callable[[float], float]) -> None:
    """Have a connection wait for messages as long as ``wait`` says, which is given the longest time in seconds.

    Celery waits for two seconds in one go where it has no event loop. What it may fetch changes meanwhile.
    """
    drain = connection.drain_events

    def drain_events(timeout: float | None = None, **kwargs: Any) -> Any:
        return drain(timeout=timeout if timeout is None else wait(timeout), **kwargs)

    connection.drain_events = drain_events


def _make(call: Callable[..., Any], *args: Any) -> None:
    try:
        call(*args)
    except Exception:
        logger.exception("A call on the pacer's loop failed.")
