"""The limits in force in this process: the rules, the store, and each task's buckets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from limitkit.buckets.cost import CostReader, most_tokens, settled_cost
from limitkit.buckets.override import Target
from limitkit.buckets.partition import Resolver, bucket_key, limit_tag
from limitkit.config.declared import ONE
from limitkit.control.in_force import InForce
from limitkit.control.make_bucket import bucket_of
from limitkit.control.message_warnings import MessageWarnings
from limitkit.control.targets import keys_of
from limitkit.stores.outage import Outage
from limitkit.stores.worker_count import WorkerCount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from limitkit.buckets.call import Call
    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.override import Section
    from limitkit.config.declared import Limit, Patience
    from limitkit.config.model.fields import Mode, OnError
    from limitkit.config.rules import Rules
    from limitkit.control.in_force import Terms
    from limitkit.stores.store import Store


class Ask(NamedTuple):
    """What one start takes from one of its limits."""

    bucket: Bucket
    local: bool
    """Whether the bucket is in this worker's memory."""
    cost: int = 1
    turn: str = ""
    """The digest of the value of ``fair_by``: those that wait take turns by it; empty without ``fair_by``."""
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
    costs: CostReader | None = None
    """None when each start takes one token."""
    turn: Resolver | None = None
    """Finds the value of ``fair_by``."""
    pattern: str = ""
    """The entry by which the task has it."""
    apart: bool = False
    """Whether any of its partitions may have terms of its own."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Weights in force of values of ``fair_by``, by their digests; others have 1."""

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
        self._warnings = MessageWarnings()

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

    def weights(self, tasks: Iterable[Any]) -> dict[str, Mapping[str, float]]:
        """Return the weights in force of the limits of these tasks that have ``fair_by``, by the tag in their keys."""
        return {
            limit_tag(bound.limit.name, own=bound.limit.own): bound.weights
            for task in tasks
            for bound in self.limits(task)
            if bound.turn is not None
        }

    def _apart(self, bound: BoundLimit) -> Iterator[tuple[str, Terms]]:
        section: Section = "tasks" if bound.limit.own else "limits"
        for digest, shown in self.in_force.partitions_apart(bound.limit, bound.pattern).items():
            terms = self.in_force.terms(bound.limit, bound.pattern, digest)
            target = Target(section, bound.limit.name, digest, shown)
            yield from ((key, terms) for key in keys_of(self.rules.store.prefix, bound.limit, target))

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
        bucket = bound.bucket or self._partition_bucket(bound, task, call)
        cost, turn, weight = 1, "", 1.0
        if bound.costs is not None:
            cost, fault = bound.costs(call)
            if fault:
                self._warnings.cost(fault, cost, task.name, bound.limit)
        if bound.turn is not None:
            value = bound.turn(call)
            self._warnings.partition(value, task.name, bound.limit, "fair_by")
            turn = value.digest
            weight = bound.weights.get(turn, 1.0) if bound.weights else 1.0
        return Ask(bucket, bound.local, cost, turn, weight)

    def settled(self, bound: BoundLimit, task: Any, value: Any) -> int | None:
        """Read what a start has cost from what its task has returned; None when that does not say it."""
        limit = bound.limit
        if limit.settle is None:
            return None
        tokens = settled_cost(value, limit.settle, most_tokens(limit.interval_us))
        if tokens is None:
            self._warnings.unsettled(task.name, limit)
        return tokens

    def _partition_bucket(self, bound: BoundLimit, task: Any, call: Call) -> Bucket:
        assert bound.resolve is not None  # noqa: S101 (it has no bucket of its own)
        partition = bound.resolve(call)
        self._warnings.partition(partition, task.name, bound.limit, "key")
        key = bucket_key(self.rules.store.prefix, bound.limit, partition)
        terms = self.in_force.terms(bound.limit, bound.pattern, partition) if bound.apart else bound.terms
        return bucket_of(key, bound.limit, terms)

    def _in_mode(self, task: Any, mode: Mode) -> tuple[BoundLimit, ...]:
        rule = self.rules.for_task(task.name)
        limits, pattern = (rule.limits, rule.pattern) if rule else ((), "")
        return tuple(self._bind(task, limit, pattern) for limit in limits if limit.mode == mode)

    def _bind(self, task: Any, limit: Limit, pattern: str) -> BoundLimit:
        terms = self.in_force.terms(limit, pattern)
        signature = signature_of(task) if limit.key or limit.fair_by or limit.cost.of else None
        costs = CostReader(signature, limit.cost, limit.interval_us) if limit.cost != ONE else None
        turn = Resolver(signature, limit.fair_by) if limit.fair_by is not None else None
        weights = self.in_force.weights(limit, pattern) if turn is not None else {}
        if limit.key is not None:
            resolve, apart = Resolver(signature, limit.key), self.in_force.apart(limit, pattern)
            return BoundLimit(limit, terms, None, resolve, costs, turn, pattern, apart, weights)
        bucket = bucket_of(bucket_key(self.rules.store.prefix, limit, None), limit, terms)
        return BoundLimit(limit, terms, bucket, None, costs, turn, pattern, weights=weights)


def _has_shadows(rules: Rules) -> bool:
    return any(limit.mode == "shadow" for entry in (*rules.exact.values(), *rules.patterns) for limit in entry.limits)


def _on_errors(rules: Rules) -> frozenset[OnError]:
    limits = [limit for entry in (*rules.exact.values(), *rules.patterns) for limit in entry.limits]
    return frozenset(limit.on_error for limit in limits if limit.mode == "enforce" and not limit.local)


def signature_of(task: Any) -> Any:
    """Return the signature of the task's own code, without ``self``."""
    from limitkit.config.app_check import task_signature  # noqa: PLC0415 (code of validate, needed only for limits with a key)

    return task_signature(task)
