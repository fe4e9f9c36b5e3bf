"""How a bucket's rate gives way to the other side's refusals, and how it comes back.

The first refusal of a *round* cuts the rate; what was under way by then, and what is refused within the same second,
must not cut it again. From there the rate grows as in CUBIC (RFC 9438): fast at first, hardly at all near the rate that
was refused, and faster and faster beyond it, until the next refusal or the ceiling. So recovering writes nothing: the
rate in force follows from what was written at the cut, and from the time. ``stores/rate.lua`` and ``stores/slow.lua``
do the same sums inside Redis.
"""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket, Refusal

_SECOND: Final = 1_000_000
_ROUND: Final = _SECOND
"""The shortest round: most of those who refuse count by the second, and refuse until it is over."""
_PROBES: Final = 2
"""Tokens at the low rate before the rate grows again."""
_PLATEAU: Final = 0.98
"""What the rate comes back to, as a part of the one that was refused: just below what the other side admits."""
_HOLD: Final = 0.4
"""For how long it stays there, as a part of the time in which it came back ..."""
_TAIL: Final = 0.4
"""... and in which time it then doubles."""
_CLIMB: Final = 15
"""Seconds in which it comes back, if it is not told how fast to grow: so it has doubled within 30 s of a cut ..."""
_CLIMB_TOKENS: Final = 100
"""... but in no fewer tokens than these, so that few are refused, however slow it is."""
_LONGEST_CLIMB: Final = 86_400 * _SECOND
_DEEPEST: Final = 0.5
"""What one cut leaves of the rate at least, if the factor itself is not less."""
_LONGEST_ROW: Final = 7
"""Each cut of a row counts double, and none beyond this one more than that."""
_CLOSED: Final = 0.75
"""Who refuses at the floor too, refuses at any rate: a quota is used up. The plateau is then this part of the rate with
which the row began, or the way back from there would be very long."""
_FLOOR: Final = 0.01
"""The floor is this part of the bucket's rate, if it is not told."""
_LONGEST_UNTOLD: Final = 60 * _SECOND
"""A pause whose end the other side does not say is a second, or twice the one before in a row, up to this."""
_STEPS: Final = 100
"""Parts of the time in which a rate comes back that are added up."""
_KEPT: Final = 3600 * _SECOND
"""For how long it is remembered that the rate is back."""


class Adapted(NamedTuple):
    """What refusals have taught about a bucket. Times are microseconds of the store's clock, rates tokens a second."""

    paused: int
    """There is no token before, nor has the bucket any left of the time before."""
    since: int
    """When the rate begins to grow."""
    low: float
    plateau: float
    """0.0 where the rate was never cut."""
    climb: int
    """Microseconds from the low rate to the plateau."""
    ceiling: float
    round: int
    """What started before it belongs to the round of the last cut."""
    row: int
    """How many rounds were refused in a row."""
    first: float
    """The rate that was refused in the first of them."""


def shifted(adapted: Adapted, by: int) -> Adapted:
    """Write its times for a clock that is so many microseconds ahead."""
    return adapted._replace(paused=adapted.paused + by, since=adapted.since + by, round=adapted.round + by)


def rate(adapted: Adapted, now: int) -> float:
    """Return the rate that a cut has left, at this time."""
    part = max(0, now - adapted.since) / adapted.climb
    if part < 1:
        missing = 1 - part
        found = adapted.plateau - (adapted.plateau - adapted.low) * (missing * missing * missing)
    else:
        beyond = max(0.0, part - 1 - _HOLD) / _TAIL
        found = adapted.plateau * (1 + beyond * beyond * beyond)
    return min(found, adapted.ceiling)


def interval_us(bucket: Bucket, adapted: Adapted | None, now: int) -> int:
    """Return the microseconds between two tokens at this time: never less than the bucket's own."""
    if adapted is None or not adapted.plateau:
        return bucket.interval_us
    return max(bucket.interval_us, ceil(_SECOND / rate(adapted, now)))


def seconds_for(count: float, bucket: Bucket, adapted: Adapted | None, when: int) -> float:
    """Return the seconds in which a bucket has so many tokens from a time on at which it has none, and is not paused.

    Nobody knows whether the other side refuses again meanwhile.
    """
    own = _SECOND / bucket.interval_us
    if adapted is None or not adapted.plateau:
        return count / own
    most, step = min(own, adapted.ceiling), max(_SECOND // _STEPS, adapted.climb // _STEPS)
    at, left = when, count
    while left > 0:
        now = min(own, rate(adapted, at))
        # It does not change before it grows, nor once it is back: then one step is enough.
        seconds = inf if now >= most else (adapted.since - at if at < adapted.since else step) / _SECOND
        if left <= now * seconds:
            return (at - when) / _SECOND + left / now
        left -= now * seconds
        at += round(seconds * _SECOND)
    return (at - when) / _SECOND


def kept_us(adapted: Adapted, bucket: Bucket, now: int) -> int:
    """Return for how many microseconds this is to be remembered: until the rate is back, and some time more."""
    climb = 0.0
    if adapted.plateau:
        climb = adapted.climb * (1 + _HOLD + _TAIL * max(0.0, adapted.ceiling / adapted.plateau - 1) ** (1 / 3))
    return adapted.since - now + bucket.burst * bucket.interval_us + int(climb) + _KEPT


def refused(before: Adapted | None, slot: int, now: int, refusal: Refusal) -> tuple[Adapted, bool]:
    """Return what is known after a refusal, and whether it has cut the rate, or moved a pause's end by over a second.

    ``slot`` is when the bucket's next start may be: those before it were given their moments before the cut.
    """
    feedback = refusal.bucket.feedback
    assert feedback is not None  # noqa: S101 (no other bucket is asked about)
    wait = round((refusal.retry_after or 0.0) * _SECOND)
    begun = now - round(refusal.age * _SECOND)
    if before is not None and begun < before.round:
        paused = max(before.paused, now + wait) if wait else before.paused
        end = max(before.round, paused)
        after = before._replace(paused=paused, since=before.since + end - before.round, round=end)
        return after, paused > before.paused + _SECOND
    in_a_row = before is not None and begun < before.since + _ROUND
    row = min(before.row + 1, _LONGEST_ROW) if before is not None and in_a_row else 1
    if feedback.action == "pause" and refusal.retry_after is None:
        wait = min(_LONGEST_UNTOLD, _SECOND << (row - 1))
    paused = max(now + wait, before.paused if before is not None else 0)
    end = max(now + _ROUND, paused, slot)
    if feedback.action == "pause":
        return Adapted(paused, end, 0.0, 0.0, 1, 0.0, end, row, 0.0), True
    # It was the mean of the second before that was too much: while the rate grows fast, it is higher by now.
    after = _cut(before, refusal, row, begun - _ROUND // 2)
    return after._replace(paused=paused, since=end + _PROBES * ceil(_SECOND / after.low), round=end), True


def _cut(before: Adapted | None, refusal: Refusal, row: int, when: int) -> Adapted:
    """Return what becomes of the rate of that time by the ``row``-th cut in a row; the times are not set yet."""
    feedback = refusal.bucket.feedback
    assert feedback is not None  # noqa: S101 (as above)
    own = _SECOND / refusal.bucket.interval_us
    ceiling = own if feedback.ceiling is None else min(feedback.ceiling, own)
    floor = min(ceiling, own * _FLOOR if feedback.floor is None else feedback.floor)
    last, first, closed = own, own, False
    if before is not None and before.plateau:
        last = min(own, rate(before, when))
        first = before.first if row > 1 else last
        closed = row > 1 and before.low <= floor
    left = feedback.factor
    for _ in range(row - 1):
        left *= left
    low = min(ceiling, max(floor, last * max(left, min(feedback.factor, _DEEPEST))))
    plateau = min(ceiling, max(low, first * _CLOSED if closed else last * _PLATEAU))
    step = feedback.step
    seconds = max(float(_CLIMB), _CLIMB_TOKENS / plateau) if step is None else (plateau - low) / step
    climb = min(_LONGEST_CLIMB, max(_SECOND, ceil(seconds * _SECOND)))
    return Adapted(0, 0, low, plateau, climb, ceiling, 0, row, first)
