"""What a waiting room does: it parks requests, as durable as in their queue, and brings back those that are due."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.turns import TurnTaker
    from limitkit.control.in_force import Terms

ORDERS_A_SECOND: Final = 10_000
MOST_ORDERS: Final = 10**14
"""An order is when a message was first parked, in units of 100 us since 1970, plus its priority times this number.

A double holds that exactly for each of kombu's ten priorities. No two messages have the same order: of many that are
parked at once, each gets the next number.
"""
ORDER: Final = "limitkit_order"
"""The property of a message that was parked: its place among those of its bucket, if it has to be parked again."""

NO_MORE: Final = -1.0
"""In place of seconds: this worker can start no more of a bucket, but others may."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A request that leaves the worker to wait elsewhere."""

    request: Any
    """Celery's request; its message is delivered and not acknowledged."""
    queue: str
    """The queue that it came from, and comes back to."""
    bucket: Bucket
    """The bucket that it has to wait longest for."""
    turn: float
    """Seconds until its turn, as far as this worker knows; ``NO_MORE`` when it is due, but other workers start it."""
    taker: TurnTaker | None = None
    """For whom it waits, if the bucket's limit has ``fair_by``."""

    def retimed(self, terms: Terms) -> Leaving:
        """Return it with another rate of its bucket, so that its turn comes sooner or later."""
        part = terms.interval_us / self.bucket.interval_us
        bucket = replace(self.bucket, interval_us=terms.interval_us, burst=terms.burst)
        return replace(self, bucket=bucket, turn=self.turn if self.turn == NO_MORE else self.turn * part)


@dataclass(frozen=True, slots=True)
class Steering:
    """What a worker holds and could start, by the keys of buckets: from it the room knows what to bring back."""

    hungry: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """The bucket's interval in seconds, and how many more it could start than it holds; 0 only counts those parked."""
    full: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The bucket's interval, and for how many seconds the worker holds what it admits; or ``NO_MORE``."""
    lead: float = 0.0
    """Seconds before its turn at which a request comes back."""
    places: int = 1000
    """How many more this worker may hold, for any bucket."""
    turns_lead: float = 0.0
    """As ``lead``, for a bucket whose limit has ``fair_by``."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a waiting room answers when it was asked to bring back what is due."""

    again: float
    """Seconds until it is worth asking again."""
    left: Mapping[str, int] = field(default_factory=dict)
    """How many are still parked for some buckets, by key: those that were asked about, or of which some came back."""
    empty: bool = False
    """Nothing is parked at all."""


class Room(Protocol):
    """Where requests are parked: one for each kind of broker."""

    kind: str
    """What the worker's start-up lines and ``limitkit explain`` call it."""
    most: int
    """How many requests it takes in one call."""
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
        """Put what is due back into the queues; a room whose messages come back by themselves does nothing.

        Raises whatever the broker's client raises.
        """

    def retime(
        self, intervals: Mapping[str, float], weights: Mapping[str, Mapping[str, float]] | None = None
    ) -> Iterator[None]:
        """Have what is parked come back sooner or later, for limits that were changed; some at each step.

        ``intervals`` are seconds between two tokens, by the keys of buckets, or by the limits' tags in them;
        ``weights`` are of the values of ``fair_by``, by the tags and their digests. A room whose messages come back by
        themselves does nothing. A step raises whatever the broker's client raises.
        """

    def close(self) -> None:
        """Close the room's own connections."""
