"""The rules in force: what the file declares, immutable and found by task name."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from limitkit.config.declared import (
    MOST_RESENDS,
    Feedback,
    Key,
    Limit,
    MetricsSettings,
    Part,
    Patience,
    StoreSettings,
    TaskRule,
    WaitingSettings,
    patience_of,
)
from limitkit.config.model.ports import parse_ports
from limitkit.config.model.store_url import expand
from limitkit.config.model.units import parse_duration, parse_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.config.model.fields import Mode, OnError
    from limitkit.config.model.tables import FeedbackTable, LimitTable, RateLimits, TaskTable
    from limitkit.config.source.toml import Document

_WEAKNESS: Final[tuple[Mode, ...]] = ("enforce", "shadow", "off")
_CACHED: Final = 10_000  # names come in with messages too, so the cache has a bound


@dataclass(frozen=True, slots=True)
class Entry:
    """A ``[tasks."..."]`` table; a pattern's is for many tasks."""

    pattern: str
    line: int
    order: int
    limits: tuple[Limit, ...]
    patience: Patience | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The literal texts between the wildcards."""
        return tuple(self.pattern.split("*"))

    @property
    def weight(self) -> int:
        """How many literal characters it has: of two patterns the heavier one applies."""
        return len(self.pattern) - self.pattern.count("*")

    def rule(self, task: str) -> TaskRule:
        """Make the rule for one task of this entry."""
        limits = tuple(_named(limit, task) if limit.own else limit for limit in self.limits)
        return TaskRule(self.pattern, self.line, limits, self.patience)


@dataclass(frozen=True)
class Rules:
    """All that a file declares. Nothing in it changes; what ``for_task`` has found is cached."""

    path: str
    mode: Mode
    store: StoreSettings
    exact: Mapping[str, Entry]
    patterns: tuple[Entry, ...]
    """Heaviest first; of equal ones the first in the file."""
    named: Mapping[str, Limit]
    """All named limits, used or not."""
    waiting: WaitingSettings
    metrics: MetricsSettings
    _found: dict[str, TaskRule | None] = field(default_factory=dict, repr=False, compare=False)
    _parts: tuple[tuple[tuple[str, ...], Entry], ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parts", tuple((entry.parts, entry) for entry in self.patterns))

    def __reduce__(self) -> tuple[object, ...]:
        declared = (self.store, self.exact, self.patterns, self.named, self.waiting, self.metrics)
        return type(self), (self.path, self.mode, *declared)

    @property
    def exact_names(self) -> tuple[str, ...]:
        """The entries without a wildcard, in the order of the file."""
        return tuple(self.exact)

    def for_task(self, name: str) -> TaskRule | None:
        """Find the rule of a task: its exact entry, else the heaviest pattern; None when it has no entry."""
        try:
            return self._found[name]
        except KeyError:
            pass
        entry = self.exact.get(name) or next(iter(self.matching(name)), None)
        rule = entry.rule(name) if entry else None
        if len(self._found) >= _CACHED:
            self._found.clear()
        self._found[name] = rule
        return rule

    def matching(self, name: str) -> list[Entry]:
        """All patterns that match a name, best first. Names of Celery's own tasks match none."""
        if name.startswith("celery."):
            return []
        return [entry for parts, entry in self._parts if _matches(parts, name)]

    def ambiguous(self, name: str) -> tuple[str, str] | None:
        """Find two patterns of equal weight that both match a name; the first of them applies."""
        if name in self.exact:
            return None
        first, second = [*self.matching(name)[:2], None, None][:2]
        if first is None or second is None or first.weight != second.weight:
            return None
        return first.pattern, second.pattern


def compile(  # noqa: A001 - the word for it
    model: RateLimits, document: Document, mode: Mode | None = None, ports: range = range(0)
) -> Rules:
    """Make the rules of a model.

    ``mode`` is from ``LIMITKIT_MODE``, ``ports`` from ``LIMITKIT_METRICS_PORT``; both win over the file.
    """
    in_force = mode or model.mode
    store = StoreSettings(
        url=_expanded(model.store.url),
        prefix=model.store.prefix,
        timeout=parse_duration(model.store.timeout),
        on_error=model.store.on_error,
    )
    held = model.waiting
    waiting = WaitingSettings(parse_duration(held.hold), held.per_limit, held.per_worker, held.rescue)
    named = {
        name: _limit(document, ("limits", name), table, store.on_error, in_force)
        for name, table in model.limits.items()
    }
    exact, patterns = {}, []
    for order, (name, table) in enumerate(model.tasks.items()):
        limits = _limits_of(document, name, table, named, store.on_error, mode=weakest(in_force, table.mode))
        patience = patience_of(limits, table.on_limit, _seconds(table.max_wait))
        entry = Entry(name, document.place(("tasks", name), "header")[0], order, limits, patience)
        if "*" in name:
            patterns.append(entry)
        else:
            exact[name] = entry
    patterns.sort(key=lambda entry: (-entry.weight, entry.order))
    metrics = _metrics(model, ports)
    return Rules(document.path, in_force, store, exact, tuple(patterns), named, waiting, metrics)


def _metrics(model: RateLimits, ports: range) -> MetricsSettings:
    """Return the settings of ``[metrics]``: an empty table also switches metrics on."""
    port, wanted = model.metrics.port, "metrics" in model.model_fields_set
    ports = ports or (parse_ports(port) if port is not None else range(0))
    return MetricsSettings(wanted or bool(ports), model.metrics.host, ports)


def weakest(*modes: Mode) -> Mode:
    """Return the weakest of several modes: ``off`` before ``shadow`` before ``enforce``."""
    return max(modes, key=_WEAKNESS.index)


def _expanded(url: str | None) -> str | None:
    return None if url is None else expand(url, os.environ)


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else parse_duration(duration)


def _limits_of(
    document: Document, name: str, table: TaskTable, named: Mapping[str, Limit], on_error: OnError, *, mode: Mode
) -> tuple[Limit, ...]:
    """Return a task's limits; the task's own ``on_error`` wins over theirs."""
    if table.limits is None:
        return (_limit(document, ("tasks", name), table, on_error, mode),)
    limits = [named[each] for each in table.limits]
    return tuple(
        replace(limit, mode=weakest(mode, limit.mode), on_error=table.on_error or limit.on_error) for limit in limits
    )


def _limit(
    document: Document, path: tuple[str, str], table: LimitTable | TaskTable, on_error: OnError, mode: Mode
) -> Limit:
    section, name = path
    if table.strategy is None or table.rate is None:  # the model refuses such a table
        raise ValueError(name)
    return Limit(
        name=name,
        own=section == "tasks",
        strategy=table.strategy,
        rate=parse_rate(table.rate),
        burst=table.burst,
        key=Key((Part(tuple(table.key.split("."))),)) if table.key is not None else None,
        mode=weakest(mode, table.mode),
        path=document.path,
        line=document.place(path, "header")[0],
        on_error=table.on_error or on_error,
        on_limit=table.on_limit or "wait",
        max_wait=_seconds(table.max_wait),
        feedback=_feedback(name, table.feedback),
    )


def _named(limit: Limit, task: str) -> Limit:
    """Name a limit that a pattern declares after one of its tasks."""
    return replace(limit, name=task, feedback=limit.feedback and replace(limit.feedback, limit=task))


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


def _matches(parts: tuple[str, ...], name: str) -> bool:
    """Match literal texts one after the other, from the left: linear time for any pattern."""
    first, *middle, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
