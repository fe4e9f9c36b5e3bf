"""Makes the limits of a checked file: named ones, tasks' own, and named ones as a task or a queue has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.declared import (
    MOST_RESENDS,
    ONE,
    Cost,
    Feedback,
    Key,
    Limit,
    Part,
    Resets,
    Scheduled,
    ShareTerms,
)
from limitkit.config.model.calendar import days_of, minutes_of, parse_resets
from limitkit.config.model.limit_fields import DEFAULT_LEASE
from limitkit.config.model.units import parse_duration, parse_rate
from limitkit.config.model.value_errors import HEADER
from limitkit.config.rules import weakest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.config.model.feedback_tables import FeedbackTable
    from limitkit.config.model.fields import Mode, OnError
    from limitkit.config.model.limit_tables import LimitTable, QueueTable, TaskTable
    from limitkit.config.model.share_tables import CostTable, EntryTable, PartitionTable, ScheduleTable
    from limitkit.config.model.tables import RateLimits
    from limitkit.config.model.units import Rate
    from limitkit.config.source.toml import Document

_EACH_DAY: Final = ("mon-sun",)


class Limits:
    """Makes the limits of one file."""

    def __init__(self, document: Document, model: RateLimits, mode: Mode) -> None:
        self._document = document
        self._mode = mode
        self._on_error = model.store.on_error
        metered = _metered(model)
        self.named = {
            name: _with(self._limit(("limits", name), table, mode), {"metered": name in metered})
            for name, table in model.limits.items()
        }
        """The named limits, used or not."""

    def of_task(self, name: str, table: TaskTable) -> tuple[Limit, ...]:
        """Return a task's limits; the task's own ``on_error`` wins over theirs."""
        mode = weakest(self._mode, table.mode)
        if table.limits is None:
            limit = self._limit(("tasks", name), table, mode)
            limit = _with(limit, _at_cost(limit, table.cost, table.settle))
            return (_with(limit, {"metered": table.cost is not None or limit.settle is not None}),)
        return tuple(
            self._entry(each, mode, table.on_error, cost=table.cost, settle=table.settle) for each in table.limits
        )

    def of_queue(self, table: QueueTable) -> tuple[Limit, ...]:
        """Return the limits of a queue."""
        return tuple(self._entry(each, weakest(self._mode, table.mode)) for each in table.limits)

    def _entry(
        self,
        entry: EntryTable,
        mode: Mode,
        on_error: OnError | None = None,
        *,
        cost: CostTable | None = None,
        settle: str | None = None,
    ) -> Limit:
        """Return a named limit as an entry has it; ``cost`` and ``settle`` are the task's, where the entry has none."""
        limit = self.named[entry.limit]
        said: dict[str, Any] = {"mode": weakest(mode, limit.mode), "on_error": on_error or limit.on_error}
        said |= _at_cost(limit, entry.cost or cost, entry.settle or settle)
        if entry.key is not None:
            said["key"] = key_of(entry.key)
        return _with(limit, said)

    def _limit(self, path: tuple[str, str], table: LimitTable | TaskTable, mode: Mode) -> Limit:
        section, name = path
        if table.strategy is None:  # the model refuses such a table
            raise ValueError(name)
        rate, file = _rate(table.rate), self._document.source(path)
        return Limit(
            name=name,
            own=section == "tasks",
            strategy=table.strategy,
            rate=rate,
            burst=table.burst,
            key=key_of(table.key),
            mode=weakest(mode, table.mode),
            path=file.path,
            line=file.own_place(path, "header")[0],
            on_error=table.on_error or self._on_error,
            on_limit=table.on_limit or "wait",
            max_wait=seconds(table.max_wait),
            feedback=_feedback(name, table.feedback),
            resets=_resets(table.resets, rate),
            max_running=table.max_running or 0,
            lease=parse_duration(table.lease or DEFAULT_LEASE),
            scope=table.scope,
            partitions={partition: _terms(terms) for partition, terms in table.partitions.items()},
            show_key=table.show_key,
            fair_by=key_of(table.fair_by),
            weights=dict(table.weights),
            schedule=tuple(map(_scheduled, table.schedule)),
        )


def seconds(duration: str | None) -> float | None:
    """Read a duration that may be left out."""
    return None if duration is None else parse_duration(duration)


def key_of(said: tuple[str, ...] | None) -> Key | None:
    """Read a key: the paths to arguments, and the names of headers."""
    return None if said is None else Key(tuple(map(_part, said)))


def _part(text: str) -> Part:
    if text.startswith(HEADER):
        return Part((text.removeprefix(HEADER),), header=True)
    return Part(tuple(text.split(".")))


def _metered(model: RateLimits) -> set[str]:
    """Find the named limits of which some start has a cost in the file, even of one token, or is settled."""
    named: list[tuple[EntryTable | TaskTable, EntryTable]] = []
    for task in model.tasks.values():
        named += [(said, entry) for entry in task.limits or () for said in (entry, task)]
    named += [(entry, entry) for queue in model.queues.values() for entry in queue.limits]
    return {entry.limit for said, entry in named if said.cost is not None or said.settle is not None}


def _at_cost(limit: Limit, cost: CostTable | None, settle: str | None) -> dict[str, Any]:
    """Return the cost and the settle of a start, as far as this kind of limit can have them."""
    if limit.strategy == "concurrency":
        return {}
    path = None if settle is None or limit.strategy == "static" else tuple(settle.split("."))
    return {"cost": _cost(cost), "settle": path}


def _with(limit: Limit, said: Mapping[str, Any]) -> Limit:
    """Return a limit with other values; itself where they are no others, as for most tasks of a large file."""
    changed = {name: value for name, value in said.items() if value != getattr(limit, name)}
    return replace(limit, **changed) if changed else limit


def _cost(table: CostTable | None) -> Cost:
    if table is None:
        return ONE
    if table.of is None:
        return Cost(fixed=table.default)
    return Cost(of=_part(table.of), times=table.times, plus=table.plus, default=table.default)


def _rate(text: str | None) -> Rate | None:
    return None if text is None else parse_rate(text, calendar=True)


def _terms(table: PartitionTable | ScheduleTable) -> ShareTerms:
    return ShareTerms(_rate(table.rate), table.burst, table.max_running)


def _scheduled(table: ScheduleTable) -> Scheduled:
    days = days_of(table.days if table.days is not None else _EACH_DAY)
    return Scheduled(minutes_of(table.from_), minutes_of(table.to), days, table.timezone, _terms(table))


def _resets(text: str | None, rate: Rate | None) -> Resets | None:
    if text is None or rate is None:
        return None
    begins, (every, _) = parse_resets(text), rate.every
    if begins.unit == "clock":
        return Resets(text, "clock", period_us=int(rate.period * 1_000_000))
    return Resets(text, begins.unit, begins.minute, begins.day, begins.timezone, every)


def _feedback(name: str, table: FeedbackTable | None) -> Feedback | None:
    if table is None:
        return None
    recover = table.recover
    return Feedback(
        limit=name,
        on=table.on,
        action=table.action,
        factor=recover.factor,
        step=_per_second(recover.step),
        floor=_per_second(recover.floor),
        ceiling=_per_second(recover.ceiling),
        unless=table.unless,
        resend=MOST_RESENDS if table.resend is True else int(table.resend),
        max_pause=parse_duration(table.max_pause),
    )


def _per_second(rate: str | None) -> float | None:
    return None if rate is None else float(parse_rate(rate).per_second)
