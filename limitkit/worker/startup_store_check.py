"""Asks the store once before a worker starts: what can never work is refused, what may work later is only reported."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Bucket, GiveBack, Lease, Slots, Take, Window
from limitkit.buckets.slots import new_member
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.buckets.window import is_exact
from limitkit.config.declared import Resets
from limitkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.errors import Problem
    from limitkit.stores.store import Store

STORE_UNUSABLE: Final = "LK055"


def ask_once(store: Store, prefix: str, limits: Iterable[Limit] = ()) -> StoreError | None:
    """Take as a start does, from buckets of no limit, one of each kind that is used; returns the error if that fails.

    Each kind needs other commands, and a user of the store may not have the right to all. It is tried twice: the first
    call also looks up names, and a cluster's nodes. The buckets are gone after a second.
    """
    kinds = {kind_of(limit): None for limit in limits if not limit.local}
    buckets = tuple(_bucket(f"{prefix}:{{start}}", kind) for kind in {"token_bucket": None, **kinds})
    # Past the circuit breaker, which would not let the second call through.
    found = _taken(getattr(store, "store", store), buckets)
    return found if found is None or found.remedy else _taken(getattr(store, "store", store), buckets)


def kind_of(limit: Limit) -> str:
    """Name the kind of bucket of a limit, by what the scripts do with it."""
    if limit.strategy == "window":
        return "calendar" if limit.resets is not None else "exact" if is_exact(limit.most) else "window"
    return "slots" if limit.strategy == "concurrency" else "token_bucket"


def _bucket(key: str, kind: str) -> Bucket:
    if kind == "slots":
        return Slots(f"{key}:r1", MICROSECONDS, 1, lease_us=MICROSECONDS)
    if kind == "token_bucket":
        return Bucket(f"{key}:g1", 1, 1)
    resets = Resets("clock", "clock", period_us=MICROSECONDS) if kind == "calendar" else None
    return Window(
        f"{key}:{kind[0]}1", 1, 1_000_000, period_us=MICROSECONDS, resets=resets, exact=kind == "exact", late_us=0
    )


def _taken(store: Store, buckets: tuple[Bucket, ...]) -> StoreError | None:
    member = new_member(time.time())
    slots = [bucket for bucket in buckets if isinstance(bucket, Slots)]
    try:
        store.take([Take((bucket,), member=member) for bucket in buckets])
        if slots:
            store.renew([Lease(each, member) for each in slots])
            store.take([], [GiveBack(each, 0, 0, member) for each in slots])
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
