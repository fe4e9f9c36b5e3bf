"""What is in force for each limit of a file: what it declares, or what somebody has set over that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from limitkit.config.model.units import interval_text
from limitkit.control.targets import all_of

if TYPE_CHECKING:
    from limitkit.buckets.override import Override, Target
    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.control.in_force import InForce, Source


@dataclass(frozen=True, slots=True)
class Current:
    """What is in force for one limit, and what its file declares."""

    target: Target
    limit: Limit
    rate: str
    """As in TOML; ``paused`` while it is."""
    burst: int
    source: Source
    override: Override | None
    """The rate, or the pause, that stands over the declared rate."""


def current(rules: Rules, in_force: InForce) -> tuple[Current, ...]:
    """Return what is in force for each limit of a file; one task of a pattern may have an override of its own."""
    found = [current_of(in_force, target, limit, target.name) for target, limit in all_of(rules)]
    apart = {override.target for override in in_force.overrides} - {each.target for each in found}
    for target in sorted(apart, key=str):
        rule = rules.for_task(target.name) if target.section == "tasks" and "*" not in target.name else None
        if rule is not None:
            own = [limit for limit in rule.limits if limit.own and limit.mode != "off"]
            found += [current_of(in_force, target, limit, rule.pattern) for limit in own]
    return tuple(found)


def current_of(in_force: InForce, target: Target, limit: Limit, pattern: str) -> Current:
    """Return what is in force for a limit that a task has by this entry."""
    terms = in_force.terms(limit, pattern)
    over = in_force.override("pause", limit, pattern) or in_force.override("rate", limit, pattern)
    rate = "paused" if not terms.burst else limit.rate.text
    if terms.burst and terms.source != "file":
        rate = over.rate.text if over is not None and over.rate else interval_text(terms.interval_us)
    return Current(target, limit, rate, terms.burst, terms.source, over)
