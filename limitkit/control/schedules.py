"""Which entry of a schedule holds at a moment, and until when.

An entry is defined by minutes of the wall clock: it holds whenever the clock of its zone shows a time inside. So it is
shorter or longer on the day of a clock change, holds twice where an hour comes twice, and begins at the change where
its own begin is skipped.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import zoneinfo
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.config.declared import Scheduled

logger = logging.getLogger("limitkit")

_MINUTE: Final = 60
_HALF_HOUR: Final = 1800
"""Clocks change at whole or half hours of UTC."""
_DAYS: Final = 8
"""Days that are looked through for the next change: a week, and the night before it."""


class Holding(NamedTuple):
    """What a schedule says at a moment."""

    entry: Scheduled | None
    """The first that fits; None where the limit's own terms hold."""
    until: float
    """When another one holds (seconds since 1970), or when to look again."""
    is_end: bool
    """Whether something else holds then; if not, nothing changes until then."""


def holding(schedule: Sequence[Scheduled], now: float) -> Holding:
    """Return what a schedule says now; ``now`` is in seconds since 1970."""
    entry = _first(schedule, now)
    for moment in _changes(schedule, now):
        if _first(schedule, moment) is not entry:
            return Holding(entry, moment, is_end=True)
    return Holding(entry, now + (_DAYS - 1) * 86400, is_end=False)


def _first(schedule: Sequence[Scheduled], now: float) -> Scheduled | None:
    return next((each for each in schedule if _holds(each, now)), None)


def _holds(each: Scheduled, now: float) -> bool:
    zone = _zone(each.timezone)
    if zone is None:
        return False
    clock = dt.datetime.fromtimestamp(now, zone)
    minute, day = clock.hour * 60 + clock.minute, clock.weekday()
    if each.begin < each.end:
        return each.begin <= minute < each.end and day in each.days
    return (minute >= each.begin and day in each.days) or (minute < each.end and (day - 1) % 7 in each.days)


def _changes(schedule: Sequence[Scheduled], now: float) -> Iterator[float]:
    """Yield, in order, the moments after ``now`` at which something else may hold."""
    found: set[float] = set()
    for each in schedule:
        zone = _zone(each.timezone)
        if zone is None:
            continue
        today = dt.datetime.fromtimestamp(now, zone).date()
        for days in range(-1, _DAYS):
            for minute in (each.begin, each.end):
                clock = dt.datetime.combine(today + dt.timedelta(days), dt.time(minute // 60 % 24, minute % 60))
                found |= {clock.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)}
    half_hours = int(now // _HALF_HOUR) + 1
    found |= {float(_HALF_HOUR * (half_hours + number)) for number in range(48 * (_DAYS - 1))}
    yield from sorted(moment for moment in found if moment > now)


@functools.lru_cache(maxsize=256)
def _zone(name: str) -> dt.tzinfo | None:
    """Return a zone; without its data the machine can't tell the time there, and says so once."""
    if name == "UTC":
        return dt.timezone.utc
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        logger.error(  # noqa: TRY400 (the traceback says no more)
            "This machine has no data of the time zone %s (%s), so entries of schedules in it do not hold, and their "
            "limits keep their other terms; install tzdata.",
            name,
            type(error).__name__,
            extra={"action": "zone_missing"},
        )
        return None
