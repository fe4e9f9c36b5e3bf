"""Nobody waits while all that he needs is there."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from search.intervals import intersect, joined, minus
from search.story import Broken, ends_of
from search.terms import FELT_AFTER, on_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.intervals import Intervals
    from search.story import Story
    from search.terms import Use

LONGEST = 8.0
"""Seconds that one may wait while all that he needs is there: what was parked comes back by an estimate of its turn."""
LONGEST_FREE = 1.5
"""The same for one without any limit, in seconds."""
PACES = 4
_LATE_RESET = 0.5


def nobody_waits_for_nothing(story: Story) -> Iterator[Broken]:
    """Who waits has had, for the longest time that he may wait, no token of one of his limits, or no free process."""
    outcome = story.outcome
    free = minus(story.free, story.disturbed)
    known: dict[tuple[tuple[Use, ...], bool], Intervals] = {}
    for run, needs in zip(outcome.runs, story.uses, strict=True):
        longest = _longest(story, needs)
        until = run.starts[0] if run.starts else min(ends_of(run), outcome.ended)
        if until - run.sent <= longest or run.fate in ("dropped", "failed"):
            continue
        there = known.get((needs, True))
        if there is None:
            there = free
            for use in needs:
                there = intersect(there, available(story, use))
            known[needs, True] = there
        for begin, end in there:
            since, to = max(begin, run.sent), min(end, until)
            if to - since > longest:
                what = (
                    f"{run.task} number {run.number} waited from {since:.3f} to {to:.3f} s; all that it needs was there"
                )
                yield Broken("nobody waits for nothing", what)
                return


def _longest(story: Story, needs: tuple[Use, ...]) -> float:
    """Return how long a start may wait: what is parked for a window comes back at its mean pace, a few at a time."""
    if not needs:
        return LONGEST_FREE
    windows = [use.limit for use in needs if story.table(use.limit)["strategy"] == "window"]
    return LONGEST + max((PACES * story.period(each) / _least(story, each) for each in windows), default=0.0)


def _least(story: Story, limit: str) -> int:
    return max(1, min(span.lower.most for span in story.spans(limit, "")))


def available(story: Story, use: Use, *, surely: bool = True) -> Intervals:
    """Return when a bucket has what a start needs, in all workers where it is each one's own.

    A slot is taken shortly before its task begins, and is free shortly after the end: so it is ``surely`` there.
    """
    table, config = story.table(use.limit), story.life.config
    workers = [each.name for each in story.outcome.workers] if on_error(config, use.limit) == "own" else [""]
    found: Intervals = [(0.0, story.outcome.ended)]
    for worker in workers:
        runs = [each for each in story.by_bucket[use.limit, use.partition] if not worker or worker in each[0].workers]
        if table["strategy"] == "concurrency":
            there = _slots(story, use, runs, (FELT_AFTER / 10, 0.01) if surely else (0.0, 0.0))
        else:
            starts = sorted((at, cost) for run, cost in runs for at in run.starts)
            reckon = _window if table["strategy"] == "window" else _tokens
            there = reckon(story, use, starts, "lower" if surely else "upper")
        found = intersect(found, there)
    return found


def _tokens(story: Story, use: Use, starts: list[tuple[float, int]], bound: str) -> Intervals:
    """Return when a bucket has tokens, reckoned with the lowest rate that may hold, or the highest."""
    found, level = [], 0.0
    dearest = max(cost for _, cost in story.by_bucket[use.limit, use.partition])
    pieces = [*starts, (float("inf"), 0)]
    for span in story.spans(use.limit, use.partition):
        rate, most = getattr(span, bound)
        if span.changed:
            level = most + rate  # it is clamped to that
        now = span.begin
        inside = [each for each in pieces if span.begin <= each[0] < span.end]
        for at, cost in [*inside, (span.end, 0)]:
            wanted = min(dearest, most)  # a dearer one that has come before has the next tokens
            if most and rate:
                since = now + max(0.0, level - (most - wanted)) / rate
                if since < at:
                    found.append((since, at))
            level = max(0.0, level - rate * (at - now)) + cost
            now = at
    return joined(found)


def _window(story: Story, use: Use, starts: list[tuple[float, int]], bound: str) -> Intervals:
    """Return when a window has room."""
    period, table = story.period(use.limit), story.table(use.limit)
    epoch = story.life.begins
    dearest = max(cost for _, cost in story.by_bucket[use.limit, use.partition])
    resets, longer = "resets" in table, period * 1.04 + 0.1
    moments = sorted(
        {span.begin for span in story.spans(use.limit, use.partition)}
        | {at for at, _ in starts}
        | {at + longer for at, _ in starts if not resets}
        | _borders(epoch, period, story.outcome.ended, resets=resets)
        | {story.outcome.ended}
    )
    found, spans = [], story.spans(use.limit, use.partition)
    for begin, end in itertools.pairwise(moments):
        middle = (begin + end) / 2
        since = (middle + epoch) // period * period - epoch if resets else middle - longer
        counted = sum(cost for at, cost in starts if since < at <= begin)
        near = [getattr(span, bound).most for span in spans if span.begin <= middle <= span.end]
        if (
            near
            and counted + dearest <= min(near)
            and not (resets and (middle + epoch) % period > period - _LATE_RESET)
        ):
            found.append((begin, end))
    return joined(found)


def _borders(epoch: float, period: float, ended: float, *, resets: bool) -> set[float]:
    if not resets:
        return set()
    first = -(epoch % period)
    whole = [first + period * n for n in range(int(ended / period) + 2)]
    return {each for border in whole for each in (border, border - _LATE_RESET) if 0 < each < ended}


def _slots(story: Story, use: Use, runs: list, margins: tuple[float, float]) -> Intervals:
    """Return when fewer run than may."""
    before, after_end = margins
    events = sorted(
        [(run.starts[-1] - before, 1) for run, _ in runs if run.starts]
        + [(ends_of(run) + after_end, -1) for run, _ in runs if run.starts]
        + [(span.begin, 0) for span in story.spans(use.limit, use.partition)]
    )
    found, count, spans = [], 0, story.spans(use.limit, use.partition)
    for (at, more), (after, _) in zip(events, [*events[1:], (story.outcome.ended, 0)], strict=True):
        count += more
        near = [span.lower.most for span in spans if span.begin <= (at + after) / 2 <= span.end]
        if near and count < min(near) and after > at:
            found.append((at, after))
    return joined(found)
