"""Lets other requests pass those that wait for tokens: for each of these the prefetch window grows by one.

It does not grow for requests that wait only for the pool. Nothing can pass them, and what a worker fetches in that time
it takes from other workers, whose pools may be idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.prefetch_window import PrefetchWindow

_SOON: Final = 1.0
"""Seconds."""


class PrefetchWidening:
    """Estimates which requests wait only for the pool, and widens the window for the others."""

    def __init__(self, window: PrefetchWindow) -> None:
        self._window = window
        self._waiting: dict[Lane, dict[Held, None]] = {}
        self._squeezed: list[Held] = []

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

    def look(self, pool: float, now: float) -> None:
        """Widen the window for requests that wait for tokens; it may not grow for all of them (``overflow``).

        ``pool`` is in how many seconds a process comes, as far as is known. With a token by then it waits for the pool.
        """
        for lane in [lane for lane in self._waiting if pool <= 0.0 or lane.next_token(now) > pool]:
            for held in list(self._waiting.get(lane, ())):
                self.leave(held)
                self._window.widen(held)
                if held.squeezed:
                    self._squeezed.append(held)

    def overflow(self, held: Collection[Held], now: float) -> list[Held]:
        """Return those of all held requests that take places in a window that can't grow, and won't start soon."""
        squeezed, self._squeezed = [each for each in self._squeezed if each in held], []
        over: list[Held] = []
        for each in squeezed:
            stays = len(self._squeezed) < self._window.room and _starts_soon(each, now)
            (self._squeezed if stays else over).append(each)
        return over

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._squeezed.clear()


def _starts_soon(held: Held, now: float) -> bool:
    """Whether a request starts within a second, as far as this worker knows."""
    return all(len(lane.waiting) / lane.rate <= _SOON for lane in held.lanes) and (
        held.at is None or held.at.ready or held.at.due <= now + _SOON
    )
