"""What a store is: it keeps the state of buckets, and passes the contract suite in ``tests/stores``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Refusal, Take


class Store(Protocol):
    """Where buckets are kept. What one call does on one server is atomic.

    A group is always all or nothing; if its buckets are on several servers, it reserves no slots ahead.
    """

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Give back, then take, in the order given; one decision a take.

        ``now_us`` is the time in microseconds, the store's own clock when None. Raises StoreError when the store
        can't be asked; what was taken then is unknown.
        """

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Slow a bucket down, or pause it, because the other side has refused the call of a task.

        Raises StoreError when the store can't be asked.
        """

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Return the adapted rates of the buckets of these keys; None for a bucket without refusals.

        Raises StoreError when the store can't be asked.
        """

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:
        """Note that a worker is there, and return how many have done so lately under this key, with this one.

        With an empty name it only counts.

        Raises StoreError when the store can't be asked.
        """

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Call one of the scripts ``look`` and ``post`` (see ``stores.overrides``), whose keys are on one slot.

        Raises StoreError when the store can't be asked.
        """

    def refill(self, key: str, *, partitions: bool) -> int:
        """Make a bucket full again, or all that are partitions of this key; returns how many were not.

        Raises StoreError when the store can't be asked.
        """

    def evicts(self) -> str:
        """Return by what policy the store may drop buckets that are in use; empty when it keeps them.

        Raises StoreError when the store can't be asked, or does not say.
        """

    def close(self) -> None:
        """Close connections."""
