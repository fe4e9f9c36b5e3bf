"""Reads a time to wait, however the other side writes it: seconds, a duration, or a time.

All of it comes from outside, so each reader returns None for what it can't read, takes a bounded part of a text, and
works in time that is proportional to that.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

MOST_TEXT: Final = 500
"""Characters that are read."""
_EPOCH: Final = 1e9
"""Seconds from which on a number is a time since 1970, not a time to wait; from a thousand times that, milliseconds."""
_NUMBER = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,9})?")
_PART = re.compile(r"([0-9]{1,16}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})([a-zµμ]{1,12})")
_UNITS: Final = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "µs", "μs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
}
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,18}))?"
    r"(?:([Zz])|([+-][0-9]{2}):?([0-9]{2}))?"
)


def seconds_until(value: Any, today: str | None = None) -> float | None:
    """Read a number, a ``timedelta``, or a text as the seconds from now on; never less than 0.0, and maybe infinite.

    A number is seconds, or a time since 1970 in seconds or milliseconds. ``today`` is the time by the other side's own
    clock, as its response writes it: its other times are by that clock.
    """
    if isinstance(value, dt.timedelta):
        return _waiting(value.total_seconds())
    if isinstance(value, str):
        return _written(value[:MOST_TEXT].strip(), today)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else 0.0
    return _number(number, today)


def milliseconds(text: str) -> float | None:
    """Read a number of milliseconds as seconds."""
    return float(text) / 1000 if _NUMBER.fullmatch(text) else None


def number(text: str | None) -> float | None:
    """Read a plain decimal number."""
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None


def duration(text: str) -> float | None:
    """Read parts with units, in lower case: as Go writes them (``1h2m3.5s``), or with words (``1minute30seconds``)."""
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[2] not in _UNITS:
            return None
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    return total if at else None


def _written(text: str, today: str | None) -> float | None:
    if _NUMBER.fullmatch(text):
        return _number(float(text), today)
    said = duration(text.lower())
    if said is not None:
        return said
    date = _date(text)
    return None if date is None else _waiting(date - _now(today))


def _number(number: float, today: str | None) -> float | None:
    if math.isnan(number):
        return None
    if abs(number) < _EPOCH or math.isinf(number):
        return _waiting(number)
    if number < 0:
        return None
    return _waiting((number / 1000 if number >= 1000 * _EPOCH else number) - _now(today))


def _now(today: str | None) -> float:
    date = _date(today) if today else None
    return time.time() if date is None else date


def _date(text: str) -> float | None:
    """Read a date of RFC 9110 (``Fri, 31 Dec 1999 23:59:59 GMT``), or a time of RFC 3339; since 1970."""
    try:
        match = _TIME.fullmatch(text)
        if match is None:
            return parsedate_to_datetime(text).timestamp()
        day, clock, fraction, _, hours, minutes = match.groups()
        zone = f"{hours}:{minutes}" if hours else "+00:00"
        whole = dt.datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp()
        return whole + (float(f"0.{fraction}") if fraction else 0.0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _waiting(seconds: float) -> float:
    return max(seconds, 0.0)
