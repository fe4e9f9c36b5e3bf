"""Compares a replay with what was recorded: starts a second, and the 95th percentile of waits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil, isclose
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.trial.outcome import Outcome, Run
    from limitkit.trial.trace import Observed

RATE_WITHIN: Final = 0.05
WAIT_WITHIN: Final = 0.10
_NOTHING: Final = 0.05
"""Seconds that count as no wait: a machine hands a task over sooner or later by as much, and a virtual one at once."""
_P: Final = 0.95


class Figures(NamedTuple):
    """What one run came to."""

    starts: int
    rate: float
    """Starts a second, from the first arrival to the last start."""
    p95: float
    """Seconds; of the waits of what arrived while it was recorded, and started."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a replay agrees with the recording, for one task; or for all, then ``task`` is empty."""

    task: str
    recorded: Figures
    replayed: Figures

    @property
    def rate_off(self) -> float:
        """By which part of the recorded the replayed starts a second differ."""
        return _off(self.recorded.rate, self.replayed.rate)

    @property
    def wait_off(self) -> float:
        """By which part of the recorded the replayed p95 of waits differs; 0 where both are as good as none."""
        here, there = self.recorded.p95, self.replayed.p95
        return 0.0 if isclose(here, there, abs_tol=_NOTHING) else _off(here, there)

    @property
    def holds(self) -> bool:
        """Whether both are within 5 and 10 %."""
        return self.rate_off <= RATE_WITHIN and self.wait_off <= WAIT_WITHIN


def compare(outcome: Outcome, observed: Iterable[Observed]) -> list[Agreement]:
    """Compare for all tasks together, and then for each. Both are in the order of arrivals, one entry a message.

    Raises ValueError when they are not of the same messages.
    """
    recorded: dict[str, list[_Start]] = defaultdict(list)
    replayed: dict[str, list[_Start]] = defaultdict(list)
    seen = list(observed)
    if len(seen) != len(outcome.runs):
        raise ValueError(f"{len(seen)} messages were recorded, and {len(outcome.runs)} were played")
    for before, run in zip(seen, outcome.runs, strict=True):
        if before.task != run.task:
            raise ValueError(f"{before.task} was recorded where {run.task} was played")
        recorded[before.task].append(_Start(before.at, before.start, before.early))
        replayed[run.task].append(_replay(run, early=before.early))
    together = Agreement("", _figures(_all(recorded)), _figures(_all(replayed)))
    return [
        together,
        *(Agreement(task, _figures(recorded[task]), _figures(replayed[task])) for task in sorted(recorded)),
    ]


class _Start(NamedTuple):
    at: float
    start: float | None
    early: bool


def _replay(run: Run, *, early: bool) -> _Start:
    return _Start(run.sent, run.started, early)


def _all(by_task: dict[str, list[_Start]]) -> list[_Start]:
    return [each for starts in by_task.values() for each in starts]


def _figures(of: Sequence[_Start]) -> Figures:
    starts = [each.start for each in of if each.start is not None]
    waits = sorted(each.start - each.at for each in of if each.start is not None and not each.early)
    took = max(starts) - min(each.at for each in of) if starts else 0.0
    p95 = waits[ceil(_P * len(waits)) - 1] if waits else 0.0
    return Figures(len(starts), len(starts) / took if took > 0.0 else 0.0, p95)


def _off(here: float, there: float) -> float:
    if here == there:
        return 0.0
    return abs(there - here) / here if here > 0.0 else float("inf")
