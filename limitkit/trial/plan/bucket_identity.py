"""Whether a changed limit goes on with the buckets that it has: by the code that names them in the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.buckets.named_partition import named
from limitkit.buckets.partition import bucket_key
from limitkit.trial.plan.ratio_words import number

if TYPE_CHECKING:
    from limitkit.config.declared import Limit

_VALUES: Final = ("a", "b", "c", "d")
"""One for each part of a key."""


def has_new_buckets(before: Limit, after: Limit) -> bool:
    """Whether the bucket of the same value has another name in the store, or is kept in another place.

    The limit's own name does not count: who compares two limits knows whether they have the same.
    """
    return before.local != after.local or _sample(before) != _sample(after)


def _sample(limit: Limit) -> str:
    parts = len(limit.key.parts) if limit.key is not None else 0
    value = None if not parts else named(_VALUES[0] if parts == 1 else list(_VALUES[:parts]), parts)
    return bucket_key("limitkit", replace(limit, name="limit", own=False), value)


def begins(limit: Limit) -> str:
    """Say how new buckets of a limit begin."""
    if limit.strategy == "concurrency":
        return "what runs now is not counted, so more may run until it ends"
    if limit.strategy == "window":
        return "it counts from nothing again"
    return f"buckets begin full, with {number(limit.burst)} at once"
