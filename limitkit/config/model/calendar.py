"""Times of the day, days and time zones as they are written in TOML, and what is wrong with them."""

from __future__ import annotations

import functools
import re
import zoneinfo
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from limitkit.config.spelling import Nearest
from limitkit.config.wording import listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK: Final = "clock"
UTC: Final = "UTC"
DAY_MINUTES: Final = 24 * 60
TIME_PATTERN: Final = r"^[0-9]{2}:[0-9]{2}$"
_DAY: Final = "|".join(DAYS)
DAYS_PATTERN: Final = rf"^({_DAY})(-({_DAY}))?$"
RESETS_PATTERN: Final = rf"^(clock|(({_DAY}|[0-9]{{1,2}}) )?[0-9]{{2}}:[0-9]{{2}} [^ ]+)$"

_TIME = re.compile(r"([0-9]{2}):([0-9]{2})")
_RESETS = re.compile(rf"(?:({_DAY}|[0-9]{{1,2}}) )?([0-9]{{2}}:[0-9]{{2}}) ([^ ]+)")
_WITHOUT_ZONE = re.compile(rf"(?:(?:{_DAY}|[0-9]{{1,2}}) )?[0-9]{{2}}:[0-9]{{2}}")
_SAY_WHEN: Final = 'write e.g. "00:00 America/Los_Angeles", "mon 08:00 UTC", "1 00:00 Europe/Berlin" or "clock"'
_LAST_DAY: Final = 31
ZONE_CODE, NO_ZONES_CODE = "LK064", "LK065"


class Begins(NamedTuple):
    """When a window begins anew, without the number of days, weeks or months, which is in the rate."""

    unit: Literal["clock", "d", "w", "mo"]
    minute: int = 0
    """Minutes after midnight."""
    day: int = 0
    """Of a week: 0 is Monday. Of a month: 1 to 31."""
    timezone: str = UTC


def parse_resets(text: str) -> Begins:
    """Read ``resets``. Raises ValueError, with fact and remedy, for a text that is none; the zone is not looked up."""
    if text == CLOCK:
        return Begins("clock")
    match = _RESETS.fullmatch(text) if text.isascii() else None
    if match is None:
        if _WITHOUT_ZONE.fullmatch(text):
            raise ValueError(f'"{text}" names no time zone; write one, e.g. "{text} UTC"')
        raise ValueError(f'"{text}" does not say when a window begins anew; {_SAY_WHEN}')
    day, time, zone = match.groups()
    if time_fault(time, last=DAY_MINUTES - 1):
        raise ValueError(f'"{time}" is not a time of the day; write 00:00 to 23:59')
    minute = minutes_of(time)
    if day is None:
        return Begins("d", minute, timezone=zone)
    if day in DAYS:
        return Begins("w", minute, DAYS.index(day), zone)
    if not 1 <= int(day) <= _LAST_DAY:
        raise ValueError(f'"{day}" is not a day of a month; write 1 to {_LAST_DAY}, e.g. "1 {time} {zone}"')
    return Begins("mo", minute, int(day), zone)


def minutes_of(time: str) -> int:
    """Read ``HH:MM`` as minutes after midnight, up to "24:00". Raises ValueError with fact and remedy."""
    match = _TIME.fullmatch(time) if time.isascii() else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else -1
    if match is None or not 0 <= minutes <= DAY_MINUTES or int(match[2]) >= 60:  # noqa: PLR2004 (minutes of an hour)
        raise ValueError(f'"{time}" is not a time of the day; write HH:MM, e.g. "22:00"')
    return minutes


def days_of(said: Iterable[str]) -> frozenset[int]:
    """Read names of days and ranges of them: 0 is Monday; a range may go over Sunday."""
    found: set[int] = set()
    for each in said:
        first, _, last = each.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return frozenset(found)


def resets_fault(text: str) -> tuple[str, str, str] | None:
    """Say what is wrong with ``resets``, as code, fact and hint; None when it is right."""
    try:
        zone = parse_resets(text).timezone
    except ValueError as error:
        fact, _, hint = str(error).replace(f'"{text}"', quote(text), 1).partition("; ")
        return "LK061", fact, hint
    return zone_fault(zone)


def time_fault(text: str, *, last: int) -> tuple[str, str] | None:
    """Say what is wrong with a time of the day, as fact and hint; ``last`` is the last minute that is allowed."""
    with_24 = " or 24:00" if last == DAY_MINUTES else ""
    try:
        right = minutes_of(text) <= last
    except ValueError:
        right = False
    return None if right else (f"{quote(text)} is not a time of the day", f"write 00:00 to 23:59{with_24}")


def day_fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong with a day or a range of days, as fact and hint; None when it is right."""
    if re.fullmatch(DAYS_PATTERN, text):
        return None
    parts = [part.strip().casefold()[:3] for part in text.split("-")]
    if len(parts) <= 2 and all(part in DAYS for part in parts) and not set(text) & set(",;/&+"):  # noqa: PLR2004 - a day, or a range
        return f"{quote(text)} is not a day", f"did you mean {quote('-'.join(parts))}?"
    return f"{quote(text)} is not a day", f'write {listed(DAYS)}, or a range, e.g. "mon-fri"'


def zone_fault(name: str) -> tuple[str, str, str] | None:
    """Say what is wrong with the name of a time zone, as code, fact and hint; None when this machine has it."""
    if _has_zone(name):
        return None
    known = zoneinfo.available_timezones()
    if not known:
        fact = f"this machine has no time zone data, so {quote(name)} can't be looked up"
        return NO_ZONES_CODE, fact, "install it on each worker's machine: pip install tzdata"
    hint = suggest(name, _zones()) or 'write an IANA name, e.g. "America/Los_Angeles", or "UTC"'
    return ZONE_CODE, f"{quote(name)} is not a time zone", hint


@functools.lru_cache(maxsize=256)
def _has_zone(name: str) -> bool:
    if name == UTC:  # needs no data
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # not there; not a name; a folder
        return False
    return True


@functools.cache
def _zones() -> Nearest:
    """Index the zones, once; those of the form Area/City first, since others have the same letters."""
    return Nearest(sorted(zoneinfo.available_timezones(), key=lambda name: ("/" not in name, name)))
