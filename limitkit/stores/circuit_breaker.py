"""A circuit breaker: a store that failed is not asked for a moment, so that it does not block an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from limitkit.clock import SYSTEM
from limitkit.errors import StoreError, StoreRefusedError
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import StoreAsked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Lease, Once, Refusal, Settlement, Slots, Take
    from limitkit.clock import Clock
    from limitkit.stores.store import Store

T = TypeVar("T")

_PAUSE: Final = 1.0
"""Seconds until a store that failed is asked again: an event loop then loses at most one timeout a second."""


class CircuitBreaker:
    """A store that, once it has failed, raises the same error for a second, without a call."""

    def __init__(self, store: Store, clock: Clock = SYSTEM) -> None:
        self.store = store
        self._clock = clock
        self._closed_until = 0.0
        self._cause: StoreError | None = None

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Ask the store, if it has not failed less than a second ago."""
        return self._ask(lambda: self.store.take(takes, give_backs, now_us=now_us))

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """Ask the store, if it has not failed less than a second ago."""
        self._ask(lambda: self.store.settle(settlements, once, now_us=now_us))

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """Ask the store, if it has not failed less than a second ago."""
        return self._ask(lambda: self.store.renew(leases, now_us=now_us))

    def running(self, slots: Sequence[Slots], *, now_us: int | None = None) -> list[list[tuple[str, float]]]:
        """Ask the store, if it has not failed less than a second ago; a missing right is no failure."""
        return self._ask(lambda: self.store.running(slots, now_us=now_us), may_refuse=True)

    def listen(self, waiter: str, on_wake: Callable[[str], None]) -> Callable[[], None]:
        """Listen for wakes; the store does that by itself."""
        return self.store.listen(waiter, on_wake)

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Ask the store, if it has not failed less than a second ago."""
        return self._ask(lambda: self.store.back_off(refusal, now_us=now_us))

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Ask the store, if it has not failed less than a second ago; a missing right is no failure."""
        return self._ask(lambda: self.store.adapted(keys), may_refuse=True)

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:
        """Ask the store, if it has not failed less than a second ago; a missing right is no failure."""
        return self._ask(lambda: self.store.note(key, name, now_us=now_us), may_refuse=True)

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Ask the store, if it has not failed less than a second ago; a missing right is no failure."""
        return self._ask(lambda: self.store.run(script, keys, args), may_refuse=True)

    def refill(self, key: str, *, partitions: bool) -> int:
        """Ask the store, if it has not failed less than a second ago; a missing right is no failure."""
        return self._ask(lambda: self.store.refill(key, partitions=partitions), may_refuse=True)

    def evicts(self) -> str:
        """Ask the store, if it has not failed less than a second ago; no answer to this is no failure."""
        self._check()
        return self.store.evicts()

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _ask(self, ask: Callable[[], T], *, may_refuse: bool = False) -> T:
        self._check()
        began = self._clock.monotonic()
        try:
            answer = ask()
        except StoreError as error:
            if not (may_refuse and isinstance(error, StoreRefusedError)):
                self._closed_until = self._clock.monotonic() + _PAUSE
                self._cause = error
            self._emit_asked(began, failed=True)
            raise
        self._emit_asked(began, failed=False)
        return answer

    def _check(self) -> None:
        if self._clock.monotonic() < self._closed_until and self._cause is not None:
            # The cause itself: the next error must say more than that the store is not asked.
            cause = StoreError(*self._cause.args)
            cause.remedy = self._cause.remedy
            raise cause

    def _emit_asked(self, began: float, *, failed: bool) -> None:
        if wanted(StoreAsked):
            emit(StoreAsked(seconds=self._clock.monotonic() - began, failed=failed))
