"""What a store is: it keeps the state of limits, and passes the contract suite in ``tests/stores``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Lease, Once, Refusal, Settlement, Slots, Take


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

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """Take what starts have cost beyond their estimates, or give back what they have not.

        A token bucket may get debt, and is never more than full. A window counts the difference now, or takes it from
        where the start was counted, as far as that is still in the window; one that resets is corrected only if the
        start was in the present one. Slots have no costs.

        Raises StoreError when the store can't be asked; which of them were settled then is unknown. With ``once`` the
        same may be asked again: what was settled already is not settled twice.
        """

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """Renew leases of slots; returns for each whether its slot was still there: what was removed is not revived.

        Raises StoreError when the store can't be asked.
        """

    def running(self, slots: Sequence[Slots], *, now_us: int | None = None) -> list[list[tuple[str, float]]]:
        """Return for each limit the members that have a slot, and the seconds left of their leases.

        Raises StoreError when the store can't be asked.
        """

    def listen(self, waiter: str, on_wake: Callable[[str], None]) -> Callable[[], None]:
        """Call ``on_wake`` with a limit's key whenever it has a free slot for this waiter; returns what stops that.

        The waiter is the name of a channel, and the ``waiter`` of takes that were refused. ``on_wake`` is called in
        another thread, or in one that gives a slot back. It may miss a wake: while the connection is lost, and when a
        lease has ended by itself. So who waits asks again after the time that the decision says. Never raises.
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

        A window is empty then. Slots stay, since their tasks run.

        Raises StoreError when the store can't be asked.
        """

    def evicts(self) -> str:
        """Return by what policy the store may drop buckets that are in use; empty when it keeps them.

        Raises StoreError when the store can't be asked, or does not say.
        """

    def close(self) -> None:
        """Close connections."""
