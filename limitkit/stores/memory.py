"""Buckets in this process's memory: for static limits, and for ``memory://``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.adaptive_rate import kept_us, shifted
from limitkit.buckets.decision import Decision, Yielded
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.stores.memory_overrides import MemoryBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.adaptive_rate import Learnt
    from limitkit.buckets.decision import Bucket, GiveBack, Refusal, Take

_SWEEP_EVERY: Final = 4096
"""Takes between two sweeps of full buckets, so that memory follows what is in use."""


class MemoryStore:
    """Token buckets of one process, on its monotonic clock."""

    def __init__(self) -> None:
        self._tats: dict[str, int] = {}
        self._learnt: dict[str, Learnt] = {}
        self._kept: dict[str, int] = {}
        """Until when that is to be remembered, in microseconds."""
        self._lock = threading.Lock()
        self._until_sweep = _SWEEP_EVERY
        board = MemoryBoard()
        self._scripts: dict[str, Callable[[Sequence[str], Sequence[Any]], Any]] = {
            "look": board.look,
            "post": board.post,
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

    def yield_to(self, refusal: Refusal, *, now_us: int | None = None) -> Yielded:
        """Slow a bucket down, or pause it."""
        now, bucket = time.monotonic_ns() // 1000 if now_us is None else now_us, refusal.bucket
        with self._lock:
            changed, pause, interval = sums.yield_to(self._tats, self._learnt, refusal, now)
            self._kept[bucket.key] = now + kept_us(self._learnt[bucket.key], bucket, now)
        return Yielded(changed, pause / MICROSECONDS, interval)

    def ahead(self, bucket: Bucket) -> float:
        """Return the seconds until a bucket is full again: what its last starts have used of it."""
        with self._lock:
            return max(0, self._tats.get(bucket.key, 0) - time.monotonic_ns() // 1000) / MICROSECONDS

    def postpone(self, bucket: Bucket, start: float, ahead: float) -> None:
        """Count starts as of ``start`` (seconds of ``time.monotonic()``), which was later than their slots.

        ``ahead`` is how far ahead the bucket was when they were let go: it is so far ahead at ``start`` now.
        """
        with self._lock:
            tat = round((start + ahead) * MICROSECONDS)
            self._tats[bucket.key] = max(self._tats.get(bucket.key, 0), tat)

    def learnt(self, keys: Sequence[str]) -> list[Learnt | None]:
        """Return what refusals have taught about these buckets."""
        with self._lock:
            return [self._learnt.get(key) for key in keys]

    def taught(self) -> dict[str, Learnt]:
        """Return all that refusals have taught, by the buckets' keys; its times are from now on."""
        now = time.monotonic_ns() // 1000
        with self._lock:
            return {key: shifted(each, -now) for key, each in self._learnt.items()}

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:  # noqa: ARG002 (nobody else is here)
        """Return 1: memory is shared with nobody."""
        return 1

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Do what a script does."""
        with self._lock:
            return self._scripts[script](keys, args)

    def refill(self, key: str, *, partitions: bool) -> int:
        """Forget the bucket, or all whose keys begin with this one: a bucket that is not there is full."""

        def is_meant(each: str) -> bool:
            return each.startswith(f"{key}:") if partitions else each == key

        with self._lock:
            taught = [each for each in self._kept if is_meant(each)]
            for each in taught:
                del self._kept[each], self._learnt[each]
            keys = [each for each in self._tats if is_meant(each)]
            for each in keys:
                del self._tats[each]
            return max(len(keys), len(taught))

    def evicts(self) -> str:
        """Nothing is dropped."""
        return ""

    def close(self) -> None:
        """Nothing is held open."""

    def _take(self, ask: Take, now: int) -> Decision:
        slots, waits, marks = sums.take(self._tats, ask, now, self._learnt)
        return Decision(
            tuple(slot / MICROSECONDS for slot in slots),
            tuple(wait / MICROSECONDS for wait in waits),
            marks,
            sums.intervals(ask, now, self._learnt),
        )

    def _sweep(self, now: int) -> None:
        for key in sums.full(self._tats, now):
            del self._tats[key]
        for key in [key for key, until in self._kept.items() if until <= now]:
            del self._kept[key], self._learnt[key]
