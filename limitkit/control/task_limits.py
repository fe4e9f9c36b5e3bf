"""The limits in force in this process: the rules, the store, and each task's buckets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from limitkit.buckets.cost import CostReader, most_tokens, settled_cost
from limitkit.buckets.override import Target
from limitkit.buckets.partition import Resolver, bucket_key, limit_tag
from limitkit.buckets.slots import new_member, random_hex
from limitkit.buckets.turns import NOBODY, TurnTaker
from limitkit.clock import SYSTEM
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
    from limitkit.clock import Clock
    from limitkit.config.declared import Limit, Patience, TaskRule
    from limitkit.config.model.fields import Mode, OnError
    from limitkit.config.rules import Rules
    from limitkit.control.in_force import Terms
    from limitkit.stores.store import Store

_MOST_CACHED: Final = 10_000
_CELERYS_OWN: Final = "celery."


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
    limit: Limit | None = None
    """The limit; None for an extra cap, which no file declares."""

    @property
    def taker(self) -> TurnTaker:
        """For whom the start is."""
        return TurnTaker(self.turn, self.weight, self.cost) if self.turn else NOBODY


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


_Bound: TypeAlias = dict[tuple[str, str | None], tuple[BoundLimit, ...]]
"""By the names of a task, and of the queue that it comes from."""


class TaskLimits:
    """The config that is in force, bound to the tasks of one app, and the clock by which they start."""

    def __init__(
        self, rules: Rules, store: Store | None, clock: Clock = SYSTEM, new_name: Callable[[], str] = random_hex
    ) -> None:
        """``new_name`` makes names that nobody else has, of workers and of starts that take slots."""
        self.rules = rules
        self.store = store
        self.clock = clock
        self.new_name = new_name
        self.worker_count = WorkerCount(rules.store.prefix, new_name)
        self.in_force = InForce(clock)
        self.outage = Outage(clock)
        self.freshen: Callable[[], None] = lambda: None
        """Looks at the overrides in the store, in a process where no timer does."""
        self.on_errors = _on_errors(rules)
        """The ``on_error`` settings of the shared limits in force."""
        self.has_shadows = _has_shadows(rules)
        """Whether any limit is in shadow."""
        self.has_queues = _has_queues(rules)
        """Whether any queue has limits."""
        self.suspended = False
        """Whether none of them holds for now, as a test may want it."""
        self._enforced: _Bound = {}
        self._shadows: _Bound = {}
        self._warnings = MessageWarnings()

    def use(self, rules: Rules) -> None:
        """Use other rules from now on. The store's address and prefix stay as they were."""
        self.rules = replace(rules, store=self.rules.store)
        self.on_errors = _on_errors(rules)
        self.has_shadows = _has_shadows(rules)
        self.has_queues = _has_queues(rules)
        self.changed()

    def suspend(self, *, on: bool) -> None:
        """Let none of them hold, or all of them again."""
        self.suspended = on
        self.changed()

    def changed(self) -> None:
        """Forget the cached limits of each task, because something else is in force."""
        self._enforced.clear()
        self._shadows.clear()

    def new_member(self) -> str:
        """Name a start that begins now, so that its slots are its own."""
        return new_member(self.clock.time(), self.new_name)

    def terms(self, tasks: Iterable[Any]) -> dict[str, Terms]:
        """Return the terms of each limit of these tasks, by the tag in its buckets' keys.

        Partitions that have terms of their own follow, by the whole keys of their buckets.
        """
        found: dict[str, Terms] = {}
        for bound in (*(bound for task in tasks for bound in self.limits(task)), *self.of_queues()):
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

    def limits(self, task: Any, queue: str | None = None) -> tuple[BoundLimit, ...]:
        """Return the limits in force for a task that comes from a queue; found by name, so it may be registered late.

        Without a queue they are the task's own.
        """
        bound = self._enforced.get((task.name, queue))
        return self._in_mode(self._enforced, task, queue, "enforce") if bound is None else bound

    def shadows(self, task: Any, queue: str | None = None) -> tuple[BoundLimit, ...]:
        """Return the limits that are in shadow mode."""
        bound = self._shadows.get((task.name, queue))
        return self._in_mode(self._shadows, task, queue, "shadow") if bound is None else bound

    def of_queues(self, mode: Mode = "enforce") -> Iterator[BoundLimit]:
        """Go through the limits of queues, bound to no task; one of several queues comes several times."""
        for limit in _of_queues(self.rules):
            if limit.mode == mode:
                key = bucket_key(self.rules.store.prefix, limit, None) if limit.key is None else None
                terms, apart = self.in_force.terms(limit, ""), self.in_force.apart(limit, "")
                yield BoundLimit(limit, terms, bucket_of(key, limit, terms) if key else None, None, apart=apart)

    def may_limit(self, task: Any) -> bool:
        """Whether some message of a task may have a limit: any task may be sent to a queue that has limits."""
        return bool(self.limits(task)) or (self.has_queues and not task.name.startswith(_CELERYS_OWN))

    def patience(self, task: Any, queue: str | None = None) -> Patience | None:
        """Return how long a task may wait for its limits; None for as long as it takes."""
        rule = self._rule(task, queue)
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
        return Ask(bucket, bound.local, cost, turn, weight, bound.limit)

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

    def _in_mode(self, found: _Bound, task: Any, queue: str | None, mode: Mode) -> tuple[BoundLimit, ...]:
        rule = self._rule(task, queue)
        limits, pattern = (rule.limits, rule.pattern) if rule else ((), "")
        bound = tuple(self._bind(task, limit, pattern) for limit in limits if limit.mode == mode)
        if len(found) >= _MOST_CACHED:
            found.clear()
        found[task.name, queue] = bound
        return bound

    def _rule(self, task: Any, queue: str | None) -> TaskRule | None:
        if self.suspended:
            return None
        if queue is None or not self.has_queues:
            return self.rules.for_task(task.name)
        return self.rules.together(task.name, queue)

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


def declared(rules: Rules) -> Iterator[Limit]:
    """Go through the limits that tasks and queues of a file have, each as often as it is named."""
    for entry in (*rules.exact.values(), *rules.patterns):
        yield from entry.limits
    yield from _of_queues(rules)


def _of_queues(rules: Rules) -> Iterator[Limit]:
    for table in (*rules.queues.values(), *rules.queue_patterns):
        yield from table.limits


def _has_shadows(rules: Rules) -> bool:
    return any(limit.mode == "shadow" for limit in declared(rules))


def _has_queues(rules: Rules) -> bool:
    return any(limit.mode != "off" for limit in _of_queues(rules))


def _on_errors(rules: Rules) -> frozenset[OnError]:
    return frozenset(each.on_error for each in declared(rules) if each.mode == "enforce" and not each.local)


def signature_of(task: Any) -> Any:
    """Return the signature of the task's own code, without ``self``."""
    from limitkit.config.app_check import task_signature  # noqa: PLC0415 (code of validate, needed only for limits with a key)

    return task_signature(task)
