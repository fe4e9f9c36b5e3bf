"""The first moments after the store is back, which not all workers see at once.

Until all have seen it, some still start tasks from their shares of a divided bucket. A worker that took from the store
only would add the whole rate to that. So each take then needs tokens of both: of the store, and of its own share.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from limitkit.buckets.decision import Decision, Take
from limitkit.buckets.group import part_of, undo
from limitkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.decision import Bucket, GiveBack
    from limitkit.stores.memory import MemoryStore
    from limitkit.stores.store import Store


def take_both(
    store: Store,
    own: MemoryStore,
    share: Callable[[Bucket], Bucket | None],
    takes: Sequence[Take],
    give_backs: Sequence[GiveBack],
) -> list[Decision]:
    """Take from the store and, for divided buckets, also from this worker's shares; the later slot counts.

    Raises StoreError; then nothing was taken from the shares.
    """
    parts = [tuple(share(each) if each.divides else None for each in ask.buckets) for ask in takes]
    mine = [_take(own, ask, those) for ask, those in zip(takes, parts, strict=True)]
    asked = [ask if got is None else replace(ask, count=len(got.slots)) for ask, got in zip(takes, mine, strict=True)]
    try:
        decisions = store.take(asked, give_backs)
    except StoreError:
        for ask, those, got in zip(reversed(takes), reversed(parts), reversed(mine), strict=True):
            _give_back(own, ask, those, got, 0)
        raise
    for ask, those, got, decision in zip(
        reversed(takes), reversed(parts), reversed(mine), reversed(decisions), strict=True
    ):
        _give_back(own, ask, those, got, len(decision.slots))
    return list(map(_later, parts, mine, decisions))


def _of_shares(ask: Take, parts: tuple[Bucket | None, ...]) -> Take:
    """Return what a take asks of the shares."""
    known = [(index, part) for index, part in enumerate(parts) if part is not None]
    return replace(part_of(ask, [index for index, _ in known]), buckets=tuple(part for _, part in known))


def _take(own: MemoryStore, ask: Take, parts: tuple[Bucket | None, ...]) -> Decision | None:
    return own.take([_of_shares(ask, parts)])[0] if any(parts) else None


def _give_back(own: MemoryStore, ask: Take, parts: tuple[Bucket | None, ...], got: Decision | None, used: int) -> None:
    """Give back to the shares what the store has not admitted, in reverse order of the takes."""
    if got is not None and len(got.slots) > used:
        own.take([], undo(_of_shares(ask, parts), got.marks, len(got.slots) - used))


def _later(parts: tuple[Bucket | None, ...], got: Decision | None, decision: Decision) -> Decision:
    """Combine the answers of the own shares and of the store."""
    if got is None:
        return decision
    own_waits = iter(got.waits)
    return Decision(
        tuple(map(max, got.slots, decision.slots)),
        tuple(
            wait if part is None else max(wait, next(own_waits))
            for part, wait in zip(parts, decision.waits, strict=True)
        ),
        decision.marks,
        decision.intervals,
    )
