"""Rates as Celery, its helpers and the patterns write them, as rates of the file: exactly as much, or an error."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from limitkit.adopt.literals import shown
from limitkit.config.model.units import SECONDS, parse_rate
from limitkit.config.wording import quote

MOST_BURST: Final = 1_000_000
_PLAIN: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_THROTTLE: Final = re.compile(r"(\d+)/(\d+)([smh])(?::(\d+))?", re.ASCII)


class NoRateError(Exception):
    """A value that is no rate of the file; the text says why."""


def of_celery(value: Any) -> str | None:
    """Turn a task's ``rate_limit`` into a rate; None where Celery reads it as no limit. A number counts seconds.

    As ``celery.utils.time.rate`` reads it: what stands before the slash is a Python number, behind it s, m or h.
    Raises NoRateError.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal, Fraction)):
        raise NoRateError(f"{shown(value)} is not a rate")
    number, slash, unit = value.partition("/") if isinstance(value, str) else (value, "", "")
    if slash and unit and unit not in {"s", "m", "h"}:
        raise NoRateError(f"Celery can't read {shown(value)}")
    tokens = _number(number)
    if not tokens:
        return None
    if isinstance(number, str) and _PLAIN.fullmatch(number.strip()):
        return checked(f"{number.strip()}/{unit or 's'}")
    return checked(written(tokens, SECONDS[unit or "s"]))


def of_numbers(tokens: Any, seconds: Any = 1) -> str:
    """Write a number of tokens in so many seconds as a rate. Raises NoRateError."""
    if isinstance(tokens, bool) or isinstance(seconds, bool):
        raise NoRateError("it is not a number")
    period = _number(seconds)
    if not period:
        raise NoRateError("it counts in no time at all")
    return checked(written(_number(tokens), period))


def of_users(value: Any) -> tuple[str, int]:
    """Turn the patterns page's ``user_rate_limit`` into rate and burst: that many may start at once.

    Raises NoRateError.
    """
    match = re.fullmatch(r"\s*([0-9]+)/([smh])", value) if isinstance(value, str) else None
    if match is None:
        raise NoRateError(f'{shown(value)} is not written as "10/m"')
    return checked(f"{match[1]}/{match[2]}"), burst(int(match[1]))


def of_throttle(value: Any) -> tuple[str, int]:
    """Turn celery-throttle's ``"10/5m:3"`` into rate and burst. Raises NoRateError."""
    match = _THROTTLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise NoRateError(f'{shown(value)} is not written as "10/1m" or "10/1m:5"')
    return of_numbers(int(match[1]), int(match[2]) * SECONDS[match[3]]), burst(int(match[4] or 1))


def burst(value: Any) -> int:
    """Return a whole number of tokens that a bucket may hold. Raises NoRateError."""
    number = _number(value)
    if isinstance(value, bool) or number.denominator != 1 or not 1 <= number <= MOST_BURST:
        raise NoRateError(f"a burst of {shown(value)} is not a whole number from 1 to {MOST_BURST}")
    return int(number)


def written(tokens: Fraction, seconds: Fraction | int) -> str:
    """Write tokens in so many seconds as a rate: in one unit if that is exact, else over a whole period."""
    period = Fraction(seconds)
    if period.denominator != 1:
        tokens, period = tokens * period.denominator, Fraction(period.numerator)
    text = _decimal(tokens)
    if text is None:
        tokens, period = Fraction(tokens.numerator), period * tokens.denominator
        text = str(tokens)
    for unit, size in reversed(SECONDS.items()):
        if period % size == 0:
            many = period // size
            return f"{text}/{many if many > 1 else ''}{unit}"
    raise AssertionError


def checked(text: str) -> str:
    """Return a rate of the file. Raises NoRateError when it is out of its range."""
    try:
        return parse_rate(text).text
    except ValueError as error:
        raise NoRateError(str(error).partition(";")[0]) from None


def _decimal(number: Fraction) -> str | None:
    """Write a number with all its digits; None where it has no end."""
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return None
    digits = max(len(str(number.denominator)) * 4, 1)
    whole, part = divmod(number.numerator * 10**digits // number.denominator, 10**digits)
    decimals = f"{part:0{digits}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def _number(value: Any) -> Fraction:
    """Read a number as Python's ``float`` does, but keep all digits."""
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else value
        fraction = Fraction(number)
    except (InvalidOperation, ValueError, OverflowError, TypeError):
        raise NoRateError(f"{shown(value)} is not a number") from None
    if fraction < 0:
        raise NoRateError(f"{quote(str(value))} is negative")
    if fraction and not Fraction(1, 10**12) < fraction < 10**12:
        raise NoRateError(f"{quote(str(value))} is out of range")
    return fraction
