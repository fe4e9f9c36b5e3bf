"""Makes the bucket of a limit, as a store needs it, from what is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Bucket, Slots, Window
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.buckets.window import is_exact

if TYPE_CHECKING:
    from limitkit.config.declared import Limit
    from limitkit.control.in_force import Terms

_LEAST_LATE_US: Final = 20_000
_MOST_LATE_US: Final = 500_000
_LATE_PART: Final = 100
_LATE_PART_OF_SHORT: Final = 50
_ENDLESS_US: Final = 366 * 86_400 * MICROSECONDS
"""The lease of a slot that this worker alone knows: it is gone with the worker."""


def bucket_of(key: str, limit: Limit, terms: Terms) -> Bucket:
    """Make the bucket of this key: a token bucket, a window, or the slots of a concurrency limit."""
    divides = limit.on_error == "divide"
    if limit.strategy == "concurrency":
        lease = _ENDLESS_US if limit.local else round(limit.lease * MICROSECONDS)
        return Slots(key, terms.interval_us, terms.burst, divides, limit.feedback, lease_us=lease)
    if limit.strategy == "window":
        late = late_us(terms.period_us)
        return Window(
            key,
            terms.interval_us,
            terms.burst,
            divides,
            limit.feedback,
            limit.metered,
            period_us=terms.period_us + late,
            resets=limit.resets,
            exact=is_exact(limit.most),
            late_us=late,
        )
    varies = bool(limit.schedule)
    return Bucket(key, terms.interval_us, terms.burst, divides, limit.feedback, limit.metered, varies=varies)


def late_us(period_us: int) -> int:
    """Return how late a start may be after its token was taken, in a window of this time.

    A start counts when it is taken. So a sliding window is longer by this, and no stretch of its time has one too many;
    one with resets admits nothing in its last moments.
    """
    least = min(_LEAST_LATE_US, period_us // _LATE_PART_OF_SHORT)
    return max(least, min(_MOST_LATE_US, period_us // _LATE_PART))
