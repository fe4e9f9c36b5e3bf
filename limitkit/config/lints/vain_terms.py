"""Finds partitions and weights that say what holds without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.lints.declared_terms import hides, limits_used
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.declared import Limit, ShareTerms
    from limitkit.config.load import Config
    from limitkit.config.model.units import Rate
    from limitkit.errors import Problem

VAIN_PARTITION: Final = "LK118"
VAIN_WEIGHTS: Final = "LK119"


def vain_partitions(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:  # noqa: ARG001 (as all lints)
    """Find partitions whose terms are those of their limit; with a schedule they would still be different at times."""
    for path, limit in limits_used(config):
        for name, terms in limit.partitions.items() if not limit.schedule else ():
            where = (*path, "partitions", name)
            if _the_same(limit, terms) and not hides(config, where):
                fact = f"these are the terms of the limit itself, which {quote(name)} would have without them, too"
                hint = "write what is different, or take it out"
                yield config.document.problem(VAIN_PARTITION, where, fact, hint, at="key", severity="warning")


def _the_same(limit: Limit, terms: ShareTerms) -> bool:
    numbers = ((terms.burst, limit.burst), (terms.max_running, limit.max_running))
    return _alike(terms.rate, limit.rate) and all(number in (None, holds) for number, holds in numbers)


def _alike(said: Rate | None, holds: Rate | None) -> bool:
    return said is None or (holds is not None and (said.tokens, said.period) == (holds.tokens, holds.period))


def vain_weights(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:  # noqa: ARG001 (as all lints)
    """Find weights that are all 1, which each value has without them."""
    for path, limit in limits_used(config):
        weights = list(limit.weights.values())
        if weights and all(weight == 1 for weight in weights) and not hides(config, (*path, "weights")):
            fact = "all of these weights are 1, which each value has without them, so they change nothing"
            hint = "write above 1 for who gets more turns, and below 1 for who gets fewer, or take them out"
            yield config.document.problem(VAIN_WEIGHTS, (*path, "weights"), fact, hint, at="key", severity="warning")
