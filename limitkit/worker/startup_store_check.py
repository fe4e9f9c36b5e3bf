"""Asks the store once before a worker starts: what can never work is refused, what may work later is only reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Bucket, Take
from limitkit.errors import StoreError

if TYPE_CHECKING:
    from limitkit.config.load import Config
    from limitkit.errors import Problem
    from limitkit.stores.store import Store

STORE_UNUSABLE: Final = "LK055"


def ask_once(store: Store, prefix: str) -> StoreError | None:
    """Take a token as a start does, from a bucket of no limit; returns the error if that fails.

    It is tried twice: the first call also looks up names, and a cluster's nodes. The bucket is gone after a second.
    """
    take = Take((Bucket(f"{prefix}:{{start}}:g1", 1, 1),))
    # Past the circuit breaker, which would not let the second call through.
    found = _taken(getattr(store, "store", store), take)
    return found if found is None or found.remedy else _taken(getattr(store, "store", store), take)


def _taken(store: Store, take: Take) -> StoreError | None:
    try:
        store.take([take])
    except StoreError as error:
        return error
    return None


def unusable(config: Config, error: StoreError) -> Problem:
    """Return the problem that the store can't be used in a worker until an operator changes something."""
    own = config.rules.store.url is None
    whose = "the app's own Redis, which is the store where store.url is left out," if own else "the store"
    reason = str(error).rstrip(".")
    fact = f"{whose} can't be used ({reason}), so limited tasks would start without their shared limits"
    return config.document.problem(STORE_UNUSABLE, () if own else ("store", "url"), fact, error.remedy)
