"""How late a start may be for its token, so that still no window holds more than the limit allows."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Slots, Window
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket

_LEAST_TOLERANCE: Final = 0.008
_MOST_TOLERANCE: Final = 0.03
_TOLERATED_TOKENS: Final = 1.5
"""How late a start may be behind its slot: at most so many tokens' worth of time, within the two bounds (seconds)."""
_TOLERATED_PART: Final = 0.1
_MOST_PATIENT: Final = 0.5
"""A slow bucket tolerates more: this part of a token's time, up to so many seconds, hardly changes any window."""


def tolerance_of(bucket: Bucket, interval_us: int) -> float:
    """Return the tolerance of a bucket with so many microseconds between two tokens; seconds."""
    if isinstance(bucket, Slots):  # a slot stays taken until its task ends, however late that starts
        return inf
    if isinstance(bucket, Window):
        return bucket.late_us / MICROSECONDS
    interval = interval_us / MICROSECONDS
    most = max(_MOST_TOLERANCE, min(_TOLERATED_PART * interval, _MOST_PATIENT))
    found = min(max(_TOLERATED_TOKENS * interval, _LEAST_TOLERANCE), most)
    return max(found, _MOST_TOLERANCE) if bucket.metered else found
