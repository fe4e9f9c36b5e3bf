"""What charts of a play show: starts a second, and the backlog, in equal bins of time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.trial.figures import backlog_of, comings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.trial.outcome import Run

_ROUND: Final = (1, 2, 5, 10, 15, 20, 30)
_BINS: Final = (
    *(step / 1000 for step in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(float(step) for step in _ROUND),
    *(60.0 * step for step in _ROUND),
    *(3600.0 * step for step in (1, 2, 3, 6, 12, 24, 48, 7 * 24, 14 * 24, 28 * 24)),
)
"""Seconds: how long a bin may be."""
_FEWEST: Final = 10
"""A bin is shorter than a second only where fewer bins of a second would be shown."""
MOST_BINS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Series:
    """Starts and backlog in each bin of time; the first begins at 0."""

    bin: float
    """Seconds."""
    starts: tuple[int, ...]
    """In each bin, again after a worker was killed, too."""
    backlog: tuple[int, ...]
    """The most that waited at any moment of each bin."""

    @property
    def rates(self) -> tuple[float, ...]:
        """Starts a second, as the mean of each bin."""
        return tuple(count / self.bin for count in self.starts)


def bin_of(seconds: float, most: int) -> float:
    """Choose the length of bins, so that at most so many are needed for a time."""
    for length in _BINS:
        if length * most >= seconds and (length >= 1 or length * _FEWEST >= seconds):
            return length
    return -(-seconds // (most * _BINS[-1])) * _BINS[-1]


def series_of(runs: Sequence[Run], seconds: float, most: int) -> Series:
    """Count the starts and the backlog of some runs, from 0 until ``seconds``, in at most ``most`` bins.

    What happens at the very end counts in the last bin. Raises ValueError when ``most`` is not from 1 to ``MOST_BINS``.
    """
    if not 1 <= most <= MOST_BINS:
        raise ValueError(f"there can't be {most} bins; write a number from 1 to {MOST_BINS}")
    length = bin_of(seconds, most)
    bins = min(most, max(1, -int(-seconds // length)))
    micros, starts = round(length * MICROSECONDS), [0] * bins
    for run in runs:
        for at in run.starts:
            starts[min(bins - 1, round(at * MICROSECONDS) // micros)] += 1
    return Series(length, tuple(starts), _backlog(runs, micros, bins))


def _backlog(runs: Sequence[Run], micros: int, bins: int) -> tuple[int, ...]:
    """Return the most that waited at any moment of each bin; a bin begins with what waited before."""
    sent, left = comings(runs)
    most = [bisect_right(sent, at) - bisect_right(left, at) for at in range(0, bins * micros, micros)]
    for at, waiting in backlog_of(sent, left):
        number = min(at // micros, bins - 1)
        most[number] = max(most[number], waiting)
    return tuple(most)
