"""Asserts when calls of a task start, and says what they waited for."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import count
from limitkit.testing.held_up import held_up_by
from limitkit.testing.limits_clock import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limitkit.testing.limits_clock import Duration, LimitsClock
    from limitkit.trial.outcome import Run

TOLERANCE: Final = 0.01
"""Seconds: a played call of the store takes some 2 ms, and a worker looks again a little after a token is there."""
_HEADINGS: Final = ("start", "expected", "found", "off", "waited", "for")
_SHOWN: Final = 20
_BEFORE: Final = 2
"""Starts that are shown before the first one that is wrong."""
_NOTHING: Final = "-"
_FATES: Final = {
    "dropped": "dropped",
    "failed": "failed by on_limit",
    "waiting": "still waiting a day after the last was sent",
    "lost": "lost",
}


class AssertStarts:
    """Asserts when calls of a task start, on a ``LimitsClock``: the fixture ``assert_starts``.

    It is called with a task, ``at`` and, if need be, ``tolerance``: ``assert_starts("charge", at=[0, "40ms", 0.08])``.
    """

    def __init__(self, clock: LimitsClock) -> None:
        self._clock = clock

    def __call__(self, task: Any, *, at: Sequence[Duration], tolerance: Duration = TOLERANCE) -> None:
        """Assert that the calls of a task, given as itself or by its name, start at these times and at no other.

        Times are seconds since the first message of the test was sent, or durations such as ``"1m"``; their order does
        not matter. Each may be off by ``tolerance`` at most, 10 ms without it. Raises AssertionError, with what
        happened, and ConfigError when the config can't be used.
        """
        __tracebackhide__ = True
        expected, most = sorted(map(seconds_of, at)), seconds_of(tolerance)
        found = self._clock.starts(task)
        if len(found) == len(expected) and all(_near(*pair, most) for pair in zip(expected, found, strict=True)):
            return
        raise AssertionError("\n".join(self._told(task, expected, most)))

    def _told(self, task: Any, expected: list[float], tolerance: float) -> Iterator[str]:
        """Say what was expected and what happened, in lines."""
        clock, name = self._clock, task if isinstance(task, str) else task.name
        runs = clock.runs(name)
        if not runs:
            yield f"nothing was sent to {name}, so it does not start; send it by limits_clock.send or by its delay()"
            yield "(with task_always_eager, tasks run where they are called, without limits, and are not seen here)"
            return
        starts = sorted(((at - clock.first_sent, run) for run in runs for at in run.starts), key=lambda start: start[0])
        played = f"{count(clock.workers, 'worker')} with {clock.processes} pool process{'es' * (clock.processes > 1)}"
        fact = "does not start when it was expected to"
        if len(starts) != len(expected):
            fact = f"was expected to start {_times(len(expected))}, and starts {_times(len(starts))}"
        yield f"{name} {fact} ({clock.config.path}; {played}; each may be off by {tolerance:g} s):"
        pairs = list(zip_longest(expected, starts))
        wrong = next((number for number, pair in enumerate(pairs) if not _is_right(*pair, tolerance)), 0)
        first = max(0, wrong - _BEFORE)
        shown = pairs[first : first + _SHOWN]
        waited = held_up_by(clock, [start[1] for _, start in shown if start is not None])
        rows = [self._row(number, *pair, tolerance, waited) for number, pair in enumerate(shown, first)]
        yield from _table([_HEADINGS, *rows])
        left = len(pairs) - first - len(shown)
        if first or left:
            yield f"  ({first} before these and {left} after them are not shown)"
        for fate, words in _FATES.items():
            many = sum(run.fate == fate for run in runs)
            if many:
                yield f"  {many} of {len(runs)} messages: {words}"
        yield from (f"  workers have logged: {each}" for each in clock.outcome.warnings[:_SHOWN])

    def _row(
        self,
        number: int,
        expected: float | None,
        start: tuple[float, Run] | None,
        tolerance: float,
        held_up: Mapping[int, tuple[str, ...]],
    ) -> tuple[str, ...]:
        wanted = _NOTHING if expected is None else f"{expected:.3f}s"
        if start is None:
            return str(number), wanted, _NOTHING, _NOTHING, _NOTHING, ""
        at, run = start
        off = _NOTHING if expected is None or _near(expected, at, tolerance) else f"{at - expected:+.3f}s"
        waited = run.wait or 0.0
        limits = ", ".join(self._in_words(run, held_up[run.number])) if waited > tolerance else ""
        return str(number), wanted, f"{at:.3f}s", off, f"{waited:.3f}s", limits

    def _in_words(self, run: Run, names: tuple[str, ...]) -> Iterator[str]:
        """Name some of the limits of a message, each with its rate."""
        rule = self._clock.config.rules.together(run.task, run.queue)
        for limit in rule.limits if rule is not None else ():
            if limit.name in names:
                terms = f"max_running {limit.max_running}" if limit.rate is None else limit.rate_text
                yield f"{'its own limit' if limit.own else f'limits.{limit.name}'} ({terms})"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _near(expected: float, found: float, tolerance: float) -> bool:
    return abs(found - expected) <= tolerance + 1e-9  # so that sums of floats don't matter


def _is_right(expected: float | None, start: tuple[float, Run] | None, tolerance: float) -> bool:
    return expected is not None and start is not None and _near(expected, start[0], tolerance)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write rows in columns, numbers to the right; the last column is text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        yield "  " + "  ".join([*cells, row[-1]]).rstrip()
