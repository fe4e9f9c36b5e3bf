"""The adaptive rate: how a bucket backs off when the other side refuses, and how its rate comes back.

The first refusal of a *round* cuts the rate; what was under way by then, and what is refused within the same second,
must not cut it again. From there the rate grows as in CUBIC (RFC 9438): fast at first, hardly at all near the rate that
was refused, and faster and faster beyond it, until the next refusal or the ceiling. So recovering writes nothing: the
rate in force follows from what was written at the cut, and from the time. ``stores/rate.lua`` and ``stores/slow.lua``
do the same arithmetic inside Redis.
"""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket, Refusal

_SECOND: Final = 1_000_000
_ROUND: Final = _SECOND
"""The shortest round: most services count calls for each second, and refuse until that second is over."""
_PROBES: Final = 2
"""Tokens at the low rate before the rate grows again."""
_PLATEAU: Final = 0.98
"""The plateau that the rate comes back to, as a part of the refused rate: just below what the other side admits."""
_HOLD: Final = 0.4
"""How long it stays at the plateau, as a part of the time in which it came back ..."""
_TAIL: Final = 0.4
"""... and how long it then takes to double, as a part of the same time."""
_CLIMB: Final = 15
"""Seconds in which it comes back, if ``step`` does not say: so it has doubled within 30 s of a cut ..."""
_CLIMB_TOKENS: Final = 100
"""... but over at least this many tokens, so that few of them are refused, however slow the rate is."""
_LONGEST_CLIMB: Final = 86_400 * _SECOND
_DEEPEST: Final = 0.5
"""What one cut leaves of the rate at least, unless the factor itself is lower."""
_LONGEST_ROW: Final = 7
"""Each cut in a row counts double; the cuts after this one count the same as this one."""
_CLOSED: Final = 0.75
"""A service that refuses even at the floor refuses at any rate: its quota is used up. The plateau is then this part of
the rate at which the row began; otherwise the way back would take very long."""
_FLOOR: Final = 0.01
"""The floor as a part of the bucket's rate, if the file names none."""
_LONGEST_GUESSED_PAUSE: Final = 60 * _SECOND
"""When the other side names no time, a pause is one second, and doubles with each refusal in a row, up to this."""
_STEPS: Final = 100
"""The number of steps in which a rate that comes back is added up."""
_KEPT: Final = 3600 * _SECOND
"""How long the state is kept after the rate is back."""


class Adapted(NamedTuple):
    """A bucket's adapted rate. Times are microseconds of the store's clock, rates are tokens a second."""

    paused: int
    """Until then there is no token; tokens of the time before are gone."""
    since: int
    """When the rate begins to grow."""
    low: float
    plateau: float
    """0.0 when the rate was never cut."""
    climb: int
    """Microseconds from the low rate to the plateau."""
    ceiling: float
    round: int
    """The end of the last cut's round: starts before it belong to that round."""
    row: int
    """How many rounds in a row were refused."""
    first: float
    """The rate that was refused in the first round of the row."""


def shifted(adapted: Adapted, by: int) -> Adapted:
    """Move its times to a clock that is ``by`` microseconds ahead."""
    return adapted._replace(paused=adapted.paused + by, since=adapted.since + by, round=adapted.round + by)


def rate(adapted: Adapted, now: int) -> float:
    """Return the adapted rate at this time."""
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
    """Return in how many seconds a bucket gets ``count`` tokens, from a time at which it is empty and not paused.

    This assumes that the other side does not refuse again meanwhile.
    """
    own = _SECOND / bucket.interval_us
    if adapted is None or not adapted.plateau:
        return count / own
    most, step = min(own, adapted.ceiling), max(_SECOND // _STEPS, adapted.climb // _STEPS)
    at, left = when, count
    while left > 0:
        now = min(own, rate(adapted, at))
        # The rate is constant before it grows, and once it is back: then one step is enough.
        seconds = inf if now >= most else (adapted.since - at if at < adapted.since else step) / _SECOND
        if left <= now * seconds:
            return (at - when) / _SECOND + left / now
        left -= now * seconds
        at += round(seconds * _SECOND)
    return (at - when) / _SECOND


def kept_us(adapted: Adapted, bucket: Bucket, now: int) -> int:
    """Return for how many microseconds to keep this state: until the rate is back, and some time longer."""
    climb = 0.0
    if adapted.plateau:
        climb = adapted.climb * (1 + _HOLD + _TAIL * max(0.0, adapted.ceiling / adapted.plateau - 1) ** (1 / 3))
    return adapted.since - now + bucket.burst * bucket.interval_us + int(climb) + _KEPT


def refused(before: Adapted | None, slot: int, now: int, refusal: Refusal) -> tuple[Adapted, bool]:
    """Return the state after a refusal, and whether it has cut the rate, or moved a pause's end by over a second.

    ``slot`` is when the bucket's next start may be: starts before it got their slots before the cut.
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
        wait = min(_LONGEST_GUESSED_PAUSE, _SECOND << (row - 1))
    paused = max(now + wait, before.paused if before is not None else 0)
    end = max(now + _ROUND, paused, slot)
    if feedback.action == "pause":
        return Adapted(paused, end, 0.0, 0.0, 1, 0.0, end, row, 0.0), True
    # The mean rate of the second before was too high: while the rate grows fast, it is already higher now.
    after = _cut(before, refusal, row, begun - _ROUND // 2)
    return after._replace(paused=paused, since=end + _PROBES * ceil(_SECOND / after.low), round=end), True


def _cut(before: Adapted | None, refusal: Refusal, row: int, when: int) -> Adapted:
    """Return the state after the ``row``-th cut in a row of the rate at ``when``; its times are not set yet."""
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
