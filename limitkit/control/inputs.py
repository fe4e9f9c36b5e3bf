"""Reads what an operator sets at run time: rates, bursts, times, factors; raises OverrideError for what is wrong."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.named_partition import is_digest, named
from limitkit.buckets.override import MOST_BURST, MOST_RUNNING, OverrideError, is_weight
from limitkit.config.model.units import parse_duration, parse_rate
from limitkit.config.model.value_errors import not_a_duration, rate_fault
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.buckets.override import Target
    from limitkit.config.declared import Limit
    from limitkit.config.model.units import Rate

_LONGEST: Final = 366 * 86400.0
"""Seconds."""
_LONGEST_WORDS: Final = 500
_LONGEST_SHOWN: Final = 200
"""Characters of a partition that are kept in clear."""
_PERCENT: Final = 5
"""From this number on, a factor is probably meant as percent."""
_DIGITS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_PART: Final = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)(?:/([1-9][0-9]{0,8}))?( ?%)?", re.ASCII)


def rate(text: object) -> Rate:
    """Read a rate as TOML writes it."""
    if not isinstance(text, str):
        raise OverrideError(f'{text!r} is not a rate; write a number, a slash and s, m, h or d, e.g. "10/s"')
    fault = rate_fault(text)
    if fault is not None:
        raise OverrideError("; ".join(fault).replace('or mode = "off" for no limit', "or pause the limit"))
    return parse_rate(text)


def terms(target: Target, limit: Limit, said: object) -> tuple[Rate | None, int | None]:
    """Read what a limit is set to: a rate; for a concurrency limit, how many may run. The other of the two is None."""
    if limit.strategy == "concurrency":
        return None, _running(target, said)
    found = rate(said)
    if limit.strategy == "window":
        _fits_window(target, limit, found)
    return found, None


def _running(target: Target, said: object) -> int:
    number = int(said) if isinstance(said, str) and _DIGITS.fullmatch(said) else said
    if isinstance(number, bool) or not isinstance(number, int):
        whole = f"give a whole number, e.g. limitkit set {target.name} 5"
        raise OverrideError(f"{target} counts running tasks, and has no rate; {whole}")
    if not 1 <= number <= MOST_RUNNING:
        raise OverrideError(
            f"{number} at once is out of range; write a whole number from 1 to {MOST_RUNNING}, or pause it"
        )
    return number


def _fits_window(target: Target, limit: Limit, found: Rate) -> None:
    """Refuse a rate that a window can't have."""
    if found.tokens.denominator != 1:
        tokens, (every, unit) = found.tokens, found.every
        longer = f"{tokens.numerator}/{every * tokens.denominator}{unit}"
        shorter = f"{max(1, int(tokens))}/{found.text.partition('/')[2]}"
        raise OverrideError(
            f"{target} is a window and counts whole starts, and {quote(found.text)} has a part of one; "
            f"write {quote(longer if limit.resets is None else shorter)}"
        )
    if limit.resets is not None and limit.rate is not None and found.period != limit.rate.period:
        declared = limit.rate.text.partition("/")[2]
        raise OverrideError(
            f"{target} resets {quote(limit.resets.text)}, so its number is for that time, and {quote(found.text)} is "
            f"for another; write {found.tokens}/{declared}"
        )


def burst_of(target: Target, limit: Limit, number: object) -> int | None:
    """Read the burst of a limit; None is the declared one. Windows and concurrency limits have none."""
    if number is not None and limit.strategy in ("window", "concurrency"):
        raise OverrideError(f"{target} has no burst, since it is a {limit.strategy} limit; leave the burst out")
    return burst(number)


def partition(target: Target, limit: Limit, said: object) -> Target:
    """Return the target of one partition of a limit.

    It is a value of the limit's key; a text also means a number written so, or the digest that the store has.
    """
    if limit.key is None:
        raise OverrideError(f"{target} has one bucket for all, and no partitions; leave the partition out")
    return partition_of(target, said, len(limit.key.parts))


def partition_of(target: Target, said: object, parts: int = 1) -> Target:
    """Return the target of one partition; with a key of several parts it is a list, or its JSON."""
    if is_digest(said):
        return replace(target, partition=str(said))
    is_text = isinstance(said, (str, int)) and not isinstance(said, bool)
    shown = str(said) if is_text and len(str(said)) <= _LONGEST_SHOWN else ""
    return replace(target, partition=named(said, parts).digest, shown=shown)


def weights(target: Target, limit: Limit, said: Mapping[Any, object]) -> dict[Target, float]:
    """Read the weights of values of ``fair_by``."""
    if limit.fair_by is None:
        raise OverrideError(f"{target} has no fair_by, so nobody takes turns there; declare fair_by first")
    found: dict[Target, float] = {}
    for value, weight in said.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not is_weight(weight):
            raise OverrideError(f"a weight of {weight!r} is out of range; write a number above 0, e.g. 3")
        found[partition_of(target, value, len(limit.fair_by.parts))] = float(weight)
    return found


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
