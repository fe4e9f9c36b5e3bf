"""Which of a limit's schedules can never hold, because those before it hold at all of its times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.calendar import DAY_MINUTES, DAYS, UTC, day_fault, days_of, minutes_of, time_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_WEEK: Final = 7 * DAY_MINUTES


def same_time(schedule: Any) -> Iterator[tuple[int, str]]:
    """Find the schedules that begin and end at the same time of the day, and that time."""
    for index, terms in _tables(schedule):
        begin, end = terms.get("from", "00:00"), terms.get("to", "24:00")
        if isinstance(begin, str) and begin == end:
            yield index, begin


def never_holds(schedule: Any) -> Iterator[int]:
    """Find the schedules of which each minute of the week is in one before it, of the same time zone."""
    taken: dict[str, int] = {}
    for index, terms in _tables(schedule):
        minutes, zone = _minutes(terms), terms.get("timezone", UTC)
        if minutes is None or not isinstance(zone, str):
            continue
        if minutes & ~taken.get(zone, 0) == 0:
            yield index
        taken[zone] = taken.get(zone, 0) | minutes


def _tables(schedule: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, terms in enumerate(schedule if isinstance(schedule, list) else ()):
        if isinstance(terms, dict):
            yield index, terms


def _minutes(terms: dict[str, Any]) -> int | None:
    """Return the minutes of a week in which a schedule holds, as bits; None when it is malformed."""
    begin, end, days = terms.get("from", "00:00"), terms.get("to", "24:00"), terms.get("days", [*DAYS])
    days = [days] if isinstance(days, str) else days
    if not isinstance(begin, str) or not isinstance(end, str) or not isinstance(days, list) or not days:
        return None
    if begin == end:
        return None
    if time_fault(begin, last=DAY_MINUTES - 1) or time_fault(end, last=DAY_MINUTES):
        return None
    if not all(isinstance(day, str) and day_fault(day) is None for day in days):
        return None
    first = minutes_of(begin)
    length = (minutes_of(end) - first - 1) % DAY_MINUTES + 1
    span, found = (1 << length) - 1, 0
    for day in days_of(days):
        bits = span << (day * DAY_MINUTES + first)
        found |= bits & ((1 << _WEEK) - 1) | bits >> _WEEK  # what goes over Sunday's midnight is on Monday
    return found
