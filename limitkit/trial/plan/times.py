"""At which times other terms are in force than before: by a schedule, whatever its entries look like."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.config.declared import Scheduled, ShareTerms
from limitkit.config.limit_words import when_words
from limitkit.config.model.calendar import DAY_MINUTES
from limitkit.trial.plan.terms import difference
from limitkit.trial.plan.weeks import WEEK_MINUTES, weeks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from limitkit.config.declared import Limit
    from limitkit.trial.plan.changes import Effect
    from limitkit.trial.plan.terms import Difference
    from limitkit.trial.plan.weeks import Span

_SHOWN: Final = 8
"""Times that are told of one limit."""


class Times(NamedTuple):
    """When other terms hold, and what that does."""

    said: str
    effect: Effect


class _Run(NamedTuple):
    begin: int
    """Minutes after Monday, 00:00."""
    length: int
    """Minutes."""
    differs: Difference


def changed_times(before: Limit, after: Limit) -> list[Times]:
    """Find when a schedule puts other terms in force; what only follows from the limit's own terms is not told."""
    years = weeks(before.schedule, after.schedule)
    found: dict[Times, int] = {}
    for week in years:
        for when, differs in _by_days(_runs(before, after, week.spans), week.zone):
            times = Times(f"{when}: {differs.said}", differs.effect)
            found[times] = found.get(times, 0) + 1
    return [
        each if number == len(years) else Times(f"{each.said} (in a part of the year)", each.effect)
        for each, number in found.items()
    ]


def times_words(times: Sequence[Times]) -> str:
    """Write them, those that let more through first."""
    ordered = sorted(times, key=lambda each: each.effect != "looser")
    more = [f"and at {len(times) - _SHOWN} more times"] if len(times) > _SHOWN else []
    return "; ".join([*(each.said for each in ordered[:_SHOWN]), *more])


def _runs(before: Limit, after: Limit, spans: Iterable[Span]) -> list[_Run]:
    """Find the stretches of a week in which the same is changed; one over the end of the week is one."""
    known = functools.cache(lambda old, new: difference(before, after, old, new))
    found: list[_Run] = []
    for span in spans:
        differs = known(*span.held)
        if differs is None:
            continue
        last = found[-1] if found else None
        if last is not None and last.differs == differs and last.begin + last.length == span.begin:
            found[-1] = last._replace(length=span.end - last.begin)
        else:
            found.append(_Run(span.begin, span.end - span.begin, differs))
    if len(found) > 1 and found[0].begin == 0 and found[-1].begin + found[-1].length == WEEK_MINUTES:
        first, last = found[0], found[-1]
        if first.differs == last.differs:
            found = [*found[1:-1], last._replace(length=last.length + first.length)]
    return found


def _by_days(runs: Iterable[_Run], zone: str) -> list[tuple[str, Difference]]:
    """Write when they are, those at the same time of several days together."""
    found: dict[tuple[int, int, Difference], list[int]] = {}
    for run in runs:
        for begin, length in _cut(run):
            minute = begin % DAY_MINUTES
            end = minute + length if minute + length <= DAY_MINUTES else minute + length - DAY_MINUTES
            found.setdefault((minute, end, run.differs), []).append(begin // DAY_MINUTES % 7)
    return [
        (when_words(Scheduled(begin, end, frozenset(days), zone, ShareTerms())), differs)
        for (begin, end, differs), days in found.items()
    ]


def _cut(run: _Run) -> Iterator[tuple[int, int]]:
    """Cut a stretch that is longer than a day at each midnight: yields begins and lengths."""
    begin, left = run.begin, run.length
    while left > 0:
        length = left if run.length <= DAY_MINUTES else min(left, DAY_MINUTES - begin % DAY_MINUTES)
        yield begin, length
        begin, left = begin + length, left - length
