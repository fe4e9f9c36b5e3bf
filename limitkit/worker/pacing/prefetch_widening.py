"""Lets other requests pass those that wait for tokens: for each of these the prefetch window grows by one.

It does not grow for requests that wait only for the pool. Nothing can pass them, and what a worker fetches in that time
it takes from other workers, whose pools may be idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.prefetch_window import PrefetchWindow


class PrefetchWidening:
    """Estimates which requests wait only for the pool, and widens the window for the others."""

    def __init__(self, window: PrefetchWindow) -> None:
        self._window = window
        self._waiting: dict[Lane, dict[Held, None]] = {}

    def join(self, held: Held) -> None:
        """Add a request that waits, whether for a token or for the pool."""
        for lane in held.lanes:
            self._waiting.setdefault(lane, {})[held] = None

    def leave(self, held: Held) -> None:
        """Forget a request that starts, or leaves."""
        for lane in held.lanes:
            of = self._waiting.get(lane)
            if of is not None:
                of.pop(held, None)
                if not of:
                    del self._waiting[lane]

    def look(self, pool: float, now: float) -> list[Held]:
        """Widen the window for requests that wait for tokens; returns those for which it can't grow.

        ``pool`` is in how many seconds a process comes, as far as is known. With a token by then it waits for the pool.
        """
        tight: list[Held] = []
        for lane in [lane for lane in self._waiting if pool <= 0.0 or lane.next_token(now) > pool]:
            for held in list(self._waiting.get(lane, ())):
                self.leave(held)
                self._window.widen(held)
                if held.squeezed:
                    tight.append(held)
        return tight

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
