"""What is asked of a store and what it answers: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from limitkit.config.declared import Feedback

Outcome = Literal["started", "held", "parked", "dropped", "failed", "shadowed", "failed_open"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as a store needs it: which one, how fast and how deep it is."""

    key: str
    interval_us: int
    """Microseconds between two tokens."""
    burst: int
    """The most tokens that it holds; 0 is a paused bucket: it admits nothing, keeps its tokens, and is asked again
    after ``interval_us``."""
    divides: bool = field(default=False, compare=False)
    """Whether each worker uses its share of the rate while the store is gone."""
    feedback: Feedback | None = None
    """Set for a bucket whose rate backs off when the other side refuses."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take tokens for up to ``count`` starts; each start takes one token from every bucket, or none at all.

    At most ``ready`` of the starts may be now. With a ``horizon`` (seconds), slots that come due within it are reserved
    too (below zero counts as zero); the starts of one take never skip a slot. A ``count`` of 0 is a peek. All takes
    from one bucket must have horizons of up to a second, or all longer ones: a take cuts off what is further ahead than
    its own horizon.
    """

    buckets: tuple[Bucket, ...]
    count: int = 1
    ready: int = 1
    horizon: float = 0.0


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Give back the last ``count`` reserved slots of a bucket, if there was no other take since.

    ``mark`` is from the decision that reserved them. To give back after another take would move that one's slots, and
    two starts would come at the same time: so the token is lost instead.
    """

    bucket: Bucket
    mark: int
    count: int = 1


class Decision(NamedTuple):
    """A store's answer to one take. A tuple: each start makes one, and a frozen dataclass takes three times as long.

    ``slots`` are seconds from now until each start that was taken, in order; 0.0 is now. ``waits`` are, for each
    bucket, seconds until one more token can be taken. ``marks`` are the buckets' states, for a give-back.
    """

    slots: tuple[float, ...]
    waits: tuple[float, ...]
    marks: tuple[int, ...]
    intervals: tuple[int, ...] = ()
    """For each bucket, the microseconds between two tokens now; empty when no bucket has feedback."""

    @property
    def retry_after(self) -> float:
        """Seconds until a take of one start can succeed; 0.0 is now."""
        return max(self.waits, default=0.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The other side has refused the call of a task that took from this bucket; the bucket has feedback."""

    bucket: Bucket
    age: float
    """Seconds since that task's start."""
    retry_after: float | None = None
    """Seconds that the other side asks to wait; None when it names no time."""


@dataclass(frozen=True, slots=True)
class BackedOff:
    """The state of a bucket after a refusal."""

    changed: bool
    """Whether this refusal has slowed it down or paused it; later ones of the same round change nothing."""
    pause: float
    """Seconds until a token can be taken again; 0.0 when it is not paused."""
    interval_us: int
    """Microseconds between two tokens from then on."""
