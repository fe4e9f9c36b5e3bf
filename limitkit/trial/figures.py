"""What a play comes to in numbers: for each task and each limit its starts, waits, backlog, and busiest windows.

All times are seconds of the virtual clock. Nothing here is drawn, and nothing is estimated but memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import accumulate
from math import fsum
from typing import TYPE_CHECKING, Final

from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from limitkit.config.declared import Limit
    from limitkit.trial.outcome import Outcome, Run

HELD_BYTES: Final = 11_000
"""Of a worker's memory for a message that it holds: 8 to 11 KB were measured (docs/decisions/009)."""
PARKED_BYTES: Final = 1_190
"""Of the memory of the broker's Redis for a message that is parked: measured with no-op tasks (docs/scale.md)."""
ALL: Final = "all"
"""The name of the row of all messages."""


Starts = tuple[list[int], list[int]]
"""Of a bucket or a task: the microseconds of each start, and how many tokens it took; both in the order of time."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from sending to the first start, of those messages that have started.

    Quantiles are by nearest rank: p95 of n waits is the one at place ceil(0.95 n) in their order. So each was waited by
    some message, and nothing is interpolated.
    """

    p50: float
    p95: float
    longest: float
    mean: float


@dataclass(frozen=True, slots=True)
class Peak:
    """The most of something, and when that was first."""

    most: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one task, one limit, or all messages."""

    name: str
    sent: int
    started: int
    """Messages that have started at least once."""
    again: int
    """Starts beyond the first of their message."""
    waiting: int
    """Messages that have not started, and still wait at the end."""
    dropped: int
    failed: int
    lost: int
    waits: Waits | None
    """None where nothing has started."""
    backlog: Peak
    """The most messages that waited at once: sent by then, and neither started nor given up by then."""
    drained_at: float | None
    """When the last message began, or was given up; None if some still wait at the end, or nothing was sent."""
    second: Peak
    """The most starts in any second, and when that began; of a limit, the most tokens that one bucket gave."""
    minute: Peak
    buckets: int = 0
    """Of a limit: how many of its buckets were used; in each worker another one, where the limit is local."""
    most_running: int | None = None
    """Of a concurrency limit: the most tasks of one bucket that ran at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All figures of a play."""

    whole: Row
    tasks: tuple[Row, ...]
    """In the order of their first messages."""
    limits: tuple[Row, ...]
    """Likewise. A message counts for each of its limits."""
    ended: float
    complete: bool
    most_held: int
    """The most messages that one worker has held at once."""
    most_parked: int
    held_bytes: int
    """What the worker that held most needs for it: estimated as ``HELD_BYTES`` for each."""
    parked_bytes: int
    """What the broker's Redis needs at most for parked messages: estimated as ``PARKED_BYTES`` for each."""
    store_calls: int
    room_calls: int
    sent_back: int


def figures_of(outcome: Outcome, limits: Mapping[str, Limit]) -> Figures:
    """Reckon the figures of a play; ``limits`` are the declared ones by the names that runs give them."""
    tasks: defaultdict[str, list[Run]] = defaultdict(list)
    named: defaultdict[str, list[Run]] = defaultdict(list)
    for run in outcome.runs:
        tasks[run.task].append(run)
        for name in run.limits:
            named[name].append(run)
    most_held = max((worker.most_held for worker in outcome.workers), default=0)
    return Figures(
        whole=_row(ALL, outcome.runs, [_starts(outcome.runs)]),
        tasks=tuple(_row(name, runs, [_starts(runs)]) for name, runs in tasks.items()),
        limits=tuple(_limit_row(name, runs, limits.get(name), outcome.ended) for name, runs in named.items()),
        ended=outcome.ended,
        complete=outcome.complete,
        most_held=most_held,
        most_parked=outcome.most_parked,
        held_bytes=most_held * HELD_BYTES,
        parked_bytes=outcome.most_parked * PARKED_BYTES,
        store_calls=outcome.store_calls,
        room_calls=outcome.room_calls,
        sent_back=outcome.sent_back,
    )


def waits_of(runs: Iterable[Run]) -> Waits | None:
    """Return the quantiles of the waits of those that have started; None if none has."""
    waits = sorted(run.starts[0] - run.sent for run in runs if run.starts)
    if not waits:
        return None
    return Waits(nearest_rank(waits, 50), nearest_rank(waits, 95), waits[-1], fsum(waits) / len(waits))


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least so many percent of them do not exceed: at place ceil(percent n / 100)."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def left_at(run: Run) -> float | None:
    """When a message ceased to wait: its first start, or when it was given up; None if it never did."""
    if run.starts:
        return run.starts[0]
    return run.ended if run.fate in {"dropped", "failed", "lost"} else None


def backlog_of(runs: Iterable[Run]) -> dict[int, int]:
    """Return how many wait from each moment on at which that changes; moments are in whole microseconds, in order.

    At a time t those wait that were sent at t or before, and had not ceased to wait at t: who starts in the moment in
    which it is sent has not waited.
    """
    marks = []
    for run in runs:
        marks.append(2 * round(run.sent * MICROSECONDS) + 1)
        if (left := left_at(run)) is not None:
            marks.append(2 * round(left * MICROSECONDS))
    marks.sort()
    # Of several changes at one moment, the last one stays in the dict.
    return dict(zip([mark >> 1 for mark in marks], accumulate([1 if mark & 1 else -1 for mark in marks]), strict=True))


def longest(backlog: Mapping[int, int]) -> Peak:
    """Find the most messages that waited at once, and when that was first."""
    most = max(backlog.values(), default=0)
    return Peak(most, next(at for at, waiting in backlog.items() if waiting == most) / MICROSECONDS if most else 0.0)


def busiest(starts: Starts, seconds: int) -> Peak:
    """Find the window of so many seconds with the most tokens.

    Windows are half open, [t, t + seconds), and may begin at any time: the busiest one can begin with a start.
    """
    times, costs = starts
    length, tokens, most, since, first = seconds * MICROSECONDS, 0, 0, 0, 0
    for at, cost in zip(times, costs, strict=True):
        tokens += cost
        while at - times[first] >= length:
            tokens -= costs[first]
            first += 1
        if tokens > most:
            most, since = tokens, first
    return Peak(most, times[since] / MICROSECONDS if most else 0.0)


def most_at_once(runs: Iterable[Run], ended: float) -> int:
    """Count the most runs that were under way at once, from their last start to their end."""
    changes = []
    for run in runs:
        if run.starts:
            changes += [(run.starts[-1], 1), (run.ended if run.ended is not None else ended, -1)]
    return max(accumulate(step for _, step in sorted(changes)), default=0)


def _starts(runs: Iterable[Run]) -> Starts:
    times = sorted([round(at * MICROSECONDS) for run in runs for at in run.starts])
    return times, [1] * len(times)


def _limit_row(name: str, runs: Sequence[Run], limit: Limit | None, ended: float) -> Row:
    local, running = limit is not None and limit.local, limit is not None and limit.strategy == "concurrency"
    buckets: defaultdict[tuple[str, str], Starts] = defaultdict(lambda: ([], []))
    runs_of: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        place = run.limits.index(name)
        bucket, cost = run.buckets[place], run.costs[place]
        for at, worker in zip(run.starts, run.workers, strict=True):
            times, costs = buckets[bucket, worker if local else ""]
            times.append(round(at * MICROSECONDS))
            costs.append(cost)
        if running and run.starts:
            runs_of[bucket, run.workers[-1] if local else ""].append(run)
    most = max((most_at_once(each, ended) for each in runs_of.values()), default=0)
    row = _row(name, runs, [_in_order(*starts) for starts in buckets.values()])
    return replace(row, buckets=len(buckets), most_running=most if running else None)


def _in_order(times: list[int], costs: list[int]) -> Starts:
    order = sorted(range(len(times)), key=times.__getitem__)
    return [times[each] for each in order], [costs[each] for each in order]


def _row(name: str, runs: Sequence[Run], buckets: Sequence[Starts]) -> Row:
    fates = Counter([run.fate for run in runs if not run.starts])
    begun = [run for run in runs if run.starts]
    left = [left_at(run) for run in runs]
    drained = None not in left
    return Row(
        name=name,
        sent=len(runs),
        started=len(begun),
        again=sum([len(run.starts) for run in begun]) - len(begun),
        waiting=fates["waiting"],
        dropped=fates["dropped"],
        failed=fates["failed"],
        lost=len([run for run in runs if run.fate == "lost"]),
        waits=waits_of(begun),
        backlog=longest(backlog_of(runs)),
        drained_at=max((at for at in left if at is not None), default=None) if drained else None,
        second=_busiest_of(buckets, 1),
        minute=_busiest_of(buckets, 60),
    )


def _busiest_of(buckets: Iterable[Starts], seconds: int) -> Peak:
    peaks = (busiest(each, seconds) for each in buckets)
    return max(peaks, key=lambda peak: (peak.most, -peak.at), default=Peak())
