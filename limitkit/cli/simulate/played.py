"""What ``simulate`` shows: a play, and what came of it."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from limitkit.trial.declared_limits import declared_limits
from limitkit.trial.figures import figures_of
from limitkit.trial.scenario import SetOverride

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.trial.figures import Figures, Row
    from limitkit.trial.outcome import Outcome, Run
    from limitkit.trial.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Played:
    """A play with its figures."""

    source: str
    """The file that says what is sent, as it was given."""
    traced: bool
    """Whether that is a recording."""
    path: str
    """The config's."""
    seed: int
    scenario: Scenario
    outcome: Outcome
    limits: Mapping[str, Limit]
    """By the names that runs give them."""
    figures: Figures

    @property
    def end(self) -> float:
        """When the last message had begun; if some still wait, when the play ended."""
        drained = self.figures.whole.drained_at
        return drained if drained is not None else self.figures.ended

    def busiest(self, most: int) -> list[Row]:
        """Return the limits for which most waits at once, or has started; the row of all where there is no limit."""
        rows = sorted(self.figures.limits, key=lambda row: (-row.backlog.most, -row.started))
        return rows[:most] or [self.figures.whole]

    def changes(self, name: str) -> bool:
        """Whether an operator changes a limit while this is played."""
        faults = [fault for fault in self.scenario.faults if isinstance(fault, SetOverride)]
        return any(fnmatchcase(name, fault.override.target.name) for fault in faults)

    def runs_of(self, row: Row) -> list[Run]:
        """Return the runs that the row of a limit, or of all, counts."""
        if row is self.figures.whole:
            return self.outcome.runs
        return [run for run in self.outcome.runs if row.name in run.limits]

    def level(self, row: Row) -> float | None:
        """Return the starts a second that are declared for all buckets of a limit; None where nobody can say that."""
        limit = self.limits.get(row.name)
        if limit is None or limit.per_second is None or limit.metered or (limit.key is not None and row.buckets > 1):
            return None
        return limit.per_second * (self.scenario.workers if limit.local else 1)


def played(
    outcome: Outcome, rules: Rules, scenario: Scenario, *, source: str, traced: bool = False, seed: int = 0
) -> Played:
    """Reckon the figures of a play."""
    collects = gc.isenabled()
    gc.disable()  # nearly all that is made stays, and what was played is large to look through
    try:
        limits = declared_limits(rules, outcome.runs)
        figures = figures_of(outcome, limits)
    finally:
        if collects:
            gc.enable()
    return Played(source, traced, rules.path, seed, scenario, outcome, limits, figures)
