"""The token bucket's arithmetic, as whole microseconds.

A bucket is one number, its *theoretical arrival time* (TAT): the moment at which it will be full again. This is the
generic cell rate algorithm (ITU-T I.371, annex A): a token may be taken once ``TAT + interval - burst * interval``
has come, and each token moves the TAT on by one interval. ``stores/take.lua`` does the same arithmetic inside Redis.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.buckets.adaptive_rate import interval_us, refused

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import Bucket, GiveBack, Refusal, Take

MICROSECONDS: Final = 1_000_000
LONGEST_LEAD_US: Final = MICROSECONDS
"""How far ahead of its token a slot may be reserved."""
NOTHING: Final[Mapping[str, Adapted]] = MappingProxyType({})


class Pace(NamedTuple):
    """A bucket's pace at a moment, in microseconds."""

    interval: int
    depth: int
    """The time from one token to a full bucket."""
    paused: int
    """There is no token before this time."""


def pace(bucket: Bucket, adapted: Mapping[str, Adapted], now: int) -> Pace:
    """Return a bucket's pace now: as declared, or as adapted to the other side's refusals."""
    state = adapted.get(bucket.key) if bucket.feedback is not None and bucket.burst else None
    if state is None:
        return Pace(bucket.interval_us, (bucket.burst - 1) * bucket.interval_us, 0)
    # A bucket is full after the same time at any rate: one that was slowed down holds fewer tokens.
    interval = interval_us(bucket, state, now)
    return Pace(interval, max(0, bucket.burst * bucket.interval_us - interval), state.paused)


def settled(tat: int | None, now: int, bucket: Bucket, goes: Pace, lead: int = LONGEST_LEAD_US) -> int:
    """Return the bucket's TAT as it counts now: never in the past, and no further ahead than a take can reserve.

    With the upper bound, a raised rate, or a clock that was set back, has effect at once. ``lead`` is how far ahead
    of its token a slot may be reserved. A paused bucket's TAT does not matter.
    """
    if tat is None or tat <= now or not bucket.burst:
        return now
    return min(tat, now + goes.interval + goes.depth + max(lead, LONGEST_LEAD_US))


def wait_us(tat: int, now: int, goes: Pace) -> int:
    """Microseconds until one token can be taken from a settled bucket; for a paused one, until it is asked again."""
    return max(0, tat - goes.depth - now)


def take(
    state: MutableMapping[str, int], ask: Take, now: int, adapted: Mapping[str, Adapted] = NOTHING
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Take from ``state`` (key -> TAT); returns slots and waits, in microseconds from now, and the new TATs.

    A TAT that is cut down is written even when nothing is taken: otherwise each take would cut it to the same distance,
    and it would never come nearer. A paused bucket admits nothing, and keeps its TAT.
    """
    horizon, ready = max(0, round(ask.horizon * MICROSECONDS)), ask.ready
    goes = [pace(bucket, adapted, now) for bucket in ask.buckets]
    tats = []
    for bucket, how in zip(ask.buckets, goes, strict=True):
        before = state.get(bucket.key)
        tat = settled(before, now, bucket, how, horizon)
        is_cut = before is not None and tat < before
        if how.paused:  # a bucket does not fill up meanwhile
            tat = max(tat, how.paused + how.depth)
        if is_cut and ask.count and bucket.burst:
            state[bucket.key] = tat
        tats.append(tat)
    slots: list[int] = []
    most = ask.count if all(bucket.burst for bucket in ask.buckets) else 0
    while len(slots) < most:
        slot = max(map(wait_us, tats, [now] * len(tats), goes))
        if slot > horizon or (slot == 0 and ready == 0):
            break
        ready -= slot == 0
        slots.append(slot)
        # The token is used at its slot: until then, a full bucket gets no more tokens.
        tats = [max(tat, now + slot) + how.interval for tat, how in zip(tats, goes, strict=True)]
    if slots:
        state.update(zip((bucket.key for bucket in ask.buckets), tats, strict=True))
    waits = tuple(map(wait_us, tats, [now] * len(tats), goes))
    return tuple(slots), waits, tuple(tats)


def intervals(ask: Take, now: int, adapted: Mapping[str, Adapted]) -> tuple[int, ...]:
    """Return the intervals of a take's buckets now; none when no bucket has feedback."""
    if all(bucket.feedback is None for bucket in ask.buckets):
        return ()
    return tuple(pace(bucket, adapted, now).interval for bucket in ask.buckets)


def back_off(
    state: Mapping[str, int], adapted: MutableMapping[str, Adapted], refusal: Refusal, now: int
) -> tuple[bool, int, int]:
    """Adapt to a refusal; returns whether that changed anything, the microseconds of pause, and the new interval."""
    bucket = refusal.bucket
    goes = pace(bucket, adapted, now)
    slot = min(state.get(bucket.key, now) - goes.depth, now + LONGEST_LEAD_US)
    after, changed = refused(adapted.get(bucket.key), slot, now, refusal)
    adapted[bucket.key] = after
    return changed, max(0, after.paused - now), interval_us(bucket, after, now)


def give_back(state: MutableMapping[str, int], gift: GiveBack) -> bool:
    """Undo the last takes of a bucket, if there was none since; returns whether it did."""
    if state.get(gift.bucket.key) != gift.mark:
        return False
    state[gift.bucket.key] = gift.mark - gift.count * gift.bucket.interval_us
    return True


def full(state: Mapping[str, int], now: int) -> list[str]:
    """Return the keys of the buckets that are full again: their state need not be kept."""
    return [key for key, tat in state.items() if tat <= now]
