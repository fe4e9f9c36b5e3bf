"""How late a start may be behind its slot, so that still no window holds more than the limit allows."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Slots, Window
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.buckets.decision import Bucket

_LEAST_TOLERANCE: Final = 0.008
_MOST_TOLERANCE: Final = 0.03
_TOLERATED_TOKENS: Final = 1.5
"""How late a start may be behind its slot: at most so many tokens' worth of time, within the two bounds (seconds)."""
_TOLERATED_PART: Final = 0.1
_MOST_PATIENT: Final = 0.5
"""A slow bucket tolerates more: this part of a token's time, up to so many seconds, hardly changes any window."""
_ACCEPTED_PART: Final = 0.75
"""A start that is there already may be late by this part of a token's time."""
_MOST_ACCEPTED: Final = 5.0
"""Seconds; up to so many."""
_HAND_OVER: Final = 0.02
"""Seconds that a request may need from its lane to its start: at most, and at most a quarter of the tolerance."""
_MOST_SLACK: Final = 0.5
"""Seconds; see ``Lane.use``."""
_PART_OF_LATE: Final = 0.75
"""Of how late a start may be in a window: the rest is for the way from the last check to the task's first line."""


def lateness(bucket: Bucket, interval_us: int) -> tuple[float, float, float]:
    """Return a lane's tolerance, margin and slack, in seconds, at a rate of one token in so many microseconds."""
    interval = interval_us / MICROSECONDS
    most = max(_MOST_TOLERANCE, min(_TOLERATED_PART * interval, _MOST_PATIENT))
    tolerance = min(max(_TOLERATED_TOKENS * interval, _LEAST_TOLERANCE), most)
    if bucket.metered:
        tolerance = max(tolerance, _MOST_TOLERANCE)
    if isinstance(bucket, Window):
        tolerance = _PART_OF_LATE * bucket.late_us / MICROSECONDS
    elif isinstance(bucket, Slots):  # a slot stays taken until its task ends, however late that starts
        tolerance = inf
    depth = (bucket.burst * bucket.interval_us - interval_us) / MICROSECONDS
    return tolerance, min(tolerance / 4, _HAND_OVER), tolerance + min(max(0.0, depth), _MOST_SLACK)


def grace(lanes: Iterable[tuple[Bucket, int, float]]) -> float:
    """Return how many seconds longer the tokens of a start are accepted that has reached its pool process.

    Each lane is given with the microseconds between two of its tokens, and its tolerance. Without this, a worker whose
    starts are all late by a little would never start anything: each comes too late for its own token, and the next ones
    are reserved by then. A window then holds less than one start more, which a limit's promise grants.
    """
    return max(0.0, min((_accepted(*lane) - lane[2] for lane in lanes), default=0.0))


def _accepted(bucket: Bucket, interval_us: int, tolerance: float) -> float:
    """Return how late a start may be at its first line."""
    if isinstance(bucket, (Window, Slots)):
        return tolerance
    return max(tolerance, min(_ACCEPTED_PART * interval_us / MICROSECONDS, _MOST_ACCEPTED))


def fresh_until(tolerances: Iterable[tuple[Bucket, float]], began: float, now: float) -> float:
    """Return until when tokens of these buckets are fresh that a call has taken, which ``began`` and ended ``now``.

    A window counts a start when it is taken, and has no room for the time of the call beside that for late starts.
    """
    return min((began if isinstance(bucket, Window) else now) + tolerance for bucket, tolerance in tolerances)
