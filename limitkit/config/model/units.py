"""Rates and durations as they are written in TOML, and their exact values."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
CALENDAR: Final = {"w": 7 * 86400, "mo": 2_629_746}
"""Units of windows that begin anew by the calendar, in seconds; of a month, the mean of 400 years."""
SLOWEST: Final = Fraction(1, 366 * 86400)
FASTEST: Final = Fraction(100_000)
RATE_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?/([0-9]+)?[smhd]$"
CALENDAR_RATE_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?/([0-9]+)?([smhdw]|mo)$"
"""That of the rates of all limits: a week or a month needs a window that resets."""
DURATION_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"

_LEAST: Final = 0.1
"""A rate lower than this is written in a longer unit."""
_NEARLY: Final = 0.0001
"""How far from a whole number a rate may be: intervals are rounded up to whole microseconds."""

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)/([0-9]+)?([smhdw]|mo)")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens in a period, exactly as declared: ``"10/15m"`` is 10 tokens every 900 seconds."""

    text: str
    tokens: Fraction
    period: Fraction
    """Seconds."""

    @property
    def per_second(self) -> Fraction:
        """Tokens a second."""
        return self.tokens / self.period

    @property
    def interval_us(self) -> int:
        """Microseconds between two tokens, rounded up: a bucket may be slower than declared, never faster."""
        return ceil(1_000_000 / self.per_second)

    @property
    def every(self) -> tuple[int, str]:
        """The period as written: how many, and of which unit."""
        match = _RATE.fullmatch(self.text)
        assert match is not None  # noqa: S101 (a rate is made of a text that matches)
        return int(match[2] or 1), match[3]

    def times(self, part: Fraction) -> Rate:
        """Return a part of this rate, written with the same period; never slower than "1/366d", the slowest one.

        It is rounded down to nine digits after the point.
        """
        number, slash, period = self.text.partition("/")
        digits = Fraction(int(Fraction(number) * part * 10**9), 10**9)
        if not digits or digits / self.period < SLOWEST:
            return parse_rate("1/366d")
        whole, rest = divmod(digits.numerator * 10**9 // digits.denominator, 10**9)
        decimals = f"{rest:09d}".rstrip("0")
        return parse_rate(f"{whole}{f'.{decimals}' if decimals else ''}{slash}{period}", calendar=True)

    def __str__(self) -> str:
        return self.text


def parse_rate(text: str, *, calendar: bool = False) -> Rate:
    """Read a rate such as ``"25/s"``, ``"0.5/s"`` or ``"10/15m"``; with ``calendar`` also ``"10/w"`` and ``"10/mo"``.

    Raises ValueError, with fact and remedy, for a text that is no rate or is out of range (1/366d to 100000/s).
    """
    # What comes from the environment is shown as its variable: it equals the same text from another one.
    return _cached(text, calendar) if type(text) is str else _parsed(text, calendar)


def _parsed(text: str, calendar: bool) -> Rate:  # noqa: FBT001 (a private function)
    match = _RATE.fullmatch(text) if text.isascii() else None
    if match is None or (match[3] in CALENDAR and not calendar):
        raise ValueError(f'"{text}" is not a rate; write a number, a slash and s, m, h or d, e.g. "10/s"')
    number, every, unit = match.groups()
    tokens, period = Fraction(number), Fraction(int(every or 1) * (SECONDS | CALENDAR)[unit])
    if not period:
        raise ValueError(f'"{text}" counts tokens in no time at all; write a period of at least 1, e.g. "10/15m"')
    if not tokens:
        raise ValueError(f'"{text}" would never start a task; write a rate above 0, or mode = "off" for no limit')
    if not SLOWEST <= tokens / period <= FASTEST:
        raise ValueError(f'"{text}" is out of range; write a rate from "1/366d" to "100000/s"')
    return Rate(text, tokens, period)


_cached: Final = functools.lru_cache(maxsize=1024)(_parsed)


def parse_duration(text: str) -> float:
    """Read a duration such as ``"250ms"`` or ``"2h"``; seconds. Raises ValueError with fact and remedy."""
    match = _DURATION.fullmatch(text) if text.isascii() else None
    if match is None:
        raise ValueError(f'"{text}" is not a duration; write a number and ms, s, m, h or d, e.g. "250ms"')
    number, unit = match.groups()
    return float(Fraction(number) * (Fraction(1, 1000) if unit == "ms" else SECONDS[unit]))


def interval_text(interval_us: int) -> str:
    """Write microseconds between two tokens as a rate, in the shortest unit that gives nearly a whole number."""
    for unit, size in SECONDS.items():
        number = 1_000_000 * size / interval_us
        if number >= 1 and abs(number - round(number)) < _NEARLY * number:
            return f"{round(number)}/{unit}"
    seconds = interval_us / 1_000_000
    return f"{1 / seconds:.4g}/s" if seconds <= 1 else f"1/{seconds:.4g}s"


def about(interval_us: int) -> str:
    """Write microseconds between two tokens as a rate of three digits: ``"0.909/s"``."""
    for unit, size in SECONDS.items():
        number = 1_000_000 * size / interval_us
        if number >= _LEAST or unit == "d":
            return f"{number:.3g}/{unit}" if number < 1000 else f"{number:.0f}/{unit}"  # noqa: PLR2004 (three digits)
    raise AssertionError


def duration_text(seconds: float) -> str:
    """Write a duration as TOML would, in the largest unit that needs no decimals: ``"1m"`` for 60.0."""
    milliseconds = round(seconds * 1000)
    for unit, size in reversed(SECONDS.items()):
        if milliseconds % (1000 * size) == 0:
            return f"{milliseconds // (1000 * size)}{unit}"
    return f"{milliseconds}ms"
