"""Under ``fair_by``, those that wait get starts in proportion to their weights."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from search.intervals import intersect, minus
from search.promises.waiting import available
from search.story import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.trial.outcome import Run
    from search.intervals import Intervals
    from search.story import Story

_FEW = 4
"""Starts by which each worker may be off: it holds a few of one value before it hears of another, or ``per_limit``."""
_LEAST = 12
"""Starts, at least, by which shares can be told."""
_LEAST_TIME = 0.25
"""Seconds in which all that was sent has come to some worker, or is parked and was brought back."""
_FREE = 0.5
"""Part of the time in which some process must be free: else they wait for one, in the broker's order."""
_IDLE = 0.1
"""Seconds for which a token lies there, and what starts then has waited for a process, or to be delivered."""


def fair_shares(story: Story) -> Iterator[Broken]:
    """While two values wait for a limit, their starts differ from their weights by no more than a few for each worker.

    While the limit has tokens, nobody waits for it: then the broker's order holds.
    """
    for limit, partition in story.by_bucket:
        table = story.table(limit)
        lines = _lines(story, limit, partition) if "fair_by" in table else {}
        weights = table.get("weights", {})
        few = max(_FEW, story.life.config.get("waiting", {}).get("per_limit", 0))
        there = _available(story, limit, partition) if lines else []
        idle = sorted([*story.disturbed, *(each for each in there if each[1] - each[0] > _IDLE)])
        for one, other in itertools.combinations(lines, 2):
            both = minus(intersect(_waiting(story, lines[one]), _waiting(story, lines[other])), idle)
            for since, end in both:
                begin = next((until for free, until in there if free <= since < until), since)
                starts = [
                    sum(begin <= run.starts[0] < end for run in lines[each] if run.starts) for each in (one, other)
                ]
                free = sum(to - at for at, to in intersect(story.free, [(begin, end)]))
                if sum(starts) < _LEAST or end - begin < _LEAST_TIME or free < _FREE * (end - begin):
                    continue
                first, second = weights.get(one, 1), weights.get(other, 1)
                most = few * (1 + len(story.outcome.workers)) * (1 / first + 1 / second)
                if abs(starts[0] / first - starts[1] / second) > most:
                    shares = f"{one} (weight {first}) has {starts[0]} starts, {other} (weight {second}) {starts[1]}"
                    yield Broken("fair shares", f"{limit} {partition}: {shares}, from {begin:.3f} to {end:.3f} s")
                    return


def _lines(story: Story, limit: str, partition: str) -> dict[str, list[Run]]:
    """Return the runs of each value, if all of them are alike in everything else; else none."""
    runs = [run for run, _ in story.by_bucket[limit, partition]]
    alike = {(story.uses[run.number], run.queue, story.arrivals[run.number].priority) for run in runs}
    if len(alike) != 1 or len(story.uses[runs[0].number]) != 1:
        return {}
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(str(story.arrivals[run.number].kwargs.get("tenant")), []).append(run)
    return found


def _available(story: Story, limit: str, partition: str) -> Intervals:
    """Return when a limit has tokens."""
    use = next(use for each in story.uses for use in each if (use.limit, use.partition) == (limit, partition))
    return available(story, use, surely=False)


def _waiting(story: Story, runs: list[Run]) -> Intervals:
    """Return when some of these wait."""
    events = [(run.sent, 1) for run in runs]
    events += [(run.starts[0] if run.starts else run.ended or story.outcome.ended, -1) for run in runs]
    found, count, since = [], 0, 0.0
    for at, more in sorted(events):
        if count == 0:
            since = at
        count += more
        if count == 0 and at > since:
            found.append((since, at))
    return found
