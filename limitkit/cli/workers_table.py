"""Adds up, for several workers, the limits that each worker keeps for itself: ``limitkit validate --workers``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.cli.output import say
from limitkit.cli.table_width import as_wide_as_the_terminal
from limitkit.config.lints.static_sums import times
from limitkit.config.wording import count, dotted

if TYPE_CHECKING:
    from limitkit.config.declared import Limit
    from limitkit.config.load import Config


def add_up(config: Config, workers: tuple[int, int], *, err: bool) -> None:
    """Say what limits that each worker keeps for itself (static, scope = "worker") add up to in all workers.

    With ``err`` it goes to standard error, since standard output is for programs.
    """
    own = [
        (dotted(("tasks", entry.pattern)) + (" (each task)" if "*" in entry.pattern else ""), limit)
        for entry in [*config.rules.exact.values(), *config.rules.patterns]
        for limit in entry.limits
        if limit.own
    ]
    named = [(dotted(("limits", name)), limit) for name, limit in config.rules.named.items()]
    kept = [(name, limit) for name, limit in named + own if limit.local and limit.mode != "off"]
    static = sorted(kept, key=lambda pair: pair[1].line)
    if not static:
        say(f"{config.path} has no static limit in force: nothing to add up", err=err)
        return
    fleets = sorted(set(workers))
    together = [f"in {count(number, 'worker')}" for number in fleets]
    rows = [
        (name, *_in(limit, 1), *(cell for number in fleets for cell in _in(limit, number))) for name, limit in static
    ]
    headings = ("static limit", "in each worker", "burst", *(each for name in together for each in (name, "burst")))
    first = ("static limit", *together, "in each worker", "burst")
    say(*as_wide_as_the_terminal(headings, rows, numbers=headings[1:], first=first), err=err)


def _in(limit: Limit, workers: int) -> tuple[str, str]:
    """Write what a limit of each worker admits in so many of them, and its burst."""
    if limit.rate is None:
        return f"{limit.max_running * workers} at once", "-"
    return limit.rate_text if workers == 1 else times(limit.rate, workers), str(limit.burst * workers)
