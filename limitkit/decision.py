"""What is asked of a store and what it answers: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Decision:
    """A store's answer to one take.

    ``slots`` are seconds from now until each start that was taken, ascending; 0.0 is now. ``waits`` are, bucket by
    bucket, seconds until one more token can be taken there. ``marks`` are the buckets' states, for a give-back.
    """

    slots: tuple[float, ...]
    waits: tuple[float, ...]
    marks: tuple[int, ...]

    @property
    def retry_after(self) -> float:
        """Seconds until a take of one start can succeed; 0.0 is now."""
        return max(self.waits, default=0.0)
