"""Finds the declared limits that the runs of a play name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.trial.outcome import Run


def declared_limits(rules: Rules, runs: Iterable[Run]) -> dict[str, Limit]:
    """Return the limits of runs by the names that they give them, in the order in which they come.

    A limit that several tasks have may differ between them in what one start costs: the first one is returned.
    """
    found: dict[str, Limit] = {}
    seen: set[tuple[str, str]] = set()
    for run in runs:
        if run.limits and (run.task, run.queue) not in seen:
            seen.add((run.task, run.queue))
            rule = rules.together(run.task, run.queue)
            for limit in rule.limits if rule is not None else ():
                if limit.name in run.limits:
                    found.setdefault(limit.name, limit)
    return found
