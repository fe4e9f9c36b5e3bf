"""Stores keep the buckets' state; whatever passes the contract suite in ``tests/stores`` is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Refusal, Take


class Store(Protocol):
    """Where buckets live. What one call asks of one server happens at one moment, as if nobody else were there.

    A group is all or nothing everywhere; one whose buckets are on several servers reserves no slots ahead.
    """

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Give back, then take, in the order given; one decision a take.

        ``now_us`` is the time in microseconds, the store's own clock when None. Raises StoreError when the store
        can't be asked; what was taken then is unknown.
        """

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Slow a bucket down, or pause it, since the other side has refused what one of its starts did.

        Raises StoreError when the store can't be asked.
        """

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Return what refusals have taught about the buckets of these keys; None where there were none.

        Raises StoreError when the store can't be asked.
        """

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:
        """Note that this one is there, and return how many have noted themselves under a key lately, with this one.

        With an empty name nobody is noted.

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

        Raises StoreError when the store can't be asked, or won't tell.
        """

    def close(self) -> None:
        """Let go of connections."""
