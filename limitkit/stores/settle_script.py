"""How the arguments of the scripts that follow a start are written: ``settle``, ``renew`` and ``running``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.decision import Slots, Window
from limitkit.buckets.partition import adapted_key, sender_key
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.stores.take_script import letter_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.buckets.decision import Lease, Once, Settlement

MOST_AT_ONCE: Final = 900
"""Settlements or leases in one call: some servers take up to 3,000 keys and arguments."""


def with_costs(settlements: Iterable[Settlement]) -> list[Settlement]:
    """Return those that correct anything; slots have no costs."""
    return [each for each in settlements if each.cost != each.estimate and not isinstance(each.bucket, Slots)]


def settlement(
    settlements: Sequence[Settlement], now_us: int | None, once: Once | None = None, part: int = 0
) -> tuple[list[str], list[str]]:
    """Return the keys and the arguments of ``settle``; ``part`` tells apart several of one call on one server."""
    keys, extra, numbers = [], [], ["" if now_us is None else str(now_us)]
    for each in settlements:
        bucket = each.bucket
        keys.append(bucket.key)
        burst = bucket.burst
        if bucket.feedback is not None and burst:
            burst = -burst
            extra.append(adapted_key(bucket.key))
        span = bucket.period_us if isinstance(bucket, Window) else 0
        more = each.cost - each.estimate
        numbers.append(f"{letter_of(bucket)} {bucket.interval_us} {burst} {span} {each.mark} {more}")
    if once is None:
        return keys + extra[::-1], [" ".join(numbers)]
    sender = sender_key(keys[0], once.sender if not part else f"{once.sender}-{part}")
    return [*keys, *extra[::-1], sender], [" ".join(numbers), str(once.number)]


def renewal(leases: Sequence[Lease], now_us: int | None) -> tuple[list[str], list[Any]]:
    """Return the keys and arguments of ``renew``."""
    args: list[Any] = ["" if now_us is None else now_us]
    for each in leases:
        args += (each.bucket.lease_us, each.member)
    return [each.bucket.key for each in leases], args


def members(answer: Sequence[bytes | str]) -> list[tuple[str, float]]:
    """Read what ``running`` says of one limit: members, and the seconds left of their leases."""
    return [
        (member.decode() if isinstance(member, bytes) else member, int(left) / MICROSECONDS)
        for member, left in zip(answer[::2], answer[1::2], strict=True)
    ]
