"""The limits in force in this process: the rules, the store, and each task's buckets."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.partition import Partition, Resolver, bucket_key, canonical, limit_tag
from limitkit.control.in_force import InForce
from limitkit.control.make_bucket import bucket_of
from limitkit.stores.outage import Outage
from limitkit.stores.worker_count import WorkerCount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from limitkit.buckets.decision import Bucket
    from limitkit.config.declared import Limit, Patience
    from limitkit.config.model.fields import Mode, OnError
    from limitkit.config.rules import Rules
    from limitkit.control.in_force import Terms
    from limitkit.stores.store import Store

logger = logging.getLogger("limitkit")


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Call(NamedTuple):
    """What a message has that limits look at."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = _NOTHING
    headers: Mapping[str, Any] = _NOTHING
    """The headers that its sender has added."""


class Ask(NamedTuple):
    """What one start takes from one of its limits."""

    bucket: Bucket
    local: bool
    """Whether the bucket is in this worker's memory."""
    cost: int = 1
    turn: str = ""
    """The canonical text of the value of ``fair_by``: those that wait take turns by it; empty without ``fair_by``."""
    weight: float = 1.0
    """The value's weight: how many turns it has for each one of a value with weight 1."""


@dataclass(frozen=True, slots=True)
class BoundLimit:
    """A limit as it applies to one task."""

    limit: Limit
    terms: Terms
    """Its rate and burst in force."""
    bucket: Bucket | None
    """Its only bucket; None when it has partitions."""
    resolve: Resolver | None
    pattern: str = ""
    """The entry by which the task has it."""
    apart: bool = False
    """Whether any of its partitions may have terms of its own."""

    @property
    def local(self) -> bool:
        """Whether its bucket is in this worker's memory."""
        return self.limit.local


class TaskLimits:
    """The config that is in force, bound to the tasks of one app."""

    def __init__(self, rules: Rules, store: Store | None) -> None:
        self.rules = rules
        self.store = store
        self.worker_count = WorkerCount(rules.store.prefix)
        self.in_force = InForce()
        self.outage = Outage()
        self.freshen: Callable[[], None] = lambda: None
        """Looks at the overrides in the store, in a process where no timer does."""
        self.on_errors = _on_errors(rules)
        """The ``on_error`` settings of the shared limits in force."""
        self.has_shadows = _has_shadows(rules)
        """Whether any limit is in shadow."""
        self._enforced: dict[str, tuple[BoundLimit, ...]] = {}
        self._shadows: dict[str, tuple[BoundLimit, ...]] = {}
        self._missing: set[str] = set()
        self._vague: set[str] = set()

    def use(self, rules: Rules) -> None:
        """Use other rules from now on. The store's address and prefix stay as they were."""
        self.rules = replace(rules, store=self.rules.store)
        self.on_errors = _on_errors(rules)
        self.has_shadows = _has_shadows(rules)
        self.changed()

    def changed(self) -> None:
        """Forget the cached limits of each task, because something else is in force."""
        self._enforced.clear()
        self._shadows.clear()

    def terms(self, tasks: Iterable[Any]) -> dict[str, Terms]:
        """Return the terms of each limit of these tasks, by the tag in its buckets' keys.

        Partitions that have terms of their own follow, by the whole keys of their buckets.
        """
        found: dict[str, Terms] = {}
        for bound in (bound for task in tasks for bound in self.limits(task)):
            tag = limit_tag(bound.limit.name, own=bound.limit.own)
            if tag not in found:
                found[tag] = bound.terms
                found.update(self._apart(bound) if bound.apart else ())
        return found

    def _apart(self, bound: BoundLimit) -> Iterator[tuple[str, Terms]]:
        prefix, in_force = self.rules.store.prefix, self.in_force
        whole = bucket_key(prefix, bound.limit, None)
        for digest, shown in in_force.partitions_apart(bound.limit, bound.pattern).items():
            key = bucket_key(prefix, bound.limit, Partition(canonical(shown))) if shown else f"{whole}:{digest}"
            yield key, in_force.terms(bound.limit, bound.pattern, digest)

    def limits(self, task: Any) -> tuple[BoundLimit, ...]:
        """Return the limits in force for a task; found by name, so it may be registered late."""
        bound = self._enforced.get(task.name)
        if bound is None:
            bound = self._enforced[task.name] = self._in_mode(task, "enforce")
        return bound

    def shadows(self, task: Any) -> tuple[BoundLimit, ...]:
        """Return the limits of a task that are in shadow mode."""
        bound = self._shadows.get(task.name)
        if bound is None:
            bound = self._shadows[task.name] = self._in_mode(task, "shadow")
        return bound

    def patience(self, task: Any) -> Patience | None:
        """Return how long a task may wait for its limits; None for as long as it takes."""
        rule = self.rules.for_task(task.name)
        return rule.patience if rule is not None else None

    def ask(self, bound: BoundLimit, task: Any, call: Call) -> Ask:
        """Return what a start of a task takes from one of its limits."""
        return Ask(self._bucket(bound, task, call), bound.local)

    def _bucket(self, bound: BoundLimit, task: Any, call: Call) -> Bucket:
        if bound.bucket is not None:
            return bound.bucket
        assert bound.resolve is not None  # noqa: S101 (one of the two is set)
        partition = bound.resolve(call.args, call.kwargs)
        if partition.missing and task.name not in self._missing:
            self._missing.add(task.name)
            logger.warning(
                "%s was sent without %s, the key of limit %s; such messages share one bucket; "
                "send the argument, or give it a default",
                task.name,
                bound.limit.key,
                bound.limit.name,
            )
        if partition.vague and task.name not in self._vague:
            self._vague.add(task.name)
            logger.warning(
                "The key %s of limit %s has %s in a message of %s; those that differ in that alone share one bucket; "
                "send an id or a text instead.",
                bound.limit.key,
                bound.limit.name,
                partition.vague,
                task.name,
            )
        key = bucket_key(self.rules.store.prefix, bound.limit, partition)
        terms = self.in_force.terms(bound.limit, bound.pattern, partition) if bound.apart else bound.terms
        return bucket_of(key, bound.limit, terms)

    def _in_mode(self, task: Any, mode: Mode) -> tuple[BoundLimit, ...]:
        rule = self.rules.for_task(task.name)
        limits, pattern = (rule.limits, rule.pattern) if rule else ((), "")
        return tuple(self._bind(task, limit, pattern) for limit in limits if limit.mode == mode)

    def _bind(self, task: Any, limit: Limit, pattern: str) -> BoundLimit:
        terms = self.in_force.terms(limit, pattern)
        if limit.key is not None:
            resolve = Resolver(signature_of(task), limit.key.parts[0].path)
            return BoundLimit(limit, terms, None, resolve, pattern, self.in_force.apart(limit, pattern))
        key = bucket_key(self.rules.store.prefix, limit, None)
        return BoundLimit(limit, terms, bucket_of(key, limit, terms), None, pattern)


def _has_shadows(rules: Rules) -> bool:
    return any(limit.mode == "shadow" for entry in (*rules.exact.values(), *rules.patterns) for limit in entry.limits)


def _on_errors(rules: Rules) -> frozenset[OnError]:
    limits = [limit for entry in (*rules.exact.values(), *rules.patterns) for limit in entry.limits]
    return frozenset(limit.on_error for limit in limits if limit.mode == "enforce" and not limit.local)


def signature_of(task: Any) -> Any:
    """Return the signature of the task's own code, without ``self``."""
    from limitkit.config.app_check import task_signature  # noqa: PLC0415 (code of validate, needed only for limits with a key)

    return task_signature(task)
