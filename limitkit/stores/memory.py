"""Limits in this process's memory: static ones, those of one worker, and for ``memory://``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.adaptive_rate import kept_us, shifted
from limitkit.buckets.decision import BackedOff, Decision, Slots
from limitkit.buckets.group import Kinds, is_plain
from limitkit.buckets.partition import buckets_of
from limitkit.buckets.slots import Leases
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.clock import SYSTEM, monotonic_us, time_us
from limitkit.stores.memory_overrides import MemoryOverrides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import Bucket, GiveBack, Lease, Once, Refusal, Settlement, Take
    from limitkit.clock import Clock

_SWEEP_EVERY: Final = 4096
"""Takes between two sweeps that drop full buckets, so that memory follows use."""


class MemoryStore:
    """Limits of one process, by the monotonic time of its clock; windows that reset do so by the time since 1970."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._kinds = Kinds()
        self._tats = self._kinds.tats
        self._adapted: dict[str, Adapted] = {}
        self._kept: dict[str, int] = {}
        """Until when an adapted rate is kept, in microseconds."""
        self._settled: dict[str, int] = {}
        """The number of the last call of each sender that has settled."""
        self._listeners: dict[str, Callable[[str], None]] = {}
        self._lock = threading.Lock()
        self._until_sweep = _SWEEP_EVERY
        overrides = MemoryOverrides(clock)
        self._scripts: dict[str, Callable[[Sequence[str], Sequence[Any]], Any]] = {
            "look": overrides.look,
            "post": overrides.post,
        }

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Give back, then take, in the order given."""
        now = self._now(now_us)
        with self._lock:
            for gift in give_backs:
                self._kinds.give_back(gift, now)
            decisions = [self._take(ask, now, now_us) for ask in takes]
            self._until_sweep -= len(takes)
            if self._until_sweep <= 0:
                self._until_sweep = _SWEEP_EVERY
                self._sweep(now, now_us)
            wakes = [wake for gift in give_backs for wake in self._woken(gift.bucket, now)]
        for on_wake, key in wakes:
            on_wake(key)
        return decisions

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """Take what starts have cost beyond their estimates, or give back what they have not."""
        now = self._now(now_us)
        with self._lock:
            if once is not None:
                if self._settled.get(once.sender, 0) >= once.number:
                    return
                self._settled[once.sender] = once.number
            for each in settlements:
                self._kinds.settle(each, now, self._adapted)

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """Renew leases; returns for each whether its slot was still there."""
        now = self._now(now_us)
        with self._lock:
            return [self._leases(each.bucket).renew(each.member, each.bucket.lease_us, now) for each in leases]

    def running(self, slots: Sequence[Slots], *, now_us: int | None = None) -> list[list[tuple[str, float]]]:
        """Return for each limit who has a slot, and the seconds left of each lease."""
        now = self._now(now_us)
        with self._lock:
            return [
                [(member, (end - now) / MICROSECONDS) for member, end in self._leases(each).ends.items() if end > now]
                for each in slots
            ]

    def listen(self, waiter: str, on_wake: Callable[[str], None]) -> Callable[[], None]:
        """Call ``on_wake`` with a bucket's key when one of its slots is free, in the thread that has freed it."""
        self._listeners[waiter] = on_wake

        def stop() -> None:
            if self._listeners.get(waiter) is on_wake:
                del self._listeners[waiter]

        return stop

    def all_running(self) -> dict[str, int]:
        """Return how many slots are taken, by the keys of concurrency limits."""
        now = monotonic_us(self._clock)
        with self._lock:
            return {key: count for key, each in self._kinds.leases.items() if (count := each.running(now))}

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Slow a bucket down, or pause it."""
        now, bucket = self._now(now_us), refusal.bucket
        with self._lock:
            changed, pause, interval = sums.back_off(self._tats, self._adapted, refusal, now)
            self._kept[bucket.key] = now + kept_us(self._adapted[bucket.key], bucket, now)
        return BackedOff(changed, pause / MICROSECONDS, interval)

    def ahead(self, bucket: Bucket) -> float:
        """Return the seconds until a bucket is full again: what its last starts have used."""
        with self._lock:
            return max(0, self._tats.get(bucket.key, 0) - monotonic_us(self._clock)) / MICROSECONDS

    def postpone(self, bucket: Bucket, start: float, ahead: float) -> None:
        """Count starts from ``start`` on (seconds of its clock's monotonic time), which was later than their slots.

        ``ahead`` is how far ahead the bucket was when they were handed over: now it is as far ahead at ``start``.
        """
        with self._lock:
            tat = round((start + ahead) * MICROSECONDS)
            self._tats[bucket.key] = max(self._tats.get(bucket.key, 0), tat)

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Return the adapted rates of these buckets."""
        with self._lock:
            return [self._adapted.get(key) for key in keys]

    def all_adapted(self) -> dict[str, Adapted]:
        """Return all adapted rates, by the buckets' keys; their times count from now."""
        now = monotonic_us(self._clock)
        with self._lock:
            return {key: shifted(each, -now) for key, each in self._adapted.items()}

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:  # noqa: ARG002 (there is only this worker)
        """Return 1: no other worker shares this memory."""
        return 1

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Do what the script does in Redis."""
        with self._lock:
            return self._scripts[script](keys, args)

    def refill(self, key: str, *, partitions: bool) -> int:
        """Forget the bucket, or all whose keys begin with this one: a bucket that is not kept is full."""
        with self._lock:
            adapted = buckets_of(key, self._kept, partitions=partitions)
            for each in adapted:
                del self._kept[each], self._adapted[each]
            dropped = self._kinds.drop(set(buckets_of(key, self._kinds.keys(), partitions=partitions)))
            return max(dropped, len(adapted))

    def evicts(self) -> str:
        """Return an empty text: no bucket is dropped."""
        return ""

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def _take(self, ask: Take, now: int, now_us: int | None) -> Decision:
        if is_plain(ask):
            slots, waits, marks = sums.take(self._tats, ask, now, self._adapted)
        else:
            slots, waits, marks = self._kinds.take(ask, now, self._wall(now_us), self._adapted)
        return Decision(
            tuple(slot / MICROSECONDS for slot in slots),
            tuple(wait / MICROSECONDS for wait in waits),
            marks,
            sums.intervals(ask, now, self._adapted),
        )

    def _leases(self, slots: Slots) -> Leases:
        return self._kinds.leases.get(slots.key) or Leases()

    def _woken(self, bucket: Bucket, now: int) -> list[tuple[Callable[[str], None], str]]:
        """Return what to call for those who wait for a slot of this limit, once the lock is free."""
        if not isinstance(bucket, Slots):
            return []
        waiters = self._leases(bucket).woken(bucket.burst, now)
        return [(self._listeners[each], bucket.key) for each in waiters if each in self._listeners]

    def _sweep(self, now: int, now_us: int | None) -> None:
        self._kinds.forget(now, self._wall(now_us))
        for key in [key for key, until in self._kept.items() if until <= now]:
            del self._kept[key], self._adapted[key]

    def _now(self, now_us: int | None) -> int:
        return monotonic_us(self._clock) if now_us is None else now_us

    def _wall(self, now_us: int | None) -> int:
        return time_us(self._clock) if now_us is None else now_us
