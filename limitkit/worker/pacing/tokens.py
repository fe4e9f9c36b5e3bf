"""Takes the pacer's tokens: from this worker's own buckets (static limits), and from the store of all workers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Take
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.stores.recovery import take_both
from limitkit.worker.pacing.taking import give_back
from limitkit.worker.pool.limits_of import limits_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.buckets.decision import Bucket, Decision, GiveBack
    from limitkit.control.task_limits import TaskLimits
    from limitkit.worker.pacing.lane import Held, Lane

logger = logging.getLogger("limitkit")

_MOST_GIVEN_BACK: Final = 1000
"""Lanes whose slots are given back in one call at most; the others' go with the next."""


class Tokens:
    """Takes tokens and gives them back."""

    def __init__(self, task_limits: TaskLimits) -> None:
        self.own = MemoryStore()
        self._task_limits = task_limits
        self._give_backs: list[GiveBack] = []

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
        return lane.bucket if lane.local else self._task_limits.worker_count.share(lane.bucket)

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
            self._task_limits.outage.lost(error, self._task_limits.on_errors)
            raise
        self._task_limits.outage.over(self._task_limits.rules.store.timeout)
        return decisions

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

    def take_own(self, lanes: list[Lane]) -> tuple[Lane, float] | None:
        """Take a token from each of these own buckets; or none, and return which waits longest, in seconds."""
        pairs = [(lane, bucket) for lane in lanes if (bucket := self.own_bucket(lane)) is not None]
        waits = [(self.own.take([Take((bucket,), 0)])[0].retry_after, lane) for lane, bucket in pairs]
        wait, worst = max(waits, key=lambda pair: pair[0], default=(0.0, None))
        if worst is not None and wait > 0.0:
            return worst, wait
        for _, bucket in pairs:
            self.own.take([Take((bucket,))])
        return None
