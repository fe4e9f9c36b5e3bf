"""What a life's limits allow at each moment, read from its data alone, so that nothing of limitkit judges itself."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from limitkit.config.model.units import parse_duration, parse_rate
from search.life import seconds

if TYPE_CHECKING:
    from limitkit.trial.scenario import Arrival
    from search.life import Data, Life

FELT_AFTER = 1.2
"""Seconds after which a change is felt: within a second, and the way to each worker."""
DAY = 86_400.0
BREAKER = 3.0
"""Seconds after an outage until all workers have seen that the store is back."""


class Use(NamedTuple):
    """What one start takes from one limit."""

    limit: str
    partition: str
    cost: int


class Terms(NamedTuple):
    """What holds at a moment: tokens a second, and the burst, the number of a window, or ``max_running``."""

    rate: float
    most: int


class Span(NamedTuple):
    """A stretch of time, the most and the least that may hold in it; they differ where a change is being felt."""

    begin: float
    end: float
    upper: Terms
    lower: Terms
    changed: bool
    """Whether it begins with other terms than the one before it."""


def uses(config: Data, arrival: Arrival) -> tuple[Use, ...]:
    """Return what a message takes at its start."""
    task = entry_of(config, arrival.task)
    found = [(f"tasks.{arrival.task}", task.get("cost", 1))] if "strategy" in task else []
    found += [(name, task.get("cost", 1)) for name in task.get("limits", ())]
    found += [(name, 1) for name in config.get("queues", {}).get(arrival.queue, {}).get("limits", ())]
    made = []
    for name, cost in found:
        limit = table_of(config, name)
        partition = str(arrival.kwargs[limit["key"]]) if "key" in limit else ""
        tokens = 1 if limit["strategy"] == "concurrency" else arrival.kwargs["size"] if cost == "size" else cost
        made.append(Use(name, partition, tokens))
    return tuple(made)


def entry_of(config: Data, task: str) -> Data:
    """Return the table of a task; an empty one if no limit is for it."""
    tables = config["tasks"]
    if task in tables:
        return tables[task]
    return next((table for pattern, table in tables.items() if "*" in pattern and fnmatchcase(task, pattern)), {})


def table_of(config: Data, limit: str) -> Data:
    """Return the table of a limit: a named one, or a task's own."""
    section, _, task = limit.partition(".")
    return entry_of(config, task) if section == "tasks" else config["limits"][limit]


def on_error(config: Data, limit: str) -> str:
    """Return what a limit does while the store is away."""
    table = table_of(config, limit)
    if table["strategy"] == "static" or table.get("scope") == "worker":
        return "own"
    return table.get("on_error", config["store"].get("on_error", "allow"))


def outages(life: Life, after: float = BREAKER) -> list[tuple[float, float]]:
    """Return when the store was away for some worker."""
    faults = [fault for fault in life.test.get("fault", ()) if "store" in fault]
    return [(at := seconds(each, "at"), at + seconds(each, "for") + after) for each in faults]


def spans(life: Life, limit: str, partition: str, until: float) -> list[Span]:
    """Return what holds from the beginning of a life to its end."""
    table = table_of(life.config, limit)
    epoch = life.begins
    changes = _changes(life, limit, partition)
    moments = {0.0, until}
    for begin, end, *_ in changes:
        moments.update((begin, end, begin + FELT_AFTER, end + FELT_AFTER, begin - FELT_AFTER, end - FELT_AFTER))
    for each in table.get("schedule", ()):
        for text in (each["from"], each["to"]):
            at = (int(text[:2]) * 3600 + int(text[3:]) * 60 - epoch) % DAY
            moments.update((at, at - FELT_AFTER, at + FELT_AFTER))
    ordered = sorted(each for each in moments if 0.0 <= each <= until)
    made: list[Span] = []
    for begin, end in itertools.pairwise(ordered):
        middle = (begin + end) / 2
        near = [middle + FELT_AFTER * step / 6 for step in range(-6, 7)]
        held = [terms for at in near for terms in _terms(table, partition, changes, at, epoch)]
        upper = Terms(max(each.rate for each in held), max(each.most for each in held))
        lower = Terms(min(each.rate for each in held), min(each.most for each in held))
        changed = bool(made) and (made[-1].upper, made[-1].lower) != (upper, lower)
        made.append(Span(begin, end, upper, lower, changed))
    return made


def _changes(life: Life, limit: str, partition: str) -> list[tuple[float, float, Data, bool]]:
    """Return what an operator sets: from when, until when, what, and whether it may have failed."""
    found = []
    for fault in life.test.get("fault", ()):
        said = {"limit": fault["pause"], "pause": True} if "pause" in fault else fault.get("override", {})
        if said.get("limit") != limit or said.get("partition", partition) != partition:
            continue
        at, lasts = seconds(fault, "at"), fault.get("for", said.get("for"))
        end = float("inf") if lasts is None else at + parse_duration(lasts)
        unsure = any(begin <= at <= away for begin, away in outages(life, 0.1))
        found.append((at, end, said, unsure))
    return [_replaced(each, found) for each in found]


def _replaced(change: tuple[float, float, Data, bool], all_of_them: Any) -> tuple[float, float, Data, bool]:
    """Let a change end where another one of its kind is set in its place."""
    begin, end, said, unsure = change
    later = [
        at
        for at, _, other, may_fail in all_of_them
        if at > begin and not may_fail and all(said.get(key) == other.get(key) for key in ("pause", "partition"))
    ]
    return begin, min([end, *later]), said, unsure


def _terms(table: Data, partition: str, changes: Any, at: float, epoch: float) -> list[Terms]:
    """Return what may hold at a moment."""
    own = {**table, **table.get("partitions", {}).get(partition, {})}
    declared = [own]
    for each in table.get("schedule", ()):
        if _holds(each, epoch + at):
            declared = [{**table, **each}, *([own] if own != table else [])]
    found = list(declared)
    paused = False
    for begin, end, said, unsure in sorted(changes, key=lambda change: change[0]):
        if begin <= at < end:
            if unsure or len(changes) > 1:  # one may end or replace another: all that may hold counts
                found += declared
            if "pause" in said:
                paused = True
                found = found if unsure else []
            else:
                known = [{**each, **said} for each in (table, own)]
                found = known if not unsure and len(changes) == 1 else found + known
    return [_made(each) for each in found] + ([Terms(0.0, 0)] if paused else [])


def _made(table: Data) -> Terms:
    if table["strategy"] == "concurrency":
        return Terms(0.0, table["max_running"])
    rate = parse_rate(table["rate"], calendar="resets" in table)
    most = int(rate.tokens) if table["strategy"] == "window" else table.get("burst", 1)
    return Terms(float(rate.per_second), most)


def _holds(schedule: Data, now: float) -> bool:
    minute = now % DAY / 60
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (schedule["from"], schedule["to"]))
    return begin <= minute < end if begin < end else minute >= begin or minute < end
