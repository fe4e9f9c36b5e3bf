"""The starts around a moment, which are shown with a failure."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from limitkit.trial.expectations.expectation import Start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.trial.outcome import Run

SHOWN: Final = 10


def starts_around(runs: Iterable[Run], at: float) -> tuple[Start, ...]:
    """Return the ten starts around a time, in their order: half of them before it, or at it, as far as there are."""
    found = [*_starts(runs)]
    before = heapq.nlargest(SHOWN, (each for each in found if each[0] <= at))[::-1]
    after = heapq.nsmallest(SHOWN, (each for each in found if each[0] > at))
    half = SHOWN // 2
    few_after, few_before = max(half - len(after), 0), max(half - len(before), 0)
    chosen = [*before[-(half + few_after) :], *after[: half + few_before]]
    return tuple(Start(when, run.task, worker, run.number, when - run.sent) for when, _, _, worker, run in chosen)


def _starts(runs: Iterable[Run]) -> Iterator[tuple[float, int, int, str, Run]]:
    for run in runs:
        for index, (when, worker) in enumerate(zip(run.starts, run.workers, strict=False)):
            yield when, run.number, index, worker, run
