"""What is in force for each limit of a file now, for people: as commands show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.declared import terms_text
from limitkit.config.model.units import interval_text
from limitkit.control.targets import all_of

if TYPE_CHECKING:
    from limitkit.buckets.override import Override, Target
    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.control.in_force import InForce, Source, Terms


@dataclass(frozen=True, slots=True)
class Current:
    """What is in force for one limit, or one partition of it, and what its file declares."""

    target: Target
    limit: Limit
    rate: str
    """As in TOML, or ``paused``; of a concurrency limit ``3 at once``."""
    burst: int
    source: Source
    override: Override | None
    """The rate, or the pause, that replaces what is declared."""
    until: float | None = None
    """When it ends (seconds since 1970), if that is known: an override's, or a schedule's."""

    @property
    def text(self) -> str:
        """What it admits, for people: ``25/s, burst 100``; ``paused``."""
        return terms_text(self.limit.strategy, self.rate, self.burst)


def current(rules: Rules, in_force: InForce) -> tuple[Current, ...]:
    """Return what is in force for each limit of a file.

    Tasks of a pattern, and partitions, follow where they have an override of their own.
    """
    limits = dict(all_of(rules))
    found = [current_of(in_force, target, limit, target.name) for target, limit in limits.items()]
    posted = {override.target: override for override in in_force.overrides if override.kind != "weight"}
    for target in sorted(posted.keys() - limits.keys(), key=str):
        whole, partition = target.whole, target.partition or None
        if whole in limits:
            found.append(current_of(in_force, target, limits[whole], whole.name, partition))
            continue
        rule = rules.for_task(target.name) if target.section == "tasks" and "*" not in target.name else None
        if rule is not None:
            own = [limit for limit in rule.limits if limit.own and limit.mode != "off"]
            found += [current_of(in_force, target, limit, rule.pattern, partition) for limit in own]
    return tuple(found)


def current_of(in_force: InForce, target: Target, limit: Limit, pattern: str, partition: str | None = None) -> Current:
    """Return what is in force for a limit that a task has by this entry, or for a partition (its digest)."""
    terms = in_force.terms(limit, pattern, partition)
    over = in_force.override("pause", limit, pattern, partition)
    over = over or in_force.override("rate", limit, pattern, partition)
    return Current(target, limit, _rate(limit, terms, over), terms.burst, terms.source, over, terms.until)


def _rate(limit: Limit, terms: Terms, over: Override | None) -> str:
    if not terms.burst:
        return "paused"
    if terms.source == "file":
        return limit.rate_text
    if terms.source == "override" and over is not None:
        return over.terms
    return rate_of(limit, terms)


def rate_of(limit: Limit, terms: Terms) -> str:
    """Write the rate of terms that are in force; that of a window by its own time; ``3 at once``."""
    if limit.strategy == "concurrency":
        return f"{terms.burst} at once"
    if limit.strategy == "window" and terms.period_us:
        return window_rate(limit, terms.burst, terms.period_us)
    return interval_text(terms.interval_us)


def window_rate(limit: Limit, most: int, period_us: int) -> str:
    """Write the rate of a window, its time as declared if it is still the same: a month has no other name."""
    rate = limit.rate
    if rate is not None and round(rate.period * MICROSECONDS) == period_us:
        return f"{most}/{rate.text.partition('/')[2]}"
    return f"{most}/{period_text(period_us)}"


def period_text(period_us: int) -> str:
    """Write a window's time as a rate does, without a needless 1: ``5s``, ``d``."""
    seconds = max(1, round(period_us / 1_000_000))
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size if seconds != size else ''}{unit}"


_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
