"""Finds the declared limits that the runs of a play name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.trial.outcome import Run


def declared_limits(rules: Rules, runs: Iterable[Run]) -> dict[str, Limit]:
    """Return the limits of runs by the names that they give them, as ``status`` shows them: ``limits.api``."""
    names = dict.fromkeys(name for run in runs for name in run.limits)
    found = {name: _declared(rules, name) for name in names}
    return {name: limit for name, limit in found.items() if limit is not None}


def _declared(rules: Rules, shown: str) -> Limit | None:
    section, _, name = shown.partition(".")
    if section == "limits":
        return rules.named.get(name)
    entry = next((each for each in (*rules.exact.values(), *rules.patterns) if each.pattern == name), None)
    rule = entry if entry is not None else rules.for_task(name)
    return next((limit for limit in rule.limits if limit.own), None) if rule is not None else None
