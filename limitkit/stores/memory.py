"""Buckets in this process's memory: for static limits, and for ``memory://``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from limitkit import bucket as sums
from limitkit.bucket import MICROSECONDS
from limitkit.decision import Decision
from limitkit.stores.memoryboard import MemoryBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.decision import Bucket, GiveBack, Take

_SWEEP_EVERY: Final = 4096
"""Takes between two sweeps of full buckets, so that memory follows what is in use."""


class MemoryStore:
    """Token buckets of one process, on its monotonic clock."""

    def __init__(self) -> None:
        self._tats: dict[str, int] = {}
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
            decisions = [_decision(*sums.take(self._tats, ask, now)) for ask in takes]
            self._until_sweep -= len(takes)
            if self._until_sweep <= 0:
                self._until_sweep = _SWEEP_EVERY
                for key in sums.full(self._tats, now):
                    del self._tats[key]
        return decisions

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

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:  # noqa: ARG002 (nobody else is here)
        """Return 1: memory is shared with nobody."""
        return 1

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Do what a script does."""
        with self._lock:
            return self._scripts[script](keys, args)

    def refill(self, key: str, *, partitions: bool) -> int:
        """Forget the bucket, or all whose keys begin with this one: a bucket that is not there is full."""
        with self._lock:
            keys = [each for each in self._tats if (each.startswith(f"{key}:") if partitions else each == key)]
            for each in keys:
                del self._tats[each]
            return len(keys)

    def evicts(self) -> str:
        """Nothing is dropped."""
        return ""

    def close(self) -> None:
        """Nothing is held open."""


def _decision(slots: tuple[int, ...], waits: tuple[int, ...], marks: tuple[int, ...]) -> Decision:
    return Decision(
        tuple(slot / MICROSECONDS for slot in slots),
        tuple(wait / MICROSECONDS for wait in waits),
        marks,
    )
