"""A time bound for stores without one: redis-py may search for a master, or for a cluster's nodes, for any time."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from typing import TYPE_CHECKING, Any, TypeVar

from limitkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Lease, Once, Refusal, Settlement, Slots, Take
    from limitkit.stores.store import Store

T = TypeVar("T")


class TimeBound:
    """A store that is asked in a thread of its own, so that no call waits longer than ``timeout`` seconds.

    A call that has timed out before it began is not begun. One that had begun may still take tokens that no task uses:
    that only slows its buckets down.
    """

    def __init__(self, store: Store, timeout: float) -> None:
        self.store = store
        self._timeout = timeout
        self._thread: ThreadPoolExecutor | None = None
        self._pid = -1
        self._lock = threading.Lock()

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.take(takes, give_backs, now_us=now_us))

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """Ask the store. Raises StoreError when it has not answered in time."""
        self._answer(lambda: self.store.settle(settlements, once, now_us=now_us))

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.renew(leases, now_us=now_us))

    def running(self, slots: Sequence[Slots], *, now_us: int | None = None) -> list[list[tuple[str, float]]]:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.running(slots, now_us=now_us))

    def listen(self, waiter: str, on_wake: Callable[[str], None]) -> Callable[[], None]:
        """Listen for wakes; the store does that by itself."""
        return self.store.listen(waiter, on_wake)

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.back_off(refusal, now_us=now_us))

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.adapted(keys))

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.note(key, name, now_us=now_us))

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.run(script, keys, args))

    def refill(self, key: str, *, partitions: bool) -> int:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(lambda: self.store.refill(key, partitions=partitions))

    def evicts(self) -> str:
        """Ask the store. Raises StoreError when it has not answered in time."""
        return self._answer(self.store.evicts)

    def close(self) -> None:
        """Close the store and end its thread; a busy thread does so when its call has ended."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            closed = thread.submit(self.store.close)
            thread.shutdown(wait=False)
            with contextlib.suppress(NotDone):
                closed.result(self._timeout)

    def _answer(self, ask: Callable[[], T]) -> T:
        answer = self._begin(ask)
        try:
            return answer.result(self._timeout)
        except NotDone:
            answer.cancel()
            raise StoreError(f"no answer within {self._timeout:g} s") from None

    def _begin(self, ask: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._thread is None or self._pid != os.getpid():  # threads don't survive a fork
                self._thread = ThreadPoolExecutor(1, "limitkit-store")
                self._pid = os.getpid()
            return self._thread.submit(ask)
