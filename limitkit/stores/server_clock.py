"""What the store's clock says, about: by it a caller picks the borders of windows that reset.

The script judges them by its own clock. If they do not fit, it says what its time is; then the caller knows for good
how far the two clocks are apart, and asks once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.clock import SYSTEM, time_us

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.decision import Decision, Take
    from limitkit.clock import Clock

_BEHIND_US: Final = 100_000
"""The reckoning is this much behind: the script takes borders of the present window, and of the one after it."""
_LATER: Final = 1.0
"""Seconds until a take is asked again whose borders still did not fit: the clock moves."""


class ServerClock:
    """How far the clock of a store is ahead of this host's."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._ahead_us = 0

    def now(self, given_us: int | None) -> int:
        """Return about what the store's clock says, in microseconds since 1970; ``given_us`` if it is not None."""
        return time_us(self._clock) + self._ahead_us - _BEHIND_US if given_us is None else given_us

    def fit(
        self, decisions: list[Decision], takes: Sequence[Take], ask: Callable[[Sequence[Take]], list[Decision]]
    ) -> list[Decision]:
        """Ask again those takes whose borders did not fit; ``ask`` decides takes by what the clock says now."""
        unfit = [at for at, decision in enumerate(decisions) if _said(decision) is not None]
        if not unfit:
            return decisions
        self._ahead_us = max(filter(None, map(_said, decisions))) - time_us(self._clock)
        for at, again in zip(unfit, ask([takes[at] for at in unfit]), strict=True):
            waits = tuple(wait if wait >= 0 else _LATER for wait in again.waits)
            decisions[at] = again._replace(waits=waits)
        return decisions


def has_unfit(reply: bytes | str) -> bool:
    """Whether what ``take`` returned says that some borders do not fit: nothing else is below zero."""
    return (b"-" if isinstance(reply, bytes) else "-") in reply  # type: ignore[operator]


def _said(decision: Decision) -> int | None:
    """Return what the script's clock said where borders did not fit."""
    if min(decision.waits, default=0.0) >= 0:
        return None
    return decision.marks[min(range(len(decision.waits)), key=decision.waits.__getitem__)]
