"""Finds which of its limits a call has waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.testing.limits_clock import LimitsClock
    from limitkit.trial.outcome import Run

_SOONER: Final = 0.01
"""Seconds by which a start must come sooner without a limit: calls of the store take a part of them."""
_MOST_MESSAGES: Final = 2000
"""All is played once more for each limit; with more messages than these it takes too long for a failure."""


class _HasLimits(Protocol):
    @property
    def limits(self) -> tuple[Limit, ...]: ...


_H = TypeVar("_H", bound=_HasLimits)


def held_up_by(clock: LimitsClock, runs: Iterable[Run]) -> dict[int, tuple[str, ...]]:
    """Return the names of the limits for which calls have waited, by the numbers of their messages.

    A call of several limits has waited for those without which, one at a time, it starts sooner. Where that is none of
    them, since several hold it up alike, or where there are too many messages to find out, they are all its limits.
    """
    found = {run.number: run.limits for run in runs}
    several = {name for names in found.values() if len(names) > 1 for name in names}
    all_runs = clock.outcome.runs
    if not several or len(all_runs) > _MOST_MESSAGES:
        return found
    alike: dict[tuple[str, str, tuple[str, ...]], list[int]] = {}
    for run in all_runs:
        alike.setdefault((run.task, run.queue, run.buckets), []).append(run.number)
    sooner: dict[int, list[str]] = {number: [] for number in found}
    for name in sorted(several):
        other = clock.played(without(clock.config.rules, name)).runs
        for numbers in alike.values():
            for number, at in zip(_in_order(all_runs, numbers), _starts(other, numbers), strict=False):
                if number in found and at < all_runs[number].starts[0] - _SOONER:
                    sooner[number].append(name)
    return {number: tuple(sooner[number]) or names for number, names in found.items()}


def _in_order(runs: Sequence[Run], numbers: Iterable[int]) -> list[int]:
    """Return the numbers of messages in the order in which they start: which of equal ones comes first is chance."""
    return sorted((each for each in numbers if runs[each].starts), key=lambda each: runs[each].starts[0])


def _starts(runs: Sequence[Run], numbers: Iterable[int]) -> list[float]:
    return sorted(runs[each].starts[0] for each in numbers if runs[each].starts)


def without(rules: Rules, name: str) -> Rules:
    """Return the same rules with one limit off, for all tasks and queues that have it."""

    def off(table: _H) -> _H:
        limits = tuple(replace(each, mode="off") if each.name == name else each for each in table.limits)
        return replace(table, limits=limits)  # type: ignore[type-var] # a protocol can't say that it is a dataclass

    return replace(
        rules,
        exact={task: off(entry) for task, entry in rules.exact.items()},
        patterns=tuple(map(off, rules.patterns)),
        queues={queue: off(table) for queue, table in rules.queues.items()},
        queue_patterns=tuple(map(off, rules.queue_patterns)),
        _found={},
    )
