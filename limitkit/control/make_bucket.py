"""Makes the bucket of a limit, as a store needs it, from what is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Bucket, Slots, Window
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from limitkit.config.declared import Limit
    from limitkit.control.in_force import Terms

_MOST_EXACT: Final = 200
"""The largest declared number of a sliding window that keeps the time of each start."""
_LEAST_LATE_US: Final = 5_000
_MOST_LATE_US: Final = 30_000
_PART_LATE: Final = 100


def bucket_of(key: str, limit: Limit, terms: Terms) -> Bucket:
    """Make the bucket of this key: a token bucket, a window, or the slots of a concurrency limit."""
    divides = limit.on_error == "divide"
    if limit.strategy == "concurrency":
        lease = round(limit.lease * MICROSECONDS)
        return Slots(key, terms.interval_us, terms.burst, divides, limit.feedback, lease_us=lease)
    if limit.strategy == "window":
        return Window(
            key,
            terms.interval_us,
            terms.burst,
            divides,
            limit.feedback,
            limit.metered,
            period_us=terms.period_us + late_us(terms.period_us),
            resets=limit.resets,
            exact=limit.most <= _MOST_EXACT,
            late_us=late_us(terms.period_us),
        )
    return Bucket(key, terms.interval_us, terms.burst, divides, limit.feedback, limit.metered)


def late_us(period_us: int) -> int:
    """Return how late a start may be after its token was taken, in a window of this time.

    A start counts when it is taken: so a window is longer by this, and no stretch of its time has one too many.
    """
    return max(_LEAST_LATE_US, min(_MOST_LATE_US, period_us // _PART_LATE))
