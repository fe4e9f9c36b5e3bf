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
    """Microseconds in which one token comes back."""
    burst: int
    """Tokens that it holds; 0 is a paused bucket: it admits nothing, keeps its tokens, and is asked again after
    ``interval_us``."""
    divides: bool = field(default=False, compare=False)
    """Whether each worker starts on its share of it while the store is gone."""
    feedback: Feedback | None = None
    """Of a bucket whose rate gives way to what the other side says."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take tokens for up to ``count`` starts; each start takes one token of every bucket, or none of any.

    At most ``ready`` of them may be for this very moment. With a ``horizon`` (seconds), slots that come due within
    it are reserved too; the starts of one take never skip a slot. A ``count`` of 0 is a peek. All who take from one
    bucket keep to horizons of a second, or all to longer ones: a take cuts off what is further ahead than its own.
    """

    buckets: tuple[Bucket, ...]
    count: int = 1
    ready: int = 1
    horizon: float = 0.0


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Give the last ``count`` reserved slots of a bucket back, if nobody has taken from it since.

    ``mark`` is what the decision that reserved them returned. Giving back after others took would move their
    slots, and two starts would fall together: such a token is lost instead.
    """

    bucket: Bucket
    mark: int
    count: int = 1


class Decision(NamedTuple):
    """A store's answer to one take. A tuple, as one is made for each start: a frozen dataclass takes thrice as long.

    ``slots`` are seconds from now until each start that was taken, ascending; 0.0 is now. ``waits`` are, bucket by
    bucket, seconds until one more token can be taken there. ``marks`` are the buckets' states, for a give-back.
    """

    slots: tuple[float, ...]
    waits: tuple[float, ...]
    marks: tuple[int, ...]
    intervals: tuple[int, ...] = ()
    """Bucket by bucket, the microseconds between two tokens as they are now; empty where no bucket has feedback."""

    @property
    def retry_after(self) -> float:
        """Seconds until a take of one start can succeed; 0.0 is now."""
        return max(self.waits, default=0.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The other side has refused what a start did that took from this bucket; the bucket has feedback."""

    bucket: Bucket
    age: float
    """Seconds since that start."""
    retry_after: float | None = None
    """Seconds for which the other side wants to be left alone; None when it has not said."""


@dataclass(frozen=True, slots=True)
class BackedOff:
    """What has become of a bucket by a refusal."""

    changed: bool
    """Whether it was slowed down or paused by this very one; others of its round change nothing more."""
    pause: float
    """Seconds until a token can be taken again; 0.0 when it is not paused."""
    interval_us: int
    """Microseconds between two tokens from then on."""
