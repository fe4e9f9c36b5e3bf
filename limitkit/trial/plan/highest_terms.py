"""The most that a limit lets through by all its terms: its own, those of its schedule, and those of partitions."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from math import floor
from typing import TYPE_CHECKING

from limitkit.config.limit_words import most_starts
from limitkit.trial.plan.weeks import WEEK_MINUTES, held, weeks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.config.declared import Limit, ShareTerms
    from limitkit.trial.plan.weeks import Span

_MINUTE = 60


def applied(limit: Limit, terms: ShareTerms) -> Limit:
    """Return a limit where these terms stand in place of its own; what they leave out stays."""
    running = terms.max_running or limit.max_running
    return replace(limit, rate=terms.rate or limit.rate, burst=terms.burst or limit.burst, max_running=running)


def most_in_force(limit: Limit, seconds: int) -> int | None:
    """Return how many may start in a time at most, of the bucket of which that is most; None where nothing limits that.

    With a schedule, that is the time of the week in which most may start, with the largest burst in force.
    """
    if limit.rate is None:
        return None
    if limit.schedule and limit.strategy != "window":
        found = [_most_by_schedule(limit, seconds)]
    else:
        found = [most_starts(each, seconds) or 0 for each in _by_time(limit)]
    return max(*found, *(most_starts(each, seconds) or 0 for each in _by_partition(limit)), 0)


def running_in_force(limit: Limit) -> int | None:
    """Return how many may run at once at most; None where nothing limits that."""
    if limit.rate is not None:
        return None
    return max(each.max_running for each in (*_by_time(limit), *_by_partition(limit)))


def highest(limit: Limit) -> dict[str, str]:
    """Return the highest terms, in words, by what has terms beside the limit's own: its schedule, its partitions."""
    found = {"schedule": limit.schedule and _by_time(limit), "partitions": limit.partitions and _by_partition(limit)}
    return {of: _highest(list(those)).text for of, those in found.items() if those}


def _highest(those: list[Limit]) -> Limit:
    return max(those, key=lambda each: (each.rate.per_second if each.rate is not None else 0, each.most))


def _by_time(limit: Limit) -> Iterator[Limit]:
    if not limit.schedule:
        yield limit
        return
    for terms in held(limit.schedule):
        yield limit if terms is None else applied(limit, terms)


def _by_partition(limit: Limit) -> Iterator[Limit]:
    return (applied(limit, terms) for terms in limit.partitions.values())


def _most_by_schedule(limit: Limit, seconds: int) -> int:
    """Return the most of a bucket: its largest burst, and what comes in the stretch of the week in which most comes."""
    each = limit.cost.fixed if limit.settle is None else 1  # as in most_starts
    most = max(_most_refilled(limit, week.spans, seconds) for week in weeks(limit.schedule))
    return floor(max(terms.burst for terms in _by_time(limit)) + most) // each


def _most_refilled(limit: Limit, spans: Sequence[Span], seconds: int) -> Fraction:
    """Return the most tokens that come in so many seconds: that begins, or ends, where other terms begin to hold."""
    begins = [span.begin * _MINUTE for span in spans]
    rates = [_rate(limit, span.held[0]) for span in spans]
    lengths = [(span.end - span.begin) * _MINUTE for span in spans]
    sums = [Fraction(), *accumulate(rate * length for rate, length in zip(rates, lengths, strict=True))]

    def until(moment: int) -> Fraction:
        """Count what comes from the beginning of the week."""
        whole, rest = divmod(moment, WEEK_MINUTES * _MINUTE)
        at = bisect_right(begins, rest) - 1
        return sums[-1] * whole + sums[at] + rates[at] * (rest - begins[at])

    return max(until(first + seconds) - until(first) for begin in begins for first in (begin, begin - seconds))


def _rate(limit: Limit, terms: ShareTerms | None) -> Fraction:
    rate = terms.rate if terms is not None and terms.rate is not None else limit.rate
    return rate.per_second if rate is not None else Fraction()
