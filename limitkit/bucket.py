"""The token bucket's arithmetic, as whole microseconds.

A bucket is one number, its *theoretical arrival time* (TAT): the moment at which it will be full again. This is the
generic cell rate algorithm (ITU-T I.371, annex A): a token may be taken once ``TAT + interval - burst * interval``
has come, and each moves the TAT on by one interval. ``stores/take.lua`` does the same sums inside Redis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from limitkit.decision import Bucket, GiveBack, Take

MICROSECONDS: Final = 1_000_000
LONGEST_LEAD_US: Final = MICROSECONDS
"""How far ahead of its token a slot may be reserved."""


def settled(tat: int | None, now: int, bucket: Bucket, lead: int = LONGEST_LEAD_US) -> int:
    """Return the bucket's TAT as it counts now: never in the past, nor further ahead than anybody can have taken.

    The upper bound makes a rate that was raised, or a clock that was set back, felt at once. ``lead`` is how far ahead
    of its token a slot may be reserved. A paused bucket's TAT is of no matter.
    """
    if tat is None or tat <= now or not bucket.burst:
        return now
    return min(tat, now + bucket.burst * bucket.interval_us + max(lead, LONGEST_LEAD_US))


def wait_us(tat: int, now: int, bucket: Bucket) -> int:
    """Microseconds until one token can be taken from a settled bucket; of a paused one, until it is looked at again."""
    return max(0, tat + bucket.interval_us - bucket.burst * bucket.interval_us - now)


def take(
    state: MutableMapping[str, int], ask: Take, now: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Take from ``state`` (key -> TAT); returns slots and waits, in microseconds from now, and the new TATs.

    A TAT that is cut down is written even when the take is refused, or it would be cut down to the same distance again
    and again, and never come nearer. A paused bucket admits nothing, and keeps its TAT.
    """
    horizon, ready = round(ask.horizon * MICROSECONDS), ask.ready
    tats = [settled(state.get(bucket.key), now, bucket, horizon) for bucket in ask.buckets]
    if ask.count:
        state.update(
            (bucket.key, tat)
            for bucket, tat in zip(ask.buckets, tats, strict=True)
            if bucket.burst and tat < state.get(bucket.key, 0)
        )
    slots: list[int] = []
    most = ask.count if all(bucket.burst for bucket in ask.buckets) else 0
    while len(slots) < most:
        slot = max(map(wait_us, tats, [now] * len(tats), ask.buckets))
        if slot > horizon or (slot == 0 and ready == 0):
            break
        ready -= slot == 0
        slots.append(slot)
        # The token goes at its slot: a bucket that is full by then has not been filling up meanwhile.
        tats = [max(tat, now + slot) + bucket.interval_us for tat, bucket in zip(tats, ask.buckets, strict=True)]
    if slots:
        state.update(zip((bucket.key for bucket in ask.buckets), tats, strict=True))
    waits = tuple(map(wait_us, tats, [now] * len(tats), ask.buckets))
    return tuple(slots), waits, tuple(tats)


def give_back(state: MutableMapping[str, int], gift: GiveBack) -> bool:
    """Undo the last takes of a bucket, if they are still its last; says whether it did."""
    if state.get(gift.bucket.key) != gift.mark:
        return False
    state[gift.bucket.key] = gift.mark - gift.count * gift.bucket.interval_us
    return True


def full(state: Mapping[str, int], now: int) -> list[str]:
    """Keys of the buckets that are full again: nothing need be remembered of them."""
    return [key for key, tat in state.items() if tat <= now]
