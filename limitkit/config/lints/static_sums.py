"""Finds static limits in a fleet that grows and shrinks: each worker has its own, so what they admit grows with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.config.lints.declared_terms import hides, limits_used
from limitkit.config.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.load import Config
    from limitkit.config.model.units import Rate
    from limitkit.errors import Problem

GROWS_WITH_WORKERS: Final = "LK114"


def static_sums(config: Config, workers: tuple[int, int]) -> Iterator[Problem]:
    """Find static limits, where the number of workers may change."""
    least, most = workers
    if least == most:
        return
    for path, limit in limits_used(config):
        if limit.strategy != "static" or limit.rate is None:
            continue
        fact = f"each worker has this limit for itself, so {count(most, 'worker')} start more than {least}"
        if not hides(config, path):
            sums = [_sum(limit.rate, number) for number in workers]
            fact = f"each worker has this limit for itself: {' and '.join(sums)}"
        hint = 'write strategy = "token_bucket" for one rate in all of them'
        yield config.document.problem(GROWS_WITH_WORKERS, (*path, "rate"), fact, hint, severity="warning")


def _sum(rate: Rate, workers: int) -> str:
    return (
        f"1 worker starts {rate.text}" if workers == 1 else f"{workers} workers start {times(rate, workers)} together"
    )


def times(rate: Rate, workers: int) -> str:
    """Write a rate times so many workers: exact, over the same period."""
    tokens = rate.tokens * workers
    digits = len(str(rate.tokens.denominator))  # a decimal part's denominator divides a power of ten
    number = str(tokens.numerator) if tokens.denominator == 1 else f"{float(tokens):.{digits + 6}f}".rstrip("0")
    return f"{number}/{rate.text.partition('/')[2]}"
