"""What ``reduce`` makes of a limit: a part of what its file declares."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Target
from limitkit.config.declared import ShareTerms
from limitkit.config.model.units import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.declared import Limit

Reduced = tuple[Target, "Rate | None", "int | None"]
"""What for, its rate, and how many may run: one of the two is None."""


def reduced(target: Target, limit: Limit, part: Fraction) -> Iterator[Reduced]:
    """Yield what a limit has when it is reduced, then its partitions that have terms of their own.

    An override wins over a schedule. So of several rates a part of the lowest holds: none gets faster by it.
    """
    own = ShareTerms(limit.rate, None, limit.max_running)
    yield (target, *_part(limit, [own, *(each.terms for each in limit.schedule)], part))
    parts = len(limit.key.parts) if limit.key is not None else 1
    for name, terms in limit.partitions.items():
        of = replace(target, partition=named(name, parts).digest, shown=name)
        whole = ShareTerms(terms.rate or limit.rate, None, terms.max_running or limit.max_running)
        yield (of, *_part(limit, [whole], part))


def _part(limit: Limit, declared: list[ShareTerms], part: Fraction) -> tuple[Rate | None, int | None]:
    if limit.strategy == "concurrency":
        return None, max(1, int(min(each.max_running for each in declared if each.max_running) * part))
    rate = min((each.rate for each in declared if each.rate is not None), key=lambda rate: rate.per_second)
    if limit.strategy != "window":
        return rate.times(part), None
    number = max(1, int(rate.tokens * part))
    return Rate(f"{number}/{rate.text.partition('/')[2]}", Fraction(number), rate.period), None
