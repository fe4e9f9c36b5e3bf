"""Gets free processes of the pool before tokens are taken: a token that waits for a process becomes stale."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from limitkit.worker.pool.unlimited_requests import UnlimitedRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.clock import Clock
    from limitkit.worker.pool.request_order import Arrivals, RequestOrder

logger = logging.getLogger("limitkit")

_NEWEST: Final = 0.3
"""Weight of the newest sample in the running mean of waits for a process, at most."""
_LASTING: Final = 0.4
"""A wait that is short against this part of the mean has less weight.

Where all tasks of a pool end at one moment, one process takes seconds to come, and the others come with it. Whoever
wants one then has to wait for seconds, so these others must not make the mean short.
"""
_PATIENCE_SHARE: Final = 0.05
"""Part of the pool's time that processes may be kept idle for a slot that is due soon."""
_LEAST_WAIT: Final = 0.001
"""Seconds that a process takes to come from a busy pool, at least."""
_SMALL: Final = 2.5
"""In a pool of more processes than this, one slot may use only a part of that time."""
_MOST_PATIENCE: Final = 1.0
"""The most seconds that add up of it."""


class Processes:
    """Pool processes that are held for a start that is being decided.

    Celery's prefork pool counts its free processes with a semaphore (``controller.semaphore``). A task that ends
    releases it, and the next in the semaphore's line gets it.
    """

    def __init__(self, semaphore: Any, on_free: Callable[[], None], arrivals: Arrivals, clock: Clock) -> None:
        self._clock = clock
        self.free = 0
        """Processes that the pacer holds now."""
        self.wait = 0.0
        """Seconds that a process takes to come, as a running mean; goes to 0 while some are idle."""
        self._semaphore = semaphore
        self._on_free = on_free
        self._claim = self._claimed  # one object, by which a claim is recognized in the semaphore's line
        self.unlimited = UnlimitedRequests(semaphore, self._claim, arrivals)
        self._last: RequestOrder | None = None
        """The place of the last request that claims a process."""
        self._claims = 0
        self._claimed_at = 0.0
        self._generation = 0
        self._kept = 0
        self._kept_since = 0.0
        self._patience = _MOST_PATIENCE
        self._patience_at = self._clock.monotonic()

    def seize(self, wanted: int) -> int:
        """Get up to ``wanted`` idle processes, without waiting; returns how many are free and not kept."""
        while self.free - self._kept < wanted and self._semaphore.value > 0:
            self._semaphore.acquire(self._seized)
        return self.spare

    def claim(self, wanting: Sequence[tuple[RequestOrder, bool]]) -> None:
        """Queue for so many processes, each claim behind the requests without limits that come before it.

        ``wanting`` is in order; each says whether it has no token yet: such a claim lets one other request go first.
        """
        semaphore = self._semaphore
        for _ in range(min(len(wanting), semaphore.initial_value) - self._claims):
            if not self._claims:
                self._claimed_at = self._clock.monotonic()
            self._claims += 1
            semaphore.acquire(self._claim, self._generation)
        if self._claims:
            self.unlimited.line_up(wanting)
            self._last = wanting[-1][0] if wanting else None

    def meet(self, request: Any) -> bool:
        """Note a request without limits that is to start; returns whether it queues, before one that claims."""
        if self._semaphore.value > 0:
            return False
        self.unlimited.add(request)
        if self._claims and self._last is not None and self.unlimited.order(request) < self._last:
            return True
        return self._kept > 0

    def coming_in(self, now: float) -> float:
        """Return the estimated seconds until a process is free that is not kept; 0 while there is one."""
        if self.spare or not self.busy:
            return 0.0
        waited = now - self._claimed_at if self._claims else 0.0
        return max(self.wait, waited, _LEAST_WAIT)

    @property
    def busy(self) -> bool:
        """Whether no process is idle, so that a request has to queue."""
        return bool(self._semaphore.value <= 0)

    @property
    def are_claimed(self) -> bool:
        """Whether none is free, and the pacer queues for all of them, without any other request in that line."""
        return self.busy and not self.free and self._claims >= self.most and not self.unlimited

    @property
    def most(self) -> int:
        """How many processes the pool has."""
        return int(self._semaphore.initial_value)

    @property
    def spare(self) -> int:
        """How many of the pacer's processes are not kept."""
        return max(0, self.free - self._kept)

    @property
    def longest_keep(self) -> float:
        """Seconds for which a process may be kept idle now for one slot.

        In a pool of many, one soon comes by itself; what is saved is for the slots that are due soon.
        """
        return self.patience * min(1.0, _SMALL / max(1, self.most))

    @property
    def patience(self) -> float:
        """Seconds for which processes may be kept idle now."""
        now = self._clock.monotonic()
        earned = (now - self._patience_at) * _PATIENCE_SHARE * self._semaphore.initial_value
        self._patience = min(_MOST_PATIENCE, self._patience + earned)
        self._patience_at = now
        return max(0.0, self._patience)  # several that were kept in one moment may have used up more than there was

    def keep(self, seconds: float) -> None:
        """Keep one process idle for a slot that is due in so many seconds."""
        if not self._kept:
            self._kept_since = self._clock.monotonic()
        self._kept += 1
        self._patience -= seconds

    def refund(self, seconds: float) -> None:
        """Give back what is left of the time for which one was kept: another request can use it now."""
        self._patience = min(_MOST_PATIENCE, self._patience + seconds)

    def unkeep(self) -> None:
        """Keep one process less: its slot has come, or is not wanted any more."""
        self._kept -= 1
        if not self._kept:
            # A claim has waited for that slot meanwhile. If the pool counted as busy for that time, the next process
            # would be kept too, and so on, while the pool is idle.
            self._claimed_at += self._clock.monotonic() - max(self._kept_since, self._claimed_at)

    def use(self) -> None:
        """Use one process for a start; the pool gives it back when the task is done."""
        self.free -= 1

    def release(self) -> None:
        """Give back all processes that are not kept."""
        for _ in range(self.spare):  # not those that a claim brings meanwhile
            self.free -= 1
            while not self._released():
                pass

    def _released(self) -> bool:
        """Give one process to the next in line; returns whether that one took it."""
        try:
            self._semaphore.release()
        except Exception:
            # The next was a request without limits, and it did not get into the pool: the process is still free.
            logger.exception("A request could not be handed to the pool; the broker delivers it again.")
            return False
        return True

    def forget(self) -> None:
        """Hold no process any more: the semaphore was reset with the broker connection."""
        self._generation += 1
        self.free = self._claims = self._kept = 0

    def _seized(self) -> None:
        self.free += 1
        self.wait *= 1 - _NEWEST

    def _claimed(self, generation: int) -> None:
        if generation != self._generation:
            self._semaphore.release()
            return
        self._claims -= 1
        now = self._clock.monotonic()
        waited = now - self._claimed_at
        if waited > 0.0:
            self.wait += min(_NEWEST, waited / (waited + _LASTING * self.wait)) * (waited - self.wait)
        self._claimed_at = now
        self.free += 1
        self._on_free()
