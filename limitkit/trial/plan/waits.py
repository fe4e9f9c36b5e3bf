"""How long tasks wait before and after, if the same messages come: both files are played, with the same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from limitkit.trial.figures import figures_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.config.rules import Rules
    from limitkit.trial.figures import Row
    from limitkit.trial.outcome import Outcome
    from limitkit.trial.scenario import Scenario

    Play = Callable[[Rules, Scenario], Outcome]


class Waited(NamedTuple):
    """The figures of one task before and after."""

    task: str
    before: Row
    after: Row


def waits(old: Rules, new: Rules, scenario: Scenario, play: Play) -> tuple[Waited, ...]:
    """Play a scenario under both files; ``play`` plays it under one, always with the same seed.

    Tasks come in the order of their first messages.
    """
    scenario = replace(scenario, arrivals=tuple(scenario.arrivals))  # an iterator could be played once alone
    before, after = (figures_of(play(rules, scenario), {}) for rules in (old, new))
    now = {row.name: row for row in after.tasks}
    return tuple(Waited(row.name, row, now[row.name]) for row in before.tasks)
