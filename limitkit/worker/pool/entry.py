"""The way into a worker's pool: a semaphore that counts its free places, and the loop on which all of that happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.worker.pool.accepted import keep_accepted, read_before_close
from limitkit.worker.pool.in_pool import CountedInPool, InPool, ProcessesInPool
from limitkit.worker.pool.job_end import watch_job
from limitkit.worker.pool.kinds import kind_of
from limitkit.worker.pool.loops import ConsumingLoop, HubLoop, LockedLoop, Loop
from limitkit.worker.pool.places import Places
from limitkit.worker.pool.process_exit import look_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.clock import Clock
    from limitkit.worker.pool.kinds import Kind


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """How requests get into the pool of a worker whose places can be counted."""

    pool: str
    """Its name, as ``celery worker -P`` takes it."""
    loop: Loop
    semaphore: Any
    """As kombu's ``LaxBoundedSemaphore``."""
    process: Callable[[Any], None]
    """Has the pool run a request, for which a place is taken. Where that fails, it frees the place and raises."""
    in_pool: InPool
    watch: Callable[[Any, Callable[[], None]], None]
    """Calls back on the loop, once, when the pool has done with a request that it was given; now if it has already."""

    def through(self, request: Any) -> None:
        """Let a request in once there is a place."""
        self.semaphore.acquire(self.process, request)

    def connected(self, consumer: Any, is_busy: Callable[[], bool]) -> None:
        """Serve a new connection, in a pool that has started."""
        self.loop.connected(consumer, is_busy)
        if isinstance(self.in_pool, ProcessesInPool):
            look_again(consumer.pool)
            keep_accepted(consumer.pool)
        if isinstance(self.semaphore, Places):
            self.semaphore.follow()

    def close(self) -> None:
        """Let nobody else in on this connection; of a pool that Celery counts, it sees to that itself."""
        if isinstance(self.semaphore, Places):
            self.semaphore.clear()

    @property
    def frees_unused(self) -> bool:
        """Whether a place that its request did not use is freed by itself."""
        return isinstance(self.semaphore, Places)


def paces(worker: Any) -> bool:
    """Whether the places of this worker's pool can be counted."""
    return _has_semaphore(worker) or _kind(worker) is not None


def open_entry(consumer: Any, clock: Clock) -> PoolEntry | None:
    """Put a semaphore before the pool of a consumer, where it has none; None where its places can't be counted."""
    worker = consumer.controller
    if _has_semaphore(worker):
        read_before_close(consumer)
        return PoolEntry(
            "prefork",
            HubLoop(consumer.timer),
            worker.semaphore,
            _freeing(worker),
            ProcessesInPool(consumer.pool),
            watch_job,
        )
    kind = _kind(worker)
    if kind is None:
        return None
    own_loop: Loop = HubLoop(consumer.timer)
    if not consumer.hub:
        own_loop = ConsumingLoop(clock) if kind.consumes else LockedLoop(clock)
    places = worker.semaphore = Places(consumer.pool, kind, own_loop)
    entry = PoolEntry(kind.name, own_loop, places, places.process, CountedInPool(places), places.watch)
    consumer.on_task_request = entry.through
    return entry


def _freeing(worker: Any) -> Callable[[Any], None]:
    """Have Celery hand over a request; a process that it did not get is free again."""

    def process(request: Any) -> None:
        try:
            worker._process_task(request)  # noqa: SLF001 (as on_task_request does once it has a process)
        except Exception:
            worker.semaphore.release()
            raise

    return process


def _kind(worker: Any) -> Kind | None:
    """Return how to count a pool that Celery does not count; on an event loop, prefork has queues of its own then."""
    kind = kind_of(worker.pool_cls)
    return None if kind is not None and worker.use_eventloop and worker.pool_cls.uses_semaphore else kind


def _has_semaphore(worker: Any) -> bool:
    """Whether Celery itself counts the pool's free processes: prefork on an event loop."""
    return bool(getattr(worker, "semaphore", None) and worker.pool_putlocks and worker.pool_cls.uses_semaphore)
