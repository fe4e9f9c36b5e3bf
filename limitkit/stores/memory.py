"""Buckets in this process's memory: for static limits, and for ``memory://``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.adaptive_rate import kept_us, shifted
from limitkit.buckets.decision import BackedOff, Decision
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.stores.memory_overrides import MemoryOverrides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import Bucket, GiveBack, Refusal, Take

_SWEEP_EVERY: Final = 4096
"""Takes between two sweeps that drop full buckets, so that memory follows use."""


class MemoryStore:
    """Token buckets of one process, by its monotonic clock."""

    def __init__(self) -> None:
        self._tats: dict[str, int] = {}
        self._adapted: dict[str, Adapted] = {}
        self._kept: dict[str, int] = {}
        """Until when an adapted rate is kept, in microseconds."""
        self._lock = threading.Lock()
        self._until_sweep = _SWEEP_EVERY
        overrides = MemoryOverrides()
        self._scripts: dict[str, Callable[[Sequence[str], Sequence[Any]], Any]] = {
            "look": overrides.look,
            "post": overrides.post,
        }

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Give back, then take, in the order given."""
        now = time.monotonic_ns() // 1000 if now_us is None else now_us
        with self._lock:
            for gift in give_backs:
                sums.give_back(self._tats, gift)
            decisions = [self._take(ask, now) for ask in takes]
            self._until_sweep -= len(takes)
            if self._until_sweep <= 0:
                self._until_sweep = _SWEEP_EVERY
                self._sweep(now)
        return decisions

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Slow a bucket down, or pause it."""
        now, bucket = time.monotonic_ns() // 1000 if now_us is None else now_us, refusal.bucket
        with self._lock:
            changed, pause, interval = sums.back_off(self._tats, self._adapted, refusal, now)
            self._kept[bucket.key] = now + kept_us(self._adapted[bucket.key], bucket, now)
        return BackedOff(changed, pause / MICROSECONDS, interval)

    def ahead(self, bucket: Bucket) -> float:
        """Return the seconds until a bucket is full again: what its last starts have used."""
        with self._lock:
            return max(0, self._tats.get(bucket.key, 0) - time.monotonic_ns() // 1000) / MICROSECONDS

    def postpone(self, bucket: Bucket, start: float, ahead: float) -> None:
        """Count starts from ``start`` on (seconds of ``time.monotonic()``), which was later than their slots.

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
        now = time.monotonic_ns() // 1000
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

        def is_meant(each: str) -> bool:
            return each.startswith(f"{key}:") if partitions else each == key

        with self._lock:
            adapted = [each for each in self._kept if is_meant(each)]
            for each in adapted:
                del self._kept[each], self._adapted[each]
            keys = [each for each in self._tats if is_meant(each)]
            for each in keys:
                del self._tats[each]
            return max(len(keys), len(adapted))

    def evicts(self) -> str:
        """Return an empty text: no bucket is dropped."""
        return ""

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def _take(self, ask: Take, now: int) -> Decision:
        slots, waits, marks = sums.take(self._tats, ask, now, self._adapted)
        return Decision(
            tuple(slot / MICROSECONDS for slot in slots),
            tuple(wait / MICROSECONDS for wait in waits),
            marks,
            sums.intervals(ask, now, self._adapted),
        )

    def _sweep(self, now: int) -> None:
        for key in sums.full(self._tats, now):
            del self._tats[key]
        for key in [key for key, until in self._kept.items() if until <= now]:
            del self._kept[key], self._adapted[key]
