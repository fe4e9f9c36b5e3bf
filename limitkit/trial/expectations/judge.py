"""Judges expectations by the outcome of a play."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.config.model.units import duration_text
from limitkit.config.wording import count
from limitkit.trial.expectations import waits
from limitkit.trial.expectations.expectation import (
    MICROSECONDS,
    DrainedBy,
    Failure,
    Least,
    Most,
    StartedWithin,
    in_us,
)
from limitkit.trial.expectations.starts_around import starts_around, starts_of
from limitkit.trial.expectations.windows import emptiest, fullest, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.trial.expectations.expectation import Expectation, Subject
    from limitkit.trial.outcome import Outcome, Run


def judge(expectation: Expectation, outcome: Outcome) -> Failure | None:
    """Say how an expectation has failed; None when it holds."""
    subject, rule = expectation.subject, expectation.rule
    runs = [run for run in outcome.runs if subject.has(run)]
    if isinstance(rule, Most):
        return most(subject, rule, runs)
    if isinstance(rule, Least):
        return least(subject, rule, runs, outcome)
    if isinstance(rule, StartedWithin):
        return waits.started_within(subject, rule, runs, outcome)
    if isinstance(rule, DrainedBy):
        return waits.drained_by(subject, rule, runs, outcome)
    return waits.lost(subject, rule, runs, outcome)


def most(subject: Subject, rule: Most, runs: Sequence[Run]) -> Failure | None:
    """Judge whether no window has more starts; each start counts, a second one of a message too."""
    times = _times(runs)
    found = fullest(times, in_us(rule.seconds))
    if found is None or found.starts <= rule.starts:
        return None
    span = duration_text(rule.seconds)
    expected = f"at most {count(rule.starts, 'start')} of {subject} in any {span}"
    window = times[found.first : found.first + found.starts]
    happened = f"{found.starts} happened from {_at(window[0])} to {_at(window[-1])}"
    at = window[rule.starts] / MICROSECONDS
    shown, more = starts_of(runs, window[0], window[-1])
    return Failure(expected, happened, at, shown, (window[0] / MICROSECONDS, window[-1] / MICROSECONDS), more)


def least(subject: Subject, rule: Least, runs: Sequence[Run], outcome: Outcome) -> Failure | None:
    """Judge whether no window has fewer starts, among those in which something waits all the time.

    A message waits from its sending to its first start; one that never starts, until the play ends, or until it was
    dropped. Lost ones wait for nothing. Where no backlog is as long as a window, all that waited has started sooner,
    and the expectation holds.
    """
    times, width = _times(runs), in_us(rule.seconds)
    found = emptiest(times, merged(_waiting(runs, outcome)), width)
    if found is None or found.starts >= rule.starts:
        return None
    expected = (
        f"at least {count(rule.starts, 'start')} of {subject} in any {duration_text(rule.seconds)} with a backlog"
    )
    happened = f"{found.starts or 'none'} happened from {_at(found.begin)} to {_at(found.begin + width)}"
    at = found.begin / MICROSECONDS
    return Failure(expected, happened, at, starts_around(outcome.runs, at))


def _times(runs: Sequence[Run]) -> list[int]:
    return sorted(in_us(at) for run in runs for at in run.starts)


def _waiting(runs: Sequence[Run], outcome: Outcome) -> Iterator[tuple[int, int]]:
    """Go through the spans in which a message waits."""
    for run in runs:
        if run.starts:
            over: float | None = run.starts[0]
        elif run.fate == "waiting":
            over = outcome.ended
        else:
            over = None if run.fate == "lost" else run.ended
        if over is not None:
            yield in_us(run.sent), in_us(over)


def _at(time: int) -> str:
    return f"{time / MICROSECONDS:.3f}s"
