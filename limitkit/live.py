"""What is in force in this process: the rules, the store that they are asked of, and each task's buckets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.decision import Bucket
from limitkit.headcount import Headcount
from limitkit.partition import Resolver, bucket_key

if TYPE_CHECKING:
    from limitkit.declared import Limit, Patience
    from limitkit.fields import OnError
    from limitkit.rules import Rules
    from limitkit.stores import Store

logger = logging.getLogger("limitkit")


@dataclass(frozen=True, slots=True)
class BoundLimit:
    """A limit as it applies to one task."""

    limit: Limit
    bucket: Bucket | None
    """The one bucket, when it has no partitions."""
    resolve: Resolver | None

    @property
    def local(self) -> bool:
        """Whether its bucket is this worker's own."""
        return self.limit.strategy == "static"


class Live:
    """The config that is in force, bound to the tasks of one app."""

    def __init__(self, rules: Rules, store: Store | None) -> None:
        self.rules = rules
        self.store = store
        self.headcount = Headcount(rules.store.prefix)
        self.on_errors = _on_errors(rules)
        """What the shared limits that are in force say of the time without a store."""
        self._bound: dict[str, tuple[BoundLimit, ...]] = {}
        self._missing: set[str] = set()

    def limits(self, task: Any) -> tuple[BoundLimit, ...]:
        """Return the limits that are in force for a task; looked up by name, so late registration is no matter."""
        bound = self._bound.get(task.name)
        if bound is None:
            rule = self.rules.for_task(task.name)
            limits = rule.limits if rule else ()
            bound = self._bound[task.name] = tuple(self._bind(task, lim) for lim in limits if lim.mode == "enforce")
        return bound

    def patience(self, task: Any) -> Patience | None:
        """Return how long a task may wait for its limits; None for as long as it takes."""
        rule = self.rules.for_task(task.name)
        return rule.patience if rule is not None else None

    def bucket(self, bound: BoundLimit, task: Any, args: Any, kwargs: Any) -> Bucket:
        """Return the bucket that a start with these arguments takes from."""
        if bound.bucket is not None:
            return bound.bucket
        assert bound.resolve is not None  # noqa: S101 (one of the two is set)
        partition = bound.resolve(args, kwargs)
        if partition.missing and task.name not in self._missing:
            self._missing.add(task.name)
            logger.warning(
                "%s was sent without %s, the key of limit %s; such messages share one bucket; "
                "send the argument, or give it a default",
                task.name,
                ".".join(bound.limit.key or ()),
                bound.limit.name,
            )
        key = bucket_key(self.rules.store.prefix, bound.limit, partition)
        return _bucket(key, bound.limit)

    def _bind(self, task: Any, limit: Limit) -> BoundLimit:
        if limit.key is not None:
            return BoundLimit(limit, None, Resolver(signature_of(task), limit.key))
        key = bucket_key(self.rules.store.prefix, limit, None)
        return BoundLimit(limit, _bucket(key, limit), None)


def _bucket(key: str, limit: Limit) -> Bucket:
    return Bucket(key, limit.rate.interval_us, limit.burst, limit.on_error == "divide", limit.feedback)


def _on_errors(rules: Rules) -> frozenset[OnError]:
    limits = [limit for entry in (*rules.exact.values(), *rules.patterns) for limit in entry.limits]
    return frozenset(limit.on_error for limit in limits if limit.mode != "off" and limit.strategy != "static")


def signature_of(task: Any) -> Any:
    """Return the signature of the task's own code, without ``self``."""
    from limitkit.appcheck import task_signature  # noqa: PLC0415 (validation code, wanted only where limits have keys)

    return task_signature(task)
