"""Never faster than the declared rate, and never more in a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.story import Broken
from search.terms import FELT_AFTER, on_error, outages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.story import Story
    from search.terms import Span

_LATE = 0.05
"""Seconds by which the contract stretches each window."""
_MORE = 1
"""Starts beyond, as the contract says."""


def never_faster(story: Story) -> Iterator[Broken]:
    """In any window of T seconds at most ``burst + rate x (T + 0.05 s) + 1`` tokens are taken by starts."""
    for limit, partition in story.by_bucket:
        if story.table(limit)["strategy"] not in ("static", "token_bucket", "per_user"):
            continue
        for worker, starts in _starts(story, limit, partition).items():
            broken = _fastest(story, limit, partition, starts)
            if broken:
                yield Broken("never faster", f"{limit} {partition} {worker}: {broken}")


def _starts(story: Story, limit: str, partition: str) -> dict[str, list[tuple[float, int]]]:
    """Return times and costs of the starts from a bucket; a static one is each worker's own."""
    own = on_error(story.life.config, limit) == "own"
    found: dict[str, list[tuple[float, int]]] = {}
    for run, cost in story.by_bucket[limit, partition]:
        for at, worker in zip(run.starts, run.workers, strict=False):
            found.setdefault(worker if own else "", []).append((at, cost))
    return {worker: sorted(starts) for worker, starts in found.items()}


def _fastest(story: Story, limit: str, partition: str, starts: list[tuple[float, int]]) -> str:
    spans, kind = story.spans(limit, partition), on_error(story.life.config, limit)
    away = outages(story.life) if kind in ("allow", "divide") else []
    level, last, place = 0.0, 0.0, 0
    for at, cost in starts:
        while place + 1 < len(spans) and spans[place].end <= at:
            level, last = _after(level, last, spans[place].end, spans[place]), spans[place].end
            place += 1
            if spans[place].changed:
                level = max(0.0, level - spans[place].upper.most - spans[place - 1].upper.most)
        level, last = _after(level, last, at, spans[place]), at
        if any(begin <= at <= end for begin, end in away):
            level = 0.0
            continue
        terms = spans[place].upper
        most = max(terms.most, 1)
        allowed = most + terms.rate * _LATE + _MORE
        if level + min(cost, most) > allowed + 1e-6:
            return f"{level + min(cost, most) - allowed:.2f} tokens more at {at:.3f} s than {terms} allows"
        level += cost
    return ""


def _after(level: float, last: float, now: float, span: Span) -> float:
    return max(0.0, level - span.upper.rate * (now - last))


def never_more_in_a_window(story: Story) -> Iterator[Broken]:
    """Never more than N starts in any stretch of a window's time, or from one reset to the next."""
    epoch = story.life.begins
    for limit, partition in story.by_bucket:
        table = story.table(limit)
        if table["strategy"] != "window":
            continue
        period, spans = story.period(limit), story.spans(limit, partition)
        away = outages(story.life) if on_error(story.life.config, limit) in ("allow", "divide") else []
        starts = [each for those in _starts(story, limit, partition).values() for each in those]
        first = 0
        for place, (at, cost) in enumerate(starts):
            begin = (at + epoch) // period * period - epoch if "resets" in table else at - period
            while starts[first][0] < begin or (starts[first][0] == begin and "resets" not in table):
                first += 1
            if any(start <= at and begin <= end for start, end in away):
                continue
            counted = sum(each for _, each in starts[first : place + 1])
            near = [span for span in spans if span.begin <= at + FELT_AFTER and span.end >= begin - FELT_AFTER]
            most = max(*(span.upper.most for span in near), *(each for _, each in starts))
            if counted > most:
                what = f"{limit} {partition}: {counted} from {begin:.3f} s to {at:.3f} s, of {most} (+{cost})"
                yield Broken("never more in a window", what)
                break


def paused(story: Story) -> Iterator[Broken]:
    """Nothing starts under a limit that is paused."""
    for limit, partition in story.by_bucket:
        for span in story.spans(limit, partition):
            if span.upper.most == 0:
                for run, _ in story.by_bucket[limit, partition]:
                    if any(span.begin + 0.6 < at < span.end for at in run.starts):
                        if any(begin <= run.starts[-1] <= end for begin, end in story.disturbed):
                            continue
                        yield Broken("paused", f"{run.task} started at {run.starts} s, {limit} is paused from {span}")
                        return
