"""The limits that a file uses, where each stands, and the terms that may be in force for it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from limitkit.config.checks.declared_limits import table_of
from limitkit.config.model.env_values import names_variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.config.model.units import Rate
    from limitkit.config.rules import Entry, QueueRule
    from limitkit.config.wording import Path


class Terms(NamedTuple):
    """A rate and a burst that hold at some time, for some values, and the table that says so."""

    path: Path
    rate: Rate
    burst: int


def entries(config: Config) -> list[Entry]:
    """Return all task entries, in the order of the file."""
    rules = config.rules
    return sorted([*rules.exact.values(), *rules.patterns], key=lambda entry: entry.order)


def places(config: Config) -> list[Entry | QueueRule]:
    """Return all places where the file says which limits hold: of tasks, then of queues."""
    rules = config.rules
    return [*entries(config), *rules.queues.values(), *rules.queue_patterns]


def limits_used(config: Config) -> Iterator[tuple[Path, Limit]]:
    """Go through the limits that are not off, each once, with the path to its table."""
    used = {limit.name for place in places(config) for limit in place.limits if not limit.own}
    named = ((("limits", name), limit) for name, limit in config.rules.named.items() if name in used)
    own = ((("tasks", entry.pattern), limit) for entry in entries(config) for limit in entry.limits if limit.own)
    return (pair for pair in chain(named, own) if pair[1].mode != "off")


def terms_of(path: Path, limit: Limit) -> Iterator[Terms]:
    """Go through the terms of a limit, its partitions and its schedule; none of a concurrency limit."""
    if limit.rate is None:
        return
    yield Terms(path, limit.rate, limit.burst)
    parts = ((*path, "partitions", name) for name in limit.partitions)
    times = ((*path, "schedule", index) for index in range(len(limit.schedule)))
    others = [*limit.partitions.values(), *(each.terms for each in limit.schedule)]
    for where, terms in zip(chain(parts, times), others, strict=True):
        burst = limit.burst if terms.burst is None else terms.burst
        yield Terms(where, terms.rate or limit.rate, burst)


def said(config: Config, path: Path) -> object:
    """Return what the file has at a path, with the names of variables in place of their values; None for nothing."""
    at: object = config.document.data
    for part in path:
        if isinstance(part, int):
            at = at[part] if isinstance(at, list) and part < len(at) else None
        else:
            at = table_of(at).get(part)
    return at


def hides(config: Config, path: Path) -> bool:
    """Whether a limit, or terms of it, have a number from the environment, so that no figure made of it is shown."""
    tables = [table_of(said(config, path)), table_of(said(config, path[:2]))]
    return any(names_variable(value) for table in tables for value in table.values())
