"""What schedules say at each time of a week, by the clock of one zone: so that they can be compared, and summed up.

Of a day on which clocks are put forward or back nothing is known here; it has an hour less, or one twice.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import zoneinfo
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from limitkit.config.model.calendar import DAY_MINUTES, UTC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from limitkit.config.declared import Scheduled, ShareTerms

WEEK_MINUTES: Final = 7 * DAY_MINUTES
_YEAR: Final = dt.datetime(2035, 1, 1, 12, tzinfo=dt.timezone.utc)
"""Far enough for the rules that zones have for ever, and always the same year: a plan does not change by itself."""
_DAYS: Final = 365

Held: TypeAlias = "ShareTerms | None"
"""The terms of the entry that holds; None where none does."""


class Span(NamedTuple):
    """A part of a week in which each schedule says one thing."""

    begin: int
    """Minutes after Monday 00:00."""
    end: int
    held: tuple[Held, ...]
    """What each of the schedules says."""


class Week(NamedTuple):
    """One week under several schedules."""

    zone: str
    """By whose clock the minutes are."""
    spans: tuple[Span, ...]
    """From Monday to Sunday, one after the other without a gap."""


@functools.lru_cache(maxsize=16)
def weeks(*schedules: tuple[Scheduled, ...]) -> list[Week]:
    """Return what schedules say: one week for each way in which their zones' clocks stand to each other in a year.

    The clock is that of the last schedule's first zone; without any entries, UTC.
    """
    zones = list(dict.fromkeys(each.timezone for schedule in reversed(schedules) for each in schedule)) or [UTC]
    ways = dict.fromkeys(zip(*(_ahead(zone, zones[0]) for zone in zones), strict=True))
    return [Week(zones[0], _spans(schedules, dict(zip(zones, way, strict=True)))) for way in ways]


def same_clock(one: str, other: str) -> bool:
    """Whether the clocks of two zones show the same all year."""
    return one == other or not any(_ahead(one, other))


def held(schedule: tuple[Scheduled, ...]) -> list[Held]:
    """Return all terms that hold at any time, None among them where no entry does."""
    return [terms for (terms,) in held_together(schedule)]


def held_together(*schedules: tuple[Scheduled, ...]) -> list[tuple[Held, ...]]:
    """Return which terms of these schedules hold at any time together."""
    return list(dict.fromkeys(span.held for week in weeks(*schedules) for span in week.spans))


def _spans(schedules: Sequence[Sequence[Scheduled]], ahead: Mapping[str, int]) -> tuple[Span, ...]:
    """Cut a week where any entry begins or ends; ``ahead`` says by how many minutes each zone's clock is ahead."""
    cuts = {0, WEEK_MINUTES}
    minutes = [_minutes(each, ahead, cuts) for each in schedules]
    found: list[Span] = []
    for begin, end in itertools.pairwise(sorted(cuts)):
        holds = tuple(each[begin] for each in minutes)
        if found and found[-1].held == holds:
            begin = found.pop().begin  # noqa: PLW2901 (it goes on)
        found.append(Span(begin, end, holds))
    return tuple(found)


def _minutes(schedule: Sequence[Scheduled], ahead: Mapping[str, int], cuts: set[int]) -> list[Held]:
    """Return what holds in each minute of a week, and note where that may change."""
    found: list[Held] = [None] * WEEK_MINUTES
    for each in reversed(schedule):  # the first that fits holds
        length = each.end - each.begin if each.begin < each.end else each.end + DAY_MINUTES - each.begin
        for day in each.days:
            first = (day * DAY_MINUTES + each.begin - ahead[each.timezone]) % WEEK_MINUTES
            beyond = max(0, first + length - WEEK_MINUTES)
            found[first : first + length] = [each.terms] * (length - beyond)
            found[:beyond] = [each.terms] * beyond
            cuts |= {first, beyond or first + length}
    return found


def _ahead(zone: str, of: str) -> tuple[int, ...]:
    """Return by how many minutes one clock is ahead of another, on each day of the year."""
    return tuple(here - there for here, there in zip(_offsets(zone), _offsets(of), strict=True))


@functools.lru_cache(maxsize=256)
def _offsets(zone: str) -> tuple[int, ...]:
    """Return by how many minutes a zone's clock is ahead of UTC on each day of the year."""
    known = dt.timezone.utc if zone == UTC else zoneinfo.ZoneInfo(zone)  # a file that names others has a problem
    moments = ((_YEAR + dt.timedelta(day)).astimezone(known) for day in range(_DAYS))
    return tuple((moment.utcoffset() or dt.timedelta()) // dt.timedelta(minutes=1) for moment in moments)
