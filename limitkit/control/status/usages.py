"""Adds what is used of the limits' buckets to their rows, as far as all workers share them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.buckets.partition import bucket_key
from limitkit.control.usage import usages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.buckets.decision import Bucket
    from limitkit.control.bucket_state import BucketState
    from limitkit.control.status.snapshot import Part, Row
    from limitkit.stores.store import Store

MOST_PARTS: Final = 20
"""Partitions of a limit that are looked into, and shown: those for which most tasks wait or run."""


def add_usages(store: Store | None, prefix: str, rows: Iterable[Row], now: float) -> None:
    """Look into the buckets of these limits, and of their busiest partitions; ``now`` is the store's time.

    Raises StoreError.
    """
    wanted = [each for row in rows if _is_shared(row) for each in _buckets(prefix, row)] if store is not None else []
    assert store is not None or not wanted  # noqa: S101 (without a store, nothing is wanted)
    found = usages(store, [bucket for _, bucket in wanted], now) if store is not None else []
    for (shown, _), usage in zip(wanted, found, strict=True):
        most = shown.bucket_state.burst if usage.tokens is None else usage.most  # a window may be slowed down
        # A task that has lost its slot runs on, and only its worker knows.
        running = max(usage.running, shown.running) if usage.running is not None else None
        shown.usage = replace(usage, most=most, running=running)


def busiest(row: Row) -> list[tuple[str, Part]]:
    """Return the partitions for which most tasks wait, or run, by their forms in the bucket's key."""
    by_number = sorted(row.parts.items(), key=lambda pair: (-pair[1].waiting, -pair[1].running, pair[0]))
    return by_number[:MOST_PARTS]


def _is_shared(row: Row) -> bool:
    """Whether a limit has its buckets in the store, and is enforced; another file's limits may have other buckets."""
    limit = row.current.limit
    return not limit.local and limit.mode == "enforce" and "*" not in row.current.target.name and not row.foreign


def _buckets(prefix: str, row: Row) -> Iterator[tuple[Row | Part, Bucket]]:
    key = bucket_key(prefix, row.current.limit, None)
    if row.current.limit.key is None:
        yield row, _named(row.bucket_state, key)
    else:
        yield from ((part, _named(part.bucket_state, f"{key}:{form}")) for form, part in busiest(row))


def _named(state: BucketState, key: str) -> Bucket:
    return replace(state.bucket, key=key)
