"""What a waiting room is asked: to park requests with the durability of their queue, and to bring back who is due."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limitkit.buckets.decision import Bucket
    from limitkit.control.in_force import Terms

ORDERS_A_SECOND: Final = 10_000
MOST_ORDERS: Final = 10**14
"""An order is when a message was first parked, in units of 100 us since 1970, plus its priority times this number.

A double holds that exactly for each of kombu's ten priorities. No two messages have the same order: of many that are
parked at once, later ones are counted on from the last.
"""
ORDER: Final = "limitkit_order"
"""The property of a message that was parked: its place among those of its bucket, if it has to be parked again."""

NO_MORE: Final = -1.0
"""In place of seconds: a worker has no use for more of a bucket, while others may have."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A request that leaves the worker to wait elsewhere."""

    request: Any
    """Celery's request; its message is delivered and not acknowledged."""
    queue: str
    """The queue that it came from, and comes back to."""
    bucket: Bucket
    """The one that it has to wait longest for."""
    turn: float
    """Seconds until its turn comes, as far as this worker can tell; ``NO_MORE`` when it has come, but not here."""

    def retimed(self, terms: Terms) -> Leaving:
        """Return it with another rate of its bucket: its turn comes the sooner, or the later."""
        part = terms.interval_us / self.bucket.interval_us
        bucket = replace(self.bucket, interval_us=terms.interval_us, burst=terms.burst)
        return replace(self, bucket=bucket, turn=self.turn if self.turn == NO_MORE else self.turn * part)


@dataclass(frozen=True, slots=True)
class Steering:
    """What a worker says of the buckets for which requests are parked, by their keys."""

    hungry: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """The bucket's interval in seconds, and how many more it could start than it holds; 0 asks how many there are."""
    full: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The bucket's interval, and for how many seconds the worker holds what it admits; or ``NO_MORE``."""
    lead: float = 0.0
    """Seconds before its turn at which a request comes back."""
    places: int = 1000
    """How many more this worker may hold, whatever for."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a waiting room says when it was asked to bring back who is due."""

    again: float
    """Seconds until that is worth asking again."""
    left: Mapping[str, int] = field(default_factory=dict)
    """How many are still parked for some buckets, by key: those that were asked about, or of which some came back."""
    empty: bool = False
    """Nothing is parked at all."""


class Room(Protocol):
    """Where requests are parked: one for each kind of broker."""

    kind: str
    """What the worker's start-up lines and ``limitkit explain`` call it."""
    most: int
    """How many leavers it takes in one call."""
    every: float
    """Seconds between two of these calls, at least."""
    steered: bool
    """Whether ``bring`` can bring back sooner what a worker could start."""

    def park(self, leavers: Sequence[Leaving]) -> None:
        """Park these, and acknowledge their messages once they are safe.

        Raises whatever the broker's client raises; then those that are not acknowledged are still the worker's, and
        parking them again is no harm. A process that is killed on the way leaves each message where it was, or
        parked, or at worst both.
        """

    def bring(self, steering: Steering) -> Brought:
        """Put who is due back into the queues; a room whose messages come back by themselves does nothing.

        Raises whatever the broker's client raises.
        """

    def retime(self, intervals: Mapping[str, float]) -> Iterator[None]:
        """Bring sooner, or later, what is parked for limits whose rate was changed; some at each step.

        ``intervals`` are seconds between two tokens, by the limits' tags in the keys of buckets. A room whose messages
        come back by themselves does nothing. A step raises whatever the broker's client raises.
        """

    def close(self) -> None:
        """Let go of connections."""
