"""What a play comes to in numbers: for each task and each limit its starts, waits, backlog, and busiest windows.

All times are seconds of the virtual clock. Nothing here is drawn, and nothing is estimated but memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import accumulate, zip_longest
from typing import TYPE_CHECKING, Final, TypeVar

from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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


Times = tuple["Run", int, "int | None"]
"""A message, when it was sent, and when it ceased to wait: its first start, or when it was given up; in microseconds.
None if it waits still.
"""
Number = TypeVar("Number", int, float)
_GIVEN_UP: Final = ("dropped", "failed", "lost")


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
    largest_cost: int = 0
    """Of a limit: the most tokens that a start took."""


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
    times = [_times(run) for run in outcome.runs]
    tasks: defaultdict[str, list[Times]] = defaultdict(list)
    named: defaultdict[str, list[Times]] = defaultdict(list)
    for each in times:
        tasks[each[0].task].append(each)
        for name in each[0].limits:
            named[name].append(each)
    rows = {name: _row(name, each, [_starts(each)]) for name, each in tasks.items()}
    most_held = max((worker.most_held for worker in outcome.workers), default=0)
    return Figures(
        whole=_row(ALL, times, [_starts(times)]),
        tasks=tuple(rows.values()),
        limits=tuple(
            # Where a limit is of one task alone, most figures are the same.
            _limit_row(name, each, limits.get(name), outcome.ended, rows[task] if tasks[task] == each else None)
            for name, each in named.items()
            for task in [each[0][0].task]
        ),
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


def nearest_rank(ordered: Sequence[Number], percent: int) -> Number:
    """Return the smallest value that at least so many percent of them do not exceed: at place ceil(percent n / 100)."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _times(run: Run) -> Times:
    if run.starts:
        left: float | None = run.starts[0]
    else:
        left = run.ended if run.fate in _GIVEN_UP else None
    return run, round(run.sent * MICROSECONDS), None if left is None else round(left * MICROSECONDS)


def comings(runs: Iterable[Run]) -> tuple[list[int], list[int]]:
    """Return when messages were sent, and when they ceased to wait, in microseconds, each in order."""
    return _comings([_times(run) for run in runs])


def _comings(times: Sequence[Times]) -> tuple[list[int], list[int]]:
    return sorted([sent for _, sent, _ in times]), sorted([left for _, _, left in times if left is not None])


def backlog_of(sent: Sequence[int], left: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Go through the moments at which something was sent, with how many waited then: in between they only get fewer.

    At a time t those wait that were sent at t or before, and had not ceased to wait at t: who starts in the moment in
    which it is sent has not waited.
    """
    gone, last = 0, len(left)
    for number, (at, after) in enumerate(zip_longest(sent, sent[1:], fillvalue=-1), start=1):
        if at != after:
            while gone < last and left[gone] <= at:
                gone += 1
            yield at, number - gone


def longest(backlog: Iterable[tuple[int, int]]) -> Peak:
    """Find the most messages that waited at once, and when that was first."""
    most, since = 0, 0
    for at, waiting in backlog:
        if waiting > most:
            most, since = waiting, at
    return Peak(most, since / MICROSECONDS)


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
    """Count the most runs that were under way at once, each from its start to its end; ``ended`` is when the play did.

    Of a message that has started several times, the last start before its end counts.
    """
    changes = []
    for run in runs:
        end = run.ended if run.ended is not None else ended
        begun = [at for at in run.starts if at <= end]
        if begun:
            changes += [(begun[-1], 1), (end, -1)]
    return max(accumulate(step for _, step in sorted(changes)), default=0)


def _starts(times: Iterable[Times]) -> Starts:
    begun = sorted([round(at * MICROSECONDS) for run, _, _ in times for at in run.starts])
    return begun, [1] * len(begun)


def _limit_row(name: str, times: Sequence[Times], limit: Limit | None, ended: float, like: Row | None) -> Row:
    """Return the row of a limit; ``like`` is that of a task with the same messages, if there is one."""
    local, running = limit is not None and limit.local, limit is not None and limit.strategy == "concurrency"
    buckets: defaultdict[tuple[str, str], Starts] = defaultdict(lambda: ([], []))
    runs_of: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run, _, _ in times:
        place = run.limits.index(name)
        bucket, cost = run.buckets[place], run.costs[place]
        for at, worker in zip(run.starts, run.workers, strict=True):
            begun, costs = buckets[bucket, worker if local else ""]
            begun.append(round(at * MICROSECONDS))
            costs.append(cost)
        if running and run.starts:
            runs_of[bucket, run.workers[-1] if local else ""].append(run)
    most = max((most_at_once(each, ended) for each in runs_of.values()), default=0)
    given = [_in_order(*starts) for starts in buckets.values()]
    row = like if like is not None else _row(name, times, [])
    return replace(
        row,
        name=name,
        second=_busiest_of(given, 1),
        minute=_busiest_of(given, 60),
        buckets=len(buckets),
        most_running=most if running else None,
        largest_cost=max((max(costs) for _, costs in buckets.values()), default=0),
    )


def _in_order(begun: list[int], costs: list[int]) -> Starts:
    order = sorted(range(len(begun)), key=begun.__getitem__)
    return [begun[each] for each in order], [costs[each] for each in order]


def _row(name: str, times: Sequence[Times], buckets: Sequence[Starts]) -> Row:
    never = Counter([run.fate for run, _, _ in times if not run.starts])
    waits = sorted([left - sent for run, sent, left in times if left is not None and run.starts])
    sent, left = _comings(times)
    return Row(
        name=name,
        sent=len(times),
        started=len(waits),
        again=sum([len(run.starts) for run, _, _ in times]) - len(waits),
        waiting=never["waiting"],
        dropped=never["dropped"],
        failed=never["failed"],
        lost=len([run for run, _, _ in times if run.fate == "lost"]),
        waits=_waits(waits) if waits else None,
        backlog=longest(backlog_of(sent, left)),
        drained_at=left[-1] / MICROSECONDS if left and len(left) == len(sent) else None,
        second=_busiest_of(buckets, 1),
        minute=_busiest_of(buckets, 60),
    )


def _waits(ordered: Sequence[int]) -> Waits:
    found = (nearest_rank(ordered, 50), nearest_rank(ordered, 95), ordered[-1], sum(ordered) / len(ordered))
    return Waits(*(each / MICROSECONDS for each in found))


def _busiest_of(buckets: Iterable[Starts], seconds: int) -> Peak:
    peaks = (busiest(each, seconds) for each in buckets)
    return max(peaks, key=lambda peak: (peak.most, -peak.at), default=Peak())
