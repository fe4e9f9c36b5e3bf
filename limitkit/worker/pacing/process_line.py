"""The line for pool processes: lanes that are due; at its head the lane whose first request comes before all others."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Final

from limitkit.worker.pool.request_order import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pool.request_order import RequestOrder

_LEAST_FULL: Final = 256
"""With more entries than this, outdated ones are removed."""


class ProcessLine:
    """A heap of lanes. The first request of a lane may change while it is here, so an entry is checked at the top."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, None] = {}
        self._heap: list[tuple[RequestOrder, int, Lane]] = []
        self._entries = itertools.count()

    def __len__(self) -> int:
        return len(self._lanes)

    def __contains__(self, lane: Lane) -> bool:
        return lane in self._lanes

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def join(self, lane: Lane) -> None:
        """Put a lane into the line."""
        lane.ready = True
        self._lanes[lane] = None
        self._enter(lane)

    def advance(self, lane: Lane) -> None:
        """Let a lane in line move up: a request has come to it that is before its others."""
        if lane in self._lanes:
            self._enter(lane)

    def leave(self, lane: Lane) -> None:
        """Take a lane out of the line; ``lane.ready`` is reset by the caller."""
        self._lanes.pop(lane, None)

    def first(self) -> Lane | None:
        """Return the lane at the head."""
        while self._heap:
            order, _, lane = self._heap[0]
            if lane in self._lanes:
                current = _order(lane)
                if current <= order:
                    return lane
                heapq.heapreplace(self._heap, (current, next(self._entries), lane))
            else:
                heapq.heappop(self._heap)
        return None

    def clear(self) -> None:
        """Empty the line."""
        for lane in self._lanes:
            lane.ready = False
        self._lanes.clear()
        self._heap.clear()

    def _enter(self, lane: Lane) -> None:
        heapq.heappush(self._heap, (_order(lane), next(self._entries), lane))
        if len(self._heap) > _LEAST_FULL + 2 * len(self._lanes):
            self._heap = [(_order(each), next(self._entries), each) for each in self._lanes]
            heapq.heapify(self._heap)


def _order(lane: Lane) -> RequestOrder:
    """Return a lane's place; an empty lane is at the head, so that it is removed."""
    return lane.waiting[0].order if lane.waiting else FIRST
