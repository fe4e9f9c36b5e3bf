"""What the pool has of a worker's messages: what a lost connection leaves to it, and what a stopping worker keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from celery.worker import state

from limitkit.worker.pool.accepted import read_accepted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.worker.pool.places import Places


def tags_of(request: Any) -> Iterable[str]:
    """Name the deliveries that a request in the pool is for: a run of a batch has several."""
    messages = getattr(request, "messages", None)
    if messages is None:
        return (request.message.delivery_tag,)
    found = [each.request_dict.get("properties", {}).get("delivery_tag") for each in messages]
    return [tag for tag in found if tag]


class InPool(Protocol):
    """Tells which requests the pool has, and runs to their end."""

    def settle(self) -> None:
        """Find out what the pool has begun, before Celery or limitkit gives back the rest."""

    def running(self) -> Iterable[Any]:
        """Return the requests that run on when the connection is lost."""

    def given(self) -> Iterable[Any]:
        """Return the requests that a worker which stops must not give back."""


class ProcessesInPool:
    """Of a prefork pool on an event loop: what its processes have accepted; Celery takes the rest back itself."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def settle(self) -> None:
        """See ``InPool``."""
        read_accepted(self._pool)

    def running(self) -> Iterable[Any]:
        """See ``InPool``."""
        return list(state.active_requests)

    def given(self) -> Iterable[Any]:
        """See ``InPool``."""
        return [request for request in state.requests.values() if getattr(request, "_apply_result", None)]


class CountedInPool:
    """Of a pool whose places are counted: all that it was given."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def settle(self) -> None:
        """See ``InPool``."""

    def running(self) -> Iterable[Any]:
        """See ``InPool``."""
        return self._places.in_pool

    given = running


class QueuedInPool:
    """Of a pool that can't be counted: all that Celery has reserved, since it may have a queue of its own."""

    def settle(self) -> None:
        """See ``InPool``."""

    def running(self) -> Iterable[Any]:
        """See ``InPool``."""
        return {*state.active_requests, *state.reserved_requests}

    def given(self) -> Iterable[Any]:
        """See ``InPool``."""
        return [request for request in state.requests.values() if getattr(request, "_apply_result", None)]
