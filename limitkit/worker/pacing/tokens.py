"""Takes the pacer's tokens: from this worker's own buckets (static limits), and from the store of all workers."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Slots, Take
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.stores.recovery import take_both
from limitkit.worker.pacing.taking import give_back
from limitkit.worker.pool.leases import Leases, give_backs, limit_of
from limitkit.worker.pool.limits_of import limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.buckets.decision import Bucket, Decision, GiveBack
    from limitkit.control.task_limits import TaskLimits
    from limitkit.worker.pacing.lane import Held, Lane

logger = logging.getLogger("limitkit")

_MOST_GIVEN_BACK: Final = 1000
"""Lanes whose slots are given back in one call at most; the others' go with the next."""
_ENDLESS_US: Final = 366 * 86_400_000_000
_MOST_KEPT: Final = 10_000
"""Slots of concurrency limits that wait to be given back while the store is gone; others' leases end by themselves."""


class Tokens:
    """Takes tokens and gives them back."""

    def __init__(self, task_limits: TaskLimits) -> None:
        self.clock = task_limits.clock
        self.own = MemoryStore(self.clock)
        self._task_limits = task_limits
        self._give_backs: list[GiveBack] = []
        self.leases = Leases(lambda: task_limits.store, limit_of, self.clock)
        self.on_wake: Callable[[str], None] = lambda _: None
        """Is called, in any thread, with the key of a concurrency limit that may have a free slot."""
        self._waiter = ""

    @property
    def waiter(self) -> str:
        """The name by which this worker is woken when a slot is free; from the first use on, it listens for that."""
        store = self._task_limits.store
        if not self._waiter and store is not None:
            self._waiter = f"{self._task_limits.rules.store.prefix}:wake:{self._task_limits.new_name()}"
            store.listen(self._waiter, lambda key: self.on_wake(key))  # noqa: PLW0108 (set later)
        return self._waiter

    def new_member(self) -> str:
        """Name a start that begins now, so that its slots are its own."""
        return self._task_limits.new_member()

    def running(self) -> Counter[str]:
        """Count the slots that tasks of this worker have, by the keys of their limits. May be called in any thread."""
        return self.leases.running() + Counter(self.own.all_running())

    def free(self, held: Held, own: Iterable[Lane] | None) -> None:
        """Give back the slots of a request that has ended; ``own`` are lanes of which it had this worker's share."""
        local = [*held.slots(local=True), *(lane.bucket for lane in own or () if isinstance(lane.bucket, Slots))]
        self.own.take([], give_backs(local, held.member))
        self.give_back_later(self.leases.end(held.member))

    def give_back(self, lane: Lane) -> None:
        """Give back the slots that a lane has reserved, with the next call of the store."""
        if lane.slots:
            returned = give_back(lane)
            lane.slots.clear()
            if lane.local:
                self.own.take([], [returned])
            else:
                self._give_backs.append(returned)

    def give_back_later(self, give_backs: Iterable[GiveBack]) -> None:
        """Give these back with the next call of the store."""
        self._give_backs += give_backs

    def own_bucket(self, lane: Lane) -> Bucket | None:
        """Return the part of a lane's bucket that only this worker uses: a static one whole, its share of a shared one.

        None when the share isn't known, since the store has never answered this worker.
        """
        bucket = lane.bucket if lane.local else self._task_limits.worker_count.share(lane.bucket)
        if not isinstance(bucket, Slots) or lane.local:
            return bucket
        # What runs here with slots of the store counts, too. Nobody renews a lease here: it lasts until its task ends.
        left = max(0, bucket.burst - self.leases.running()[bucket.key])
        return replace(bucket, burst=left, lease_us=_ENDLESS_US)

    def used_ahead(self, lane: Lane) -> float:
        """Return the seconds until an own bucket is full again, without the slots that the lane still has."""
        bucket = self.own_bucket(lane)
        return self.own.ahead(bucket) - len(lane.slots) / lane.rate if bucket is not None else 0.0

    def postpone(self, lane: Lane, start: float, ahead: float) -> None:
        """Count starts of an own bucket from ``start`` on; see ``MemoryStore.postpone``."""
        bucket = self.own_bucket(lane)
        if bucket is not None:
            self.own.postpone(bucket, start, ahead)

    def take(self, takes: list[Take]) -> list[Decision]:
        """Ask the shared store. Raises StoreError, which is logged already."""
        if not takes and not self._give_backs:
            return []
        give_backs, self._give_backs = self._give_backs[:_MOST_GIVEN_BACK], self._give_backs[_MOST_GIVEN_BACK:]
        assert self._task_limits.store is not None  # noqa: S101 (a worker with shared limits and no store refuses to start)
        try:
            if self._task_limits.outage.recent:
                decisions = take_both(
                    self._task_limits.store, self.own, self._task_limits.worker_count.share, takes, give_backs
                )
            else:
                decisions = self._task_limits.store.take(takes, give_backs)
        except StoreError as error:
            slots = [gift for gift in give_backs if gift.member]
            self._give_backs += slots[: _MOST_KEPT - len(self._give_backs)]  # they may be still taken; tokens are lost
            self._task_limits.outage.lost(error, self._task_limits.on_errors)
            raise
        self._task_limits.outage.over(self._task_limits.rules.store.timeout)
        return decisions

    def close(self) -> None:
        """Give back all: the pool has ended, and so has what ran in it."""
        self.give_back_later(self.leases.end_all())
        self.flush()

    def flush(self) -> None:
        """Give back now what waits to be given back; if that fails it is lost, which only slows the bucket down."""
        try:
            while self._give_backs:
                self.take([])
        except StoreError as error:
            logger.debug("Reserved slots could not be given back: %s", error)

    def without_store(self, held: Held) -> list[Lane] | None:
        """Return the lanes from whose own buckets a request takes while the store is gone; None if it waits for it.

        Each shared limit goes by its ``on_error``: ``allow`` is not asked, ``divide`` uses this worker's share, and
        ``hold`` waits, as does a limit that is paused.
        """
        own = [lane for lane in held.lanes if lane.local]
        limits = limits_of(self._task_limits, held.request)  # in the order of the lanes; there may be more lanes
        for lane, bound in zip(held.lanes, limits, strict=False):
            if lane.local:
                continue
            if bound.limit.on_error == "hold" or not lane.bucket.burst:
                return None
            if bound.limit.on_error == "divide":
                if self.own_bucket(lane) is None:
                    return None
                own.append(lane)
        return own

    def take_own(self, held: Held, lanes: list[Lane]) -> tuple[Lane, float] | None:
        """Take what a start needs from each of these own buckets; or nothing; then return the longest wait."""
        if held.has_slots:
            held.member = self.new_member()
        pairs = [(lane, bucket) for lane in lanes if (bucket := self.own_bucket(lane)) is not None]
        waits = [(self.own.take([_take(held, lane, bucket, 0)])[0].retry_after, lane) for lane, bucket in pairs]
        wait, worst = max(waits, key=lambda pair: pair[0], default=(0.0, None))
        if worst is not None and wait > 0.0:
            return worst, wait
        for lane, bucket in pairs:
            self.own.take([_take(held, lane, bucket, 1)])
        return None


def _take(held: Held, lane: Lane, bucket: Bucket, count: int) -> Take:
    """Return the take of a start from this worker's part of one of its buckets."""
    return Take((bucket,), count, costs=(held.cost(lane),), member=held.member)
