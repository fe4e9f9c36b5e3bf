"""Lets others flow past those who wait for tokens: for each of them the prefetch window grows by one.

It does not grow for those who wait for the pool alone. Past them nobody can flow, and what a worker fetches in that
time it takes from other workers, whose pools may be idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.prefetch_window import PrefetchWindow


class PrefetchWidening:
    """Knows who waits for the pool alone, as far as can be told, and widens the window for those who do not."""

    def __init__(self, window: PrefetchWindow) -> None:
        self._window = window
        self._waiting: dict[Lane, dict[Held, None]] = {}

    def join(self, held: Held) -> None:
        """Take in one that waits for whatever it may be."""
        for lane in held.lanes:
            self._waiting.setdefault(lane, {})[held] = None

    def leave(self, held: Held) -> None:
        """Forget one that starts, or leaves."""
        for lane in held.lanes:
            of = self._waiting.get(lane)
            if of is not None:
                of.pop(held, None)
                if not of:
                    del self._waiting[lane]

    def look(self, pool: float, now: float) -> list[Held]:
        """Make place for those who don't wait for the pool alone; returns those for whom the window can't grow.

        ``pool`` is in how many seconds a process comes, as far as is known: who has his token by then waits for that.
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
