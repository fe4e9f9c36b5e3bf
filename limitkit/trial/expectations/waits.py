"""What is expected of each message: that it starts in time, that all have started by then, that none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.config.model.units import duration_text
from limitkit.config.wording import count
from limitkit.trial.expectations.expectation import Failure, in_us
from limitkit.trial.expectations.starts_around import starts_around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.trial.expectations.expectation import DrainedBy, Lost, StartedWithin, Subject
    from limitkit.trial.outcome import Outcome, Run

_FATES = {"dropped": "was dropped", "failed": "failed without starting", "lost": "was lost"}


def started_within(subject: Subject, rule: StartedWithin, runs: Sequence[Run], outcome: Outcome) -> Failure | None:
    """Judge whether each message has started in time.

    One that was dropped, failed or was lost has not. One that still waits when the play ends, and whose time is not
    over then, is not judged.
    """
    bound, ended = in_us(rule.seconds), in_us(outcome.ended)
    late = [run for run in runs if _waited(run, ended) > bound or (run.started is None and run.fate in _FATES)]
    if not late:
        return None
    first, longest = late[0], max(late, key=lambda run: _waited(run, ended))
    happened = f"{len(late)} of {len(runs)} did not: {_story(first, outcome)}"
    if longest is not first:
        happened += f"; the longest wait was {_seconds(_waited(longest, ended) / 1e6)}, of message {longest.number}"
    expected = f"each message of {subject} to start within {duration_text(rule.seconds)}"
    at = first.sent + rule.seconds
    return Failure(expected, happened, at, starts_around(outcome.runs, at))


def drained_by(subject: Subject, rule: DrainedBy, runs: Sequence[Run], outcome: Outcome) -> Failure | None:
    """Judge whether none waits any more at a time.

    Each has started by then, however often, or it was dropped or has failed. A lost one has not. When the play ends
    before, and something still waits, it does not hold.
    """
    bound = in_us(rule.seconds)
    late = [run for run in runs if _still_waits(run, bound)]
    if not late:
        return None
    never = [run for run in late if run.started is None]
    happened = f"{len(late)} of {len(runs)} had not"
    last = max((run.starts[0] for run in late if run.starts), default=None)
    if last is not None:
        happened += f"; the last of them started at {_seconds(last)}"
    if never:
        happened += f"; {len(never)} had not when the play ended, at {_seconds(outcome.ended)}"
    expected = f"all messages of {subject} to have started by {duration_text(rule.seconds)}"
    return Failure(expected, happened, rule.seconds, starts_around(outcome.runs, rule.seconds))


def lost(subject: Subject, rule: Lost, runs: Sequence[Run], outcome: Outcome) -> Failure | None:
    """Judge how many were lost: they are in no queue and no worker, and have never started."""
    gone = [run for run in runs if run.fate == "lost"]
    if len(gone) <= rule.most:
        return None
    expected = f"{'no message' if not rule.most else 'at most ' + count(rule.most, 'message')} of {subject} to be lost"
    shown = ", ".join(f"message {run.number}, sent at {_seconds(run.sent)}" for run in gone[:3])
    happened = f"{len(gone)} of {len(runs)} were: {shown}{', …' if len(gone) > 3 else ''}"  # noqa: PLR2004
    return Failure(expected, happened, gone[0].sent, starts_around(outcome.runs, gone[0].sent))


def _waited(run: Run, ended: int) -> int:
    """Return the microseconds that it has waited, up to the end of the play."""
    over = in_us(run.starts[0]) if run.starts else ended
    return over - in_us(run.sent)


def _still_waits(run: Run, bound: int) -> bool:
    if run.starts:
        return in_us(run.starts[0]) > bound
    return run.fate in ("waiting", "lost")


def _story(run: Run, outcome: Outcome) -> str:
    told = f"message {run.number}, sent at {_seconds(run.sent)},"
    if run.wait is not None:
        return f"{told} started after {_seconds(run.wait)}"
    if run.fate in _FATES:
        return f"{told} {_FATES[run.fate]}"
    return f"{told} had not when the play ended, at {_seconds(outcome.ended)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}s"
