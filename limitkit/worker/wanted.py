"""What one start takes from the shared store, where its pool process asks for that itself."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.decision import Bucket, Decision, Slots, Take, Window
from limitkit.buckets.group import undo
from limitkit.buckets.ticket import Charge
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.decision import GiveBack
    from limitkit.buckets.ticket import Ticket
    from limitkit.control.task_limits import Ask
    from limitkit.waiting.delivery import Delivery

NOTHING_TAKEN: Final = Decision((), (), ())


class Start(NamedTuple):
    """A start that asks to be admitted."""

    context: Any
    """Its request; without an id it has no message that could be sent back."""
    shown: Ticket | None
    came: Delivery | None


class Wanted(NamedTuple):
    """What a start takes from the store."""

    buckets: tuple[Bucket, ...]
    costs: tuple[int, ...] = ()
    member: str = ""
    charges: tuple[Charge, ...] = ()

    def take(self, patience: float) -> Take:
        """Return the take: of one plain bucket a slot that is nearly due may be reserved, others must admit now."""
        plain = len(self.buckets) == 1 and type(self.buckets[0]) is Bucket and not self.buckets[0].metered
        return Take(self.buckets, horizon=patience if plain else 0.0, costs=self.costs, member=self.member)

    @property
    def slots(self) -> tuple[Slots, ...]:
        """Those of concurrency limits."""
        return tuple(bucket for bucket in self.buckets if isinstance(bucket, Slots))

    @property
    def tolerance(self) -> float:
        """How many seconds after it was asked it may start."""
        windows = (bucket for bucket in self.buckets if isinstance(bucket, Window))
        return min((window.late_us / MICROSECONDS for window in windows), default=inf)

    def undo(self, taken: Decision) -> list[GiveBack]:
        """Return what gives it back, but for slots: those it keeps."""
        return [gift for gift in undo(self.take(0.0), taken.marks) if not isinstance(gift.bucket, Slots)]

    def only(self, chosen: Sequence[bool]) -> Wanted:
        """Return the part that these limits ask for."""
        costs = self.costs or (1,) * len(self.buckets)
        some = [pair for pair, is_one in zip(zip(self.buckets, costs, strict=True), chosen, strict=False) if is_one]
        return Wanted(tuple(bucket for bucket, _ in some), tuple(cost for _, cost in some), self.member)

    def shared_out(self, share: Callable[[Bucket], Bucket | None]) -> Wanted | None:
        """Return the same of shares of the buckets; None while one of them isn't known."""
        shares = tuple(each for bucket in self.buckets if (each := share(bucket)) is not None)
        return self._replace(buckets=shares) if len(shares) == len(self.buckets) else None

    def charged(self, taken: Decision) -> tuple[Charge, ...]:
        """Return the charges after a take; before one, they have other marks."""
        marks = dict(zip((bucket.key for bucket in self.buckets), taken.marks, strict=False))
        return tuple(charge._replace(mark=marks.get(charge.bucket.key, charge.mark)) for charge in self.charges)


def wanted_by(asks: Sequence[Ask], new_member: Callable[[], str]) -> Wanted:
    """Return what a start takes that no pacer has let through; ``new_member`` names it where it takes slots."""
    buckets = tuple(ask.bucket for ask in asks)
    metered = [ask for ask in asks if ask.bucket.metered and ask.limit is not None]
    return Wanted(
        buckets,
        tuple(ask.cost for ask in asks) if metered else (),
        new_member() if any(isinstance(bucket, Slots) for bucket in buckets) else "",
        tuple(Charge(ask.limit.name, ask.bucket, ask.cost, 0, ask.limit.settle) for ask in metered if ask.limit),
    )
