"""The starts that are shown with a failure: those around a moment, or the first and last of a window."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from limitkit.trial.expectations.expectation import Start, in_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.trial.outcome import Run

SHOWN: Final = 10
_Found = tuple[float, int, int, str, "Run"]
"""When, the message's number, which of its starts it is, the worker, and the message: they sort in this order."""


def starts_around(runs: Iterable[Run], at: float) -> tuple[Start, ...]:
    """Return the ten starts around a time, in their order: half of them before it, or at it, as far as there are."""
    found = [*_starts(runs)]
    before = heapq.nlargest(SHOWN, (each for each in found if each[0] <= at))[::-1]
    after = heapq.nsmallest(SHOWN, (each for each in found if each[0] > at))
    half = SHOWN // 2
    few_after, few_before = max(half - len(after), 0), max(half - len(before), 0)
    chosen = [*before[-(half + few_after) :], *after[: half + few_before]]
    return _shown(chosen)


def starts_of(runs: Iterable[Run], first: int, last: int) -> tuple[tuple[Start, ...], int]:
    """Return the starts from one time to another, in microseconds: the first five and the last five.

    With them comes how many are between those.
    """
    found = sorted(each for each in _starts(runs) if first <= in_us(each[0]) <= last)
    more = max(len(found) - SHOWN, 0)
    if more:
        found = [*found[: SHOWN // 2], *found[-SHOWN // 2 :]]
    return _shown(found), more


def _shown(starts: Iterable[_Found]) -> tuple[Start, ...]:
    return tuple(Start(when, run.task, worker, run.number, when - run.sent) for when, _, _, worker, run in starts)


def _starts(runs: Iterable[Run]) -> Iterator[_Found]:
    for run in runs:
        for index, (when, worker) in enumerate(zip(run.starts, run.workers, strict=False)):
            yield when, run.number, index, worker, run
