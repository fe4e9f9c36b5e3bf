"""The rules in force: what the file declares, immutable and found by task name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from limitkit.config.declared import TaskRule, patience_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.config.declared import Limit, MetricsSettings, Patience, StoreSettings, WaitingSettings
    from limitkit.config.model.fields import Mode, OnLimit

_WEAKNESS: Final[tuple[Mode, ...]] = ("enforce", "shadow", "off")
_CACHED: Final = 10_000  # names come in with messages too, so the cache has a bound


class _Named(Protocol):
    @property
    def pattern(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


@dataclass(frozen=True, slots=True)
class Entry:
    """A ``[tasks."..."]`` table; a pattern's is for many tasks."""

    pattern: str
    line: int
    order: int
    limits: tuple[Limit, ...]
    patience: Patience | None = None
    on_limit: OnLimit | None = None
    """The task's own key; None when it has none."""
    max_wait: float | None = None
    """The task's own key, in seconds."""
    path: str = ""
    """The file that it is in."""

    @property
    def weight(self) -> int:
        """How many literal characters it has: of two patterns the heavier one applies."""
        return weight_of(self.pattern)

    def rule(self, task: str) -> TaskRule:
        """Make the rule for one task of this entry."""
        limits = tuple(_named(limit, task) if limit.own else limit for limit in self.limits)
        return TaskRule(self.pattern, self.line, limits, self.patience, self.path)


@dataclass(frozen=True, slots=True)
class QueueRule:
    """A ``[queues."..."]`` table: limits of all tasks that come from a queue, beside their own."""

    pattern: str
    line: int
    order: int
    limits: tuple[Limit, ...]
    path: str = ""
    """The file that it is in."""


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
    queues: Mapping[str, QueueRule] = field(default_factory=dict)
    queue_patterns: tuple[QueueRule, ...] = ()
    """Heaviest first; of equal ones the first in the file."""
    _found: dict[str, TaskRule | None] = field(default_factory=dict, repr=False, compare=False)
    _parts: tuple[tuple[tuple[str, ...], Entry], ...] = field(default=(), repr=False, compare=False)
    _queue_parts: tuple[tuple[tuple[str, ...], QueueRule], ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parts", _with_parts(self.patterns))
        object.__setattr__(self, "_queue_parts", _with_parts(self.queue_patterns))

    def __reduce__(self) -> tuple[object, ...]:
        tables = (self.exact, self.patterns, self.named)
        declared = (self.store, *tables, self.waiting, self.metrics, self.queues, self.queue_patterns)
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
        entry = self._entry(name)
        rule = entry.rule(name) if entry else None
        if len(self._found) >= _CACHED:
            self._found.clear()
        self._found[name] = rule
        return rule

    def for_queue(self, name: str) -> QueueRule | None:
        """Find the rule of a queue: its exact table, else the heaviest pattern; None when it has none.

        It never holds for Celery's own tasks, whose names begin with ``celery.``.
        """
        return self.queues.get(name) or next(iter(_matching(self._queue_parts, name)), None)

    def together(self, task: str, queue: str) -> TaskRule | None:
        """Return what holds for a task that comes from a queue: its own rule, and behind it the queue's limits.

        A limit that both name counts once, as the task has it, unless the queue keeps it more strictly: its mode is
        the stronger one. None when neither names a limit and the task has no entry.
        """
        rule = self.for_task(task)
        beside = None if task.startswith("celery.") else self.for_queue(queue)
        if beside is None or not beside.limits:
            return rule
        own, entry = rule.limits if rule is not None else (), self._entry(task)
        limits = _once(own, beside.limits)
        patience = patience_of(limits, *((entry.on_limit, entry.max_wait) if entry is not None else (None, None)))
        if rule is None:
            return TaskRule(beside.pattern, beside.line, limits, patience, beside.path)
        return replace(rule, limits=limits, patience=patience)

    def _entry(self, task: str) -> Entry | None:
        return self.exact.get(task) or next(iter(self.matching(task)), None)

    def matching(self, name: str) -> list[Entry]:
        """All patterns that match a name, best first. Names of Celery's own tasks match none."""
        return _matching(self._parts, name)

    def ambiguous(self, name: str) -> tuple[str, str] | None:
        """Find two patterns of equal weight that both match a name; the first of them applies."""
        if name in self.exact:
            return None
        first, second = [*self.matching(name)[:2], None, None][:2]
        if first is None or second is None or first.weight != second.weight:
            return None
        return first.pattern, second.pattern


def weakest(*modes: Mode) -> Mode:
    """Return the weakest of several modes: ``off`` before ``shadow`` before ``enforce``."""
    return max(modes, key=_WEAKNESS.index)


def weight_of(pattern: str) -> int:
    """Count the literal characters of a pattern."""
    return len(pattern) - pattern.count("*")


def matches(pattern: str, task: str) -> bool:
    """Whether a name, or a pattern with ``*``, is that of a task; no pattern is that of Celery's own tasks."""
    if "*" not in pattern or task.startswith("celery."):
        return pattern == task
    return _matches(tuple(pattern.split("*")), task)


def _named(limit: Limit, task: str) -> Limit:
    """Name a limit that a pattern declares after one of its tasks."""
    return replace(limit, name=task, feedback=limit.feedback and replace(limit.feedback, limit=task))


def _once(own: Iterable[Limit], beside: Iterable[Limit]) -> tuple[Limit, ...]:
    """Put the limits of a queue behind those of a task, each once."""
    found = {(limit.own, limit.name): limit for limit in own}
    for limit in beside:
        first = found.setdefault((limit.own, limit.name), limit)
        if _WEAKNESS.index(limit.mode) < _WEAKNESS.index(first.mode):
            found[limit.own, limit.name] = replace(first, mode=limit.mode)
    return tuple(found.values())


def _with_parts(patterns: Iterable[_N]) -> tuple[tuple[tuple[str, ...], _N], ...]:
    """Split patterns into the literal texts between their wildcards."""
    return tuple((tuple(each.pattern.split("*")), each) for each in patterns)


def _matching(patterns: Iterable[tuple[tuple[str, ...], _N]], name: str) -> list[_N]:
    if name.startswith("celery."):
        return []
    return [each for parts, each in patterns if _matches(parts, name)]


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
