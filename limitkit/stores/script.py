"""The scripts that work inside Redis: how the one that keeps buckets is asked, and how its answer reads."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from limitkit.bucket import MICROSECONDS
from limitkit.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.decision import GiveBack, Take

SCRIPTS: Final = {
    name: files("limitkit.stores").joinpath(f"{name}.lua").read_text("ascii")
    for name in ("take", "note", "look", "post")
}


_SCANNED: Final = 500
"""Keys that Redis looks through at a time, doing nothing else meanwhile."""


def question(
    takes: Sequence[Take], give_backs: Sequence[GiveBack], now_us: int | None
) -> tuple[list[str], list[str | int]]:
    """Return the keys and arguments of ``take`` for one call."""
    keys: list[str] = []
    args: list[str | int] = ["" if now_us is None else now_us, len(give_backs)]
    for gift in give_backs:
        keys.append(gift.bucket.key)
        args += (gift.mark, gift.count * gift.bucket.interval_us)
    for ask in takes:
        args += (len(ask.buckets), ask.count, ask.ready, round(ask.horizon * MICROSECONDS))
        for bucket in ask.buckets:
            keys.append(bucket.key)
            args += (bucket.interval_us, bucket.burst)
    return keys, args


def refill(client: Any, key: str, *, partitions: bool) -> int:
    """Delete a bucket, or all whose keys begin with this one, some at a time; returns how many there were."""
    if not partitions:
        return int(client.delete(key))
    pattern = re.sub(r"([\\*?\[\]^])", r"\\\1", key) + ":*"
    return sum(int(client.delete(each)) for each in client.scan_iter(match=pattern, count=_SCANNED))


def answers(reply: Sequence[int], takes: Sequence[Take]) -> list[Decision]:
    """Read what ``take`` returned: one decision a take."""
    decisions, at = [], 0
    for ask in takes:
        first = at + 1
        at = first + reply[at]
        end = at + 2 * len(ask.buckets)
        decisions.append(
            Decision(
                tuple(slot / MICROSECONDS for slot in reply[first:at]),
                tuple(wait / MICROSECONDS for wait in reply[at:end:2]),
                tuple(reply[at + 1 : end : 2]),
            )
        )
        at = end
    return decisions
