"""The door to a pacer that other threads or greenlets than its own come to: it lets one call in at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.control.in_force import Terms
    from limitkit.events.last_minute import Recent
    from limitkit.worker.pacing.held_requests import HeldRequests
    from limitkit.worker.pacing.pacer import Pacer
    from limitkit.worker.pool.loops import Loop


class PacerDoor:
    """Makes each call of a pacer on its loop."""

    def __init__(self, pacer: Pacer, loop: Loop) -> None:
        self._pacer, self._loop = pacer, loop
        self.view: HeldRequests = pacer.view

    @property
    def recent(self) -> Recent:
        """Starts of the last minute, by the limits' tags in the buckets' keys."""
        return self._pacer.recent

    @recent.setter
    def recent(self, recent: Recent) -> None:
        self._pacer.recent = recent

    def __call__(self, request: Any) -> None:
        """Take in a request."""
        self._loop.run(self._pacer, request)

    def connected(self) -> None:
        """Find out what the broker of a new connection can do."""
        self._loop.run(self._pacer.connected)

    def close(self) -> None:
        """Start nothing more on this connection."""
        self._loop.run(self._pacer.close)

    def forget(self) -> None:
        """Forget what was held."""
        self._loop.run(self._pacer.forget)

    def shutdown(self) -> None:
        """Give back the slots of all that ran: the pool has ended."""
        self._pacer.shutdown()

    def reconsider(self) -> None:
        """Put all that waits for a changed limit into its lanes again."""
        self._loop.run(self._pacer.reconsider)

    def retime(self, terms: Mapping[str, Terms], weights: Mapping[str, Mapping[str, float]]) -> None:
        """Have what is parked come back at other rates."""
        self._loop.run(self._pacer.retime, terms, weights)

    def refill(self, key: str, *, partitions: bool) -> None:
        """Fill a bucket of this worker's own again, or look again at what was filled in the store."""
        self._loop.run(lambda: self._pacer.refill(key, partitions=partitions))
