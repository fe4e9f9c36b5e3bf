"""Counts the workers that share the limits: each notes itself in the store, and keeps the count for an outage."""

from __future__ import annotations

import logging
import struct
from dataclasses import replace
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.slots import random_hex
from limitkit.errors import StoreError
from limitkit.events.repeated import Repeated

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.buckets.decision import Bucket
    from limitkit.stores.store import Store

logger = logging.getLogger("limitkit")

_EVERY: Final = 5.0
"""Seconds between two notes; a note counts for three times as long (``stores/note.lua``)."""
_NUMBERS: Final = struct.Struct("ii")


class WorkerCount:
    """The number of workers when the store last answered this one.

    It is in memory that pool processes share with the worker, since they are forked before the number is known.
    """

    def __init__(self, prefix: str, new_name: Callable[[], str] = random_hex) -> None:
        self._key = f"{prefix}:workers"
        # Not the host's or node's name: two workers may have the same one.
        self._name = new_name()
        self._memory = mmap(-1, _NUMBERS.size)
        self._store: Store | None = None
        self._pool: Any = None
        self._timer: Any = None

    @property
    def workers(self) -> int:
        """How many workers there are, with this one; 0 when the store has never answered it."""
        return int(_NUMBERS.unpack_from(self._memory)[0])

    @property
    def processes(self) -> int:
        """In how many processes this worker's tasks run; pools of threads have one."""
        return max(1, int(_NUMBERS.unpack_from(self._memory)[1]))

    def share(self, bucket: Bucket) -> Bucket | None:
        """Return this worker's part of a bucket; None when it isn't known.

        All parts together have the bucket's rate and burst, but each part has a burst of at least 1. So with more
        workers than a window or a concurrency limit has starts, all together may start as many as there are workers.
        """
        return _part(bucket, self.workers)

    def share_of_process(self, bucket: Bucket) -> Bucket | None:
        """Return the part of a bucket for each of this worker's processes; None when it isn't known."""
        return _part(bucket, self.workers * self.processes)

    def start(self, store: Store, worker: Any, timer: Any) -> None:
        """Note this worker now, and again every few seconds."""
        self.stop()
        self._store, self._pool = store, worker.pool if worker.pool_cls.uses_semaphore else None
        self.note()
        self._timer = Repeated(timer, _EVERY, self.note)

    def stop(self) -> None:
        """Stop noting: the timer ends with the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note(self) -> None:
        """Note this worker in the store, and see how many there are."""
        assert self._store is not None  # noqa: S101 (start gave it)
        if self._pool is not None and self._pool._pool is None:  # noqa: SLF001 (a cold shutdown ends the pool first)
            return
        try:
            workers = self._store.note(self._key, self._name)
        except StoreError as error:
            logger.debug("The workers could not be counted: %s", error)
            return
        processes = self._pool.num_processes if self._pool is not None else 1
        _NUMBERS.pack_into(self._memory, 0, workers, processes)


def _part(bucket: Bucket, parts: int) -> Bucket | None:
    if not parts:
        return None
    share = max(min(1, bucket.burst), bucket.burst // parts)
    return replace(bucket, interval_us=bucket.interval_us * parts, burst=share, divides=False, feedback=None)
