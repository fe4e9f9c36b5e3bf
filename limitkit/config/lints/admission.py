"""Whether one limit never admits more than another in any stretch of time: exact, and silent where it is not sure.

A bucket admits at most ``burst + rate * T`` in a time T, a sliding window N in any stretch of its time, one with
resets N from one reset to the next. That is network calculus: an arrival curve below another one (Le Boudec and
Thiran, 2001, 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from limitkit.config.declared import Limit, Resets
    from limitkit.config.lints.declared_terms import Terms

EXACT: Final = 200
"""Up to so many starts a sliding window keeps each start's time; above, it counts in 60 parts of its time."""
_PARTS: Final = 60
_LATE: Final = Fraction(1, 20)
"""Seconds by which a start may be later than its token."""
_HOUR, _DAY, _WEEK = 3600, 86_400, 7 * 86_400
_CALENDAR: Final = {"d": (_DAY, _DAY), "w": (_WEEK, _WEEK), "mo": (28 * _DAY, 31 * _DAY)}
"""The shortest and the longest window of each unit, in seconds."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most ``burst + rate * T`` in any time T; ``rate`` is a second's."""

    burst: int
    rate: Fraction


@dataclass(frozen=True, slots=True)
class Sliding:
    """At most ``most`` in any stretch of ``period`` seconds."""

    most: int
    period: Fraction


@dataclass(frozen=True, slots=True)
class Resetting:
    """At most ``most`` from one reset to the next."""

    most: int
    period: Fraction
    resets: Resets

    @property
    def aligned(self) -> bool:
        """Whether its windows begin at multiples of their time after midnight UTC."""
        return self.resets.unit == "clock"

    @property
    def shortest(self) -> Fraction:
        """Seconds of the shortest of its windows."""
        return self._seconds(0, -_HOUR)

    @property
    def longest(self) -> Fraction:
        """Seconds of the longest of its windows: with the hour that a day has more when clocks change."""
        return self._seconds(1, _HOUR)

    def _seconds(self, which: int, change: int) -> Fraction:
        if self.resets.unit == "clock":
            return self.period
        whole = _CALENDAR[self.resets.unit][which] * self.resets.every
        return Fraction(whole if self.resets.timezone == "UTC" else whole + change)


Curve = Bucket | Sliding | Resetting


def curve(limit: Limit, terms: Terms) -> Curve:
    """Return what a limit admits under some of its terms."""
    if limit.strategy != "window":
        # The rate as it is kept: an interval is rounded up to whole microseconds.
        return Bucket(int(terms.burst), Fraction(1_000_000, terms.rate.interval_us))
    most = max(1, int(terms.rate.tokens))
    return (
        Sliding(most, terms.rate.period) if limit.resets is None else Resetting(most, terms.rate.period, limit.resets)
    )


def never_more(first: Curve, second: Curve, *, apart: bool = False) -> bool:
    """Whether ``second`` can never refuse what ``first`` has admitted.

    ``apart`` is for limits that are counted in different places, one of them some milliseconds later.
    """
    if isinstance(second, Bucket):
        return _in_bucket(first, second, _LATE if apart else Fraction(0))
    if isinstance(second, Sliding):
        return _in_sliding(first, second)
    return _in_resetting(first, second)


def _in_bucket(first: Curve, second: Bucket, late: Fraction) -> bool:
    if isinstance(first, Bucket):
        return first.burst + first.rate * late <= second.burst and first.rate <= second.rate
    if isinstance(first, Sliding):  # N at once, and N more after each period
        at_once, period = first.most, first.period
    else:  # N before a reset, and N behind it
        at_once, period = 2 * first.most, first.shortest
    return at_once + second.rate * late <= second.burst and first.most <= second.rate * period


def _in_sliding(first: Curve, second: Sliding) -> bool:
    # It is longer than declared, by what a start may be late and by the oldest part, which counts whole.
    stretch = second.period * (_PARTS + 1) / _PARTS + _LATE
    if isinstance(first, Bucket):
        return floor(first.burst + first.rate * stretch) <= second.most
    if isinstance(first, Sliding):
        alike = first.period == second.period and (first.most > EXACT) == (second.most > EXACT)
        return first.most <= second.most and (alike or _times(first, stretch) <= second.most)
    return first.most * (floor(stretch / first.shortest) + 2) <= second.most


def _times(first: Sliding, stretch: Fraction) -> int:
    return first.most * (floor(stretch / first.period) + 1)


def _in_resetting(first: Curve, second: Resetting) -> bool:
    longest = second.longest
    if isinstance(first, Bucket):
        return floor(first.burst + first.rate * longest) <= second.most
    if isinstance(first, Sliding):
        return first.most * ceil(longest / first.period) <= second.most
    if first.resets == second.resets:
        return first.most <= second.most
    if first.aligned and second.aligned and second.period % first.period == 0:
        return first.most * int(second.period / first.period) <= second.most
    return first.most * (floor(longest / first.shortest) + 2) <= second.most
