"""Reads what an operator sets at run time: rates, bursts, times, factors; raises OverrideError for what is wrong."""

from __future__ import annotations

import datetime as dt
import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from limitkit.buckets.override import MOST_BURST, OverrideError
from limitkit.config.model.units import parse_duration, parse_rate
from limitkit.config.model.value_errors import not_a_duration, rate_fault

if TYPE_CHECKING:
    from limitkit.config.model.units import Rate

_LONGEST: Final = 366 * 86400.0
"""Seconds."""
_LONGEST_WORDS: Final = 500
_PERCENT: Final = 5
"""From this number on, a factor is probably meant as percent."""
_PART: Final = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)(?:/([1-9][0-9]{0,8}))?( ?%)?", re.ASCII)


def rate(text: object) -> Rate:
    """Read a rate as TOML writes it."""
    if not isinstance(text, str):
        raise OverrideError(f'{text!r} is not a rate; write a number, a slash and s, m, h or d, e.g. "10/s"')
    fault = rate_fault(text)
    if fault is not None:
        raise OverrideError("; ".join(fault).replace('or mode = "off" for no limit', "or pause the limit"))
    return parse_rate(text)


def burst(number: object) -> int | None:
    """Read a burst; None is the declared one."""
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_BURST:
        raise OverrideError(f"a burst of {number!r} is out of range; write a whole number from 1 to {MOST_BURST}")
    return number


def seconds(span: float | dt.timedelta | str | None) -> float | None:
    """Read for how long something holds; None is without an end."""
    if span is None:
        return None
    fault = not_a_duration(span) if isinstance(span, str) else None
    if fault is not None:
        raise OverrideError("; ".join(fault))
    found = parse_duration(span) if isinstance(span, str) else span
    if isinstance(found, dt.timedelta):
        found = found.total_seconds()
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found <= _LONGEST:
        raise OverrideError(f'{span!r} is no time that it could hold for; write more than 0, at most 366 days: "2h"')
    return float(found)


def factor(number: object) -> Fraction:
    """Read the factor for the declared rates."""
    fine = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
    if not fine or not 0 < number <= 1:  # type: ignore[operator] # it is a number
        hint = _meant(str(number)) or "write a number above 0, at most 1: 0.5"
        raise OverrideError(f"a factor of {number!r} is out of range; {hint}")
    return Fraction(str(number))


def _meant(text: str) -> str:
    """Say how to write a factor that was given in another form: ``50%``, ``0,5``, ``1/2``, ``50``."""
    found = _PART.fullmatch(text.strip())
    if found is None:
        return ""
    number, below, percent = found.groups()
    part = float(number.replace(",", ".")) / float(below or 1)
    if part >= _PERCENT and not below:
        part, percent = part / 100, percent or " percent"
    elif percent:
        part /= 100
    return f"for {text.strip().removesuffix(percent or '')}{percent or ''} write {part:g}" if 0 < part <= 1 else ""


def words(what: str, text: object) -> str:
    """Read a name or a reason."""
    if not isinstance(text, str) or len(text) > _LONGEST_WORDS:
        raise OverrideError(f"{what} is no text of at most {_LONGEST_WORDS} characters; shorten it")
    return text
