"""The store of all workers that are played: the one in memory, some time away, and now and then out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Lease, Once, Refusal, Settlement, Take
    from limitkit.trial.engine.timeline import Clock, ServerClock

_TIMEOUT_OF_GONE: Final = 0.25


class SharedStore(MemoryStore):
    """A store that counts its calls, each of which takes some time."""

    def __init__(self, clock: Clock, server_clock: ServerClock, trip: float, workers: Callable[[], int]) -> None:
        """``trip`` is the time of a call in seconds; ``workers`` counts those that are there."""
        super().__init__(server_clock)
        self._trip_clock, self._half, self._workers = clock, trip / 2, workers
        self.calls = 0
        self.gone = False

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """See ``Store``."""
        self._go()
        decisions = super().take(takes, give_backs, now_us=now_us)
        self._trip_clock.now += self._half
        return decisions

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """See ``Store``."""
        self._go()
        super().settle(settlements, once, now_us=now_us)

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """See ``Store``."""
        self._go()
        return super().renew(leases, now_us=now_us)

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """See ``Store``."""
        self._go()
        return super().back_off(refusal, now_us=now_us)

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:  # noqa: ARG002 (as all stores)
        """Count the workers that are there."""
        self._go()
        return self._workers()

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """See ``Store``."""
        self._go()
        return super().run(script, keys, args)

    def _go(self) -> None:
        self.calls += 1
        if self.gone:
            self._trip_clock.now += _TIMEOUT_OF_GONE
            raise StoreError("the store is away")
        self._trip_clock.now += self._half
