"""Finds buckets whose worst minute is over twice what their rate says."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.lints.declared_terms import hides, limits_used, said, terms_of
from limitkit.config.model.units import duration_text
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.config.model.units import Rate
    from limitkit.errors import Problem

WORST_MINUTE: Final = "LK111"
_MINUTE: Final = 60
_NAMES: Final = {60: "minute", 3600: "hour", 86_400: "day"}


def worst_minute(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:  # noqa: ARG001 (as all lints)
    """Find bursts with which more than twice the rate may start in a minute.

    For rates of longer times, that time stands for the minute: in a minute of "50/h" less than one token comes. Where
    starts cost more than one token, a burst may have to be large: those limits are left alone.
    """
    for path, limit in limits_used(config):
        if limit.strategy == "window" or limit.metered:
            continue
        of_each = f" for each value of {limit.key}" if limit.key else ""
        for terms in terms_of(path, limit):
            seconds = stretch(terms.rate)
            declared = terms.rate.per_second * seconds
            most = floor(terms.burst + declared)
            if most <= 2 * declared:
                continue
            when = f"in its worst {_NAMES.get(int(seconds)) or duration_text(float(seconds))}"
            largest = floor(2 * declared) - floor(declared)
            fact = f"{when} {most} tasks may start{of_each}, and {quote(terms.rate.text)} says {number(declared)}"
            hint = f"write a burst of {largest} or less, or a higher rate"
            if hides(config, terms.path):
                fact = f"in its worst minute, or one period of a longer rate, over twice the rate may start{of_each}"
                hint = "write a smaller burst, or a higher rate"
            key = "burst" if said(config, (*terms.path, "burst")) is not None else "rate"
            yield config.document.problem(WORST_MINUTE, (*terms.path, key), fact, hint, severity="warning")


def stretch(rate: Rate) -> Fraction:
    """Return the time in which the most starts are counted: a minute, or the rate's own time if that is longer."""
    return max(Fraction(_MINUTE), rate.period, 1 / rate.per_second)


def number(value: Fraction) -> str:
    """Write a number, with some digits after the point where it is not whole."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.6g}"
