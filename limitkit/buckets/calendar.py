"""When a window begins anew: the borders of windows with ``resets``, by the wall clock of a time zone."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from limitkit.errors import LimitkitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.config.declared import Resets

_MICROSECOND: Final = dt.timedelta(microseconds=1)
_SECOND: Final = dt.timedelta(seconds=1)
_DAY: Final = dt.timedelta(days=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_FIRST_MONDAY: Final = dt.date(1970, 1, 5)
_AROUND: Final = 3
"""Windows that are looked at on each side: a zone may skip a whole day."""


class Borders(NamedTuple):
    """The window at a moment and the one after it, in microseconds since 1970."""

    begin: int
    end: int
    next_end: int


def borders(resets: Resets, now_us: int) -> Borders:
    """Return the borders of the window at a moment.

    A time of the day that a clock change skips is the moment of that change; one that it repeats is the first of both.
    Raises LimitkitError when this machine does not know the time zone.
    """
    known = _known.get(resets)
    if known is None or not known.begin <= now_us < known.end:
        known = _known[resets] = _borders(resets, now_us)
        while len(_known) > _MOST_KNOWN:
            _known.pop(next(iter(_known)), None)
    return known


_known: Final[dict[Resets, Borders]] = {}
_MOST_KNOWN: Final = 1000


def _borders(resets: Resets, now_us: int) -> Borders:
    if resets.unit == "clock":
        begin = now_us - now_us % resets.period_us
        return Borders(begin, begin + resets.period_us, begin + 2 * resets.period_us)
    zone = zone_named(resets.timezone)
    today = (_EPOCH + now_us * _MICROSECOND).astimezone(zone).date()
    nth, date_of = _counting(resets, today)
    minute = dt.time(resets.minute // 60, resets.minute % 60)
    moments = {
        _moment(dt.datetime.combine(date_of(each), minute), zone) for each in range(nth - _AROUND, nth + _AROUND + 1)
    }
    in_order = sorted(moments)
    begin = max(moment for moment in in_order if moment <= now_us)
    end, next_end = in_order[in_order.index(begin) + 1 :][:2]
    return Borders(begin, end, next_end)


def _counting(resets: Resets, today: dt.date) -> tuple[int, Callable[[int], dt.date]]:
    """Return which window since 1970 begins near a day, and what finds the day on which another one begins."""
    every = resets.every
    if resets.unit == "mo":

        def first_of(number: int) -> dt.date:
            year, month = divmod(number * every, 12)
            year, month = year + 1970, month + 1
            return dt.date(year, month, min(resets.day, monthrange(year, month)[1]))

        return ((today.year - 1970) * 12 + today.month - 1) // every, first_of
    days, first = (7 * every, _FIRST_MONDAY + resets.day * _DAY) if resets.unit == "w" else (every, _EPOCH.date())
    return (today - first).days // days, lambda number: first + number * days * _DAY


def _moment(wall: dt.datetime, zone: ZoneInfo) -> int:
    """Return the moment at which a zone's clock first shows this time, or jumps over it; in microseconds since 1970."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(dt.timezone.utc) for fold in (0, 1))
    if before.astimezone(zone).replace(tzinfo=None, fold=0) != wall:
        # Skipped: counted with the offset after the jump, it would be before that jump, and the other way round.
        early, late, offset = after, before, after.astimezone(zone).utcoffset()
        while late - early > _SECOND:
            middle = early + (late - early) // _SECOND // 2 * _SECOND
            early, late = (middle, late) if middle.astimezone(zone).utcoffset() == offset else (early, middle)
        before = late
    return (before - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=1000)
def zone_named(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name. Raises LimitkitError when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LimitkitError(
            f"This machine does not know the time zone {name}, so no window can reset by its clock; "
            "install the data of time zones with `pip install tzdata`, or correct the name."
        ) from None
