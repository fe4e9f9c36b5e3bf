"""The state of limits in all workers together, read from the store and from the waiting room of a Redis broker."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.decision import Bucket, Take
from limitkit.buckets.partition import bucket_key
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.control.bucket_state import adapted, is_foreseen, state_of
from limitkit.control.in_force import InForce
from limitkit.control.usage import usages
from limitkit.control.workers import UnreachableError
from limitkit.errors import StoreError
from limitkit.metrics import families as f
from limitkit.metrics.counters import made
from limitkit.stores.overrides import OverrideStore
from limitkit.waiting import room_names
from limitkit.waiting.bucket_owners import Owners
from limitkit.waiting.drain_time import draining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.control.bucket_state import BucketState
    from limitkit.metrics.counters import Shown
    from limitkit.stores.store import Store
    from limitkit.waiting.bucket_owners import Sum
    from limitkit.waiting.parked_messages import Pile

logger = logging.getLogger("limitkit")

_AT_ONCE: Final = 100
"""Buckets that are read in one call, which bounds the time that Redis needs for it."""
_MOST_PILES: Final = 20_000
"""Buckets with parked tasks that are counted: more would keep the broker busy for over a second in all."""
_OTHERS: Final = "(not in the file)"
"""The label of limits that the file does not declare, e.g. of another app on the same broker."""
Numbers = dict[tuple[str, ...], float]
_MOST: Final = {
    f.CLUSTER_BURST: ("static", "token_bucket", "per_user"),
    f.CLUSTER_WINDOW: ("window",),
    f.CLUSTER_SLOTS: ("concurrency",),
}
"""What shows the most that limits of these kinds admit at once."""


class Cluster:
    """Asks the store and the broker of an app, and keeps their answers until it asks again."""

    def __init__(self, app: Any, rules: Rules, store: Store | None) -> None:
        self._app = app
        self._rules = rules
        self._store = store
        self._in_force = InForce()
        self._limits = _limits(rules, app.tasks)
        self.known: list[Shown] = []
        """The last answers, as metrics."""
        self._complained: dict[str, str] = {}
        """By source, the error that was logged last."""

    def look(self) -> bool:
        """Ask once; returns whether all answered. Never raises for what can't be reached."""
        up: Numbers = {}
        known: list[Shown] = []
        for source, ask, wanted in (
            ("store", self._ask_store, self._store is not None),
            ("broker", self._ask_broker, room_names.kind_of(self._app) == room_names.REDIS),
        ):
            if wanted:
                up[source,] = float(self._asked(source, ask, known))
        per_second = {name: limit.per_second for name, (limit, _) in self._limits.items()}
        declared: Numbers = {(name,): rate for name, rate in per_second.items() if rate is not None}
        known += [made(f.CLUSTER_DECLARED, declared), made(f.CLUSTER_UP, up), made(f.CLUSTER_TIME, {(): time.time()})]
        self.known = known
        return all(up.values())

    def _asked(self, source: str, ask: Callable[[], Iterator[Shown]], known: list[Shown]) -> bool:
        try:
            known += list(ask())
        except (StoreError, UnreachableError) as error:
            if self._complained.get(source) != str(error):
                self._complained[source] = str(error)
                said = f"the store can't be asked: {error}" if source == "store" else str(error)
                fact = f"{said[0].upper()}{said[1:].rstrip('.')}"
                logger.warning("%s; its metrics are left out until it answers.", fact)
            return False
        self._complained.pop(source, None)
        return True

    # -- the store ------------------------------------------------------------------------------------------------

    def _ask_store(self) -> Iterator[Shown]:
        assert self._store is not None  # noqa: S101 (it is asked only if there is one)
        prefix = self._rules.store.prefix
        look = OverrideStore(self._store, prefix).look()
        self._in_force.use(look.overrides or (), look.now)
        stands = self._states(self._store, prefix)
        with_rate = {name: each for name, each in stands.items() if each.limit.rate is not None}
        rates: Numbers = {(name,): 0.0 if each.paused_for else 1 / each.interval for name, each in with_rate.items()}
        yield made(f.CLUSTER_RATE, rates)
        for family, strategies in _MOST.items():
            of_kind = {name: each for name, each in stands.items() if each.limit.strategy in strategies}
            most: Numbers = {(name,): 0.0 if each.paused_for else float(each.burst) for name, each in of_kind.items()}
            yield made(family, most)
        yield made(f.CLUSTER_OVERRIDE_ENDS, self._ends())
        yield made(f.CLUSTER_WORKERS, {(): float(self._store.note(f"{prefix}:workers", ""))})
        tokens: Numbers = dict(self._tokens(self._store, prefix, stands))
        yield from self._used(self._store, prefix, stands, tokens)
        yield made(f.CLUSTER_TOKENS, tokens)

    def _ends(self) -> Numbers:
        ends: Numbers = {}
        for name, (limit, pattern) in self._limits.items():
            found = [self._in_force.override(kind, limit, pattern) for kind in ("rate", "pause")]
            until = [each.until for each in found if each is not None and each.until is not None]
            if until:
                ends[name,] = min(until)
        return ends

    def _states(self, store: Store, prefix: str) -> dict[str, BucketState]:
        """Return the state of each limit; of one with partitions, that of those that the other side has not refused."""
        keys = {name: bucket_key(prefix, limit, None) for name, (limit, _) in self._limits.items()}
        with_feedback = [
            name for name, (limit, _) in self._limits.items() if limit.feedback is not None and not limit.key
        ]
        by_feedback = adapted(store, [keys[name] for name in with_feedback])
        return {
            name: state_of(self._in_force, limit, pattern, by_feedback.get(keys[name]))
            for name, (limit, pattern) in self._limits.items()
        }

    def _tokens(
        self, store: Store, prefix: str, stands: Mapping[str, BucketState]
    ) -> Iterator[tuple[tuple[str, ...], float]]:
        """Peek at each plain bucket as if its burst were 1: so the wait says in how many seconds it is full."""
        shared = [
            name for name, (limit, _) in self._limits.items() if limit.strategy == "token_bucket" and not limit.metered
        ]
        for first in range(0, len(shared), _AT_ONCE):
            some = shared[first : first + _AT_ONCE]
            takes = []
            for name in some:
                bucket = stands[name].bucket
                key = bucket_key(prefix, self._limits[name][0], None)
                full = bucket.burst * bucket.interval_us / MICROSECONDS
                takes.append(Take((Bucket(key, bucket.interval_us, 1),), 0, horizon=full))
            for name, take, decision in zip(some, takes, store.take(takes), strict=True):
                each = stands[name]
                tokens = (max(take.horizon, each.interval) - decision.waits[0]) / each.interval
                yield (name,), round(min(tokens, 0.0) if each.refused_for else tokens, 9)

    def _used(self, store: Store, prefix: str, stands: Mapping[str, BucketState], tokens: Numbers) -> Iterator[Shown]:
        """Look into what all workers share, and is no plain bucket; tokens of those with costs are added."""
        limits = {
            name: limit
            for name, (limit, _) in self._limits.items()
            if limit.key is None and not limit.local and (limit.metered or limit.strategy in ("window", "concurrency"))
        }
        buckets = [replace(stands[name].bucket, key=bucket_key(prefix, limit, None)) for name, limit in limits.items()]
        used = dict(zip(limits, usages(store, buckets, self._in_force.now), strict=True))
        of_tokens = {(name,): each for name, each in used.items() if each.tokens is not None}
        tokens.update({labels: round(each.tokens or 0.0, 9) for labels, each in of_tokens.items()})
        counted = {(name,): each.counted for name, each in used.items() if each.counted is not None}
        resets: Numbers = {(name,): each.resets_at for name, each in used.items() if each.resets_at is not None}
        running = {(name,): each.running for name, each in used.items() if each.running is not None}
        yield made(f.CLUSTER_DEBT, {labels: round(each.debt, 9) for labels, each in of_tokens.items()})
        yield made(f.CLUSTER_COUNTED, {labels: float(number) for labels, number in counted.items()})
        yield made(f.CLUSTER_RESETS, resets)
        yield made(f.CLUSTER_RUNNING, {labels: float(number) for labels, number in running.items()})

    # -- the broker -----------------------------------------------------------------------------------------------

    def _ask_broker(self) -> Iterator[Shown]:
        from limitkit.waiting.parked_messages import ParkedMessages, broker  # noqa: PLC0415 (imports redis)

        owners = Owners(self._rules, list(self._app.tasks))
        with broker(self._app) as channel:
            piles: list[Pile] = list(islice(ParkedMessages(channel, self._rules.store.prefix).piles(), _MOST_PILES))
        now = time.time()
        parked: Numbers = {(name,): 0.0 for name in self._limits}
        oldest: Numbers = {}
        sums = owners.sums(piles)
        for each in sums:
            name = self._shown(each)
            parked[name] = parked.get(name, 0.0) + each.parked
            oldest[name] = min(oldest.get(name, now), now - each.age)
        yield made(f.CLUSTER_PARKED, parked)
        yield made(f.CLUSTER_OLDEST, oldest)
        with suppress(StoreError):  # a warning already says that the store can't be asked
            known = draining(self._rules, self._in_force, self._store, owners, piles)
            drained: Numbers = {(name,): 0.0 for name, (limit, _) in self._limits.items() if is_foreseen(limit)}
            for each in sums:
                name = self._shown(each)
                seconds = known.drained_in(each)
                if seconds is None:
                    drained.pop(name, None)
                else:
                    drained[name] = max(drained.get(name, 0.0), seconds)
            yield made(f.CLUSTER_DRAIN, drained)

    @staticmethod
    def _shown(each: Sum) -> tuple[str, ...]:
        return (each.owner.name if each.owner.limit is not None else _OTHERS,)


def _limits(rules: Rules, tasks: Iterable[str]) -> dict[str, tuple[Limit, str]]:
    """Return the limits that tasks or queues have, by name, each with the pattern of an entry by which one has it."""
    found: dict[str, tuple[Limit, str]] = {}
    for task in tasks:
        rule = rules.for_task(task)
        for limit in rule.limits if rule is not None else ():
            if limit.mode != "off":
                found.setdefault(limit.name, (limit, rule.pattern if rule is not None else ""))
    for queue in (*rules.queues.values(), *rules.queue_patterns):
        found |= {limit.name: (limit, "") for limit in queue.limits if limit.mode != "off" and limit.name not in found}
    return found
