"""Plays cases, and judges what comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from limitkit.trial.expectations.judge import judge

if TYPE_CHECKING:
    from limitkit.config.rules import Rules
    from limitkit.trial.expectations.expectation import Expectation, Failure
    from limitkit.trial.outcome import Outcome
    from limitkit.trial.scenario import Scenario
    from limitkit.trial.test_file.read import Case


class Play(Protocol):
    """What plays a scenario: ``limitkit.trial.play.play``."""

    def __call__(self, rules: Rules, scenario: Scenario, *, seed: int = 0, app: Any = None) -> Outcome:
        """Play it to its end."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case."""

    case: Case
    seed: int
    seconds: float
    """Of the virtual clock."""
    messages: int
    starts: int
    failures: tuple[tuple[Expectation, Failure], ...] = ()
    warnings: tuple[str, ...] = field(default=())
    """What workers have logged as warnings or errors."""

    @property
    def held(self) -> bool:
        """Whether all that was expected has come so."""
        return not self.failures


def run(case: Case, play: Play, *, seed: int | None = None, app: Any = None) -> Result:
    """Play a case, and judge it; ``seed`` is used in the place of its own."""
    chosen = case.seed if seed is None else seed
    outcome = play(case.config.rules, case.scenario(), seed=chosen, app=app)
    judged = [(each, judge(each, outcome)) for each in case.expectations]
    return Result(
        case,
        chosen,
        outcome.ended,
        len(outcome.runs),
        sum(len(each.starts) for each in outcome.runs),
        tuple((each, failure) for each, failure in judged if failure is not None),
        tuple(outcome.warnings),
    )
