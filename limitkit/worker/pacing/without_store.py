"""Decides what starts while the store is gone, by each limit's ``on_error``: freely, on this worker's share, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.worker.pacing.lane import NEVER
from limitkit.worker.pacing.taking import Admitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pacing.lanes import Lanes
    from limitkit.worker.pacing.tokens import Tokens

_PAUSE: Final = 1.0
"""Seconds until a store that failed is asked again, where requests are held for it."""


class WithoutStore:
    """Lets requests start without the store, as ``on_error`` of their limits says."""

    def __init__(self, tokens: Tokens, lanes: Lanes, start: Callable[[Admitted], None]) -> None:
        self._tokens = tokens
        self._lanes = lanes
        self._start = start

    def start(self, lane: Lane, processes: int, now: float) -> float:
        """Let up to so many requests of a lane start, and return when to look again."""
        due, spent = now + _PAUSE, False
        for held in list(lane.waiting.in_order()):
            own = self._tokens.without_store(held)
            if own is None or (spent and lane in own):
                continue
            if not processes:
                return max(now, lane.slots[0].at) if lane.slots else now
            refused = self._tokens.take_own(held, own)
            if refused is None:
                lane.waiting.take_out(held)
                until = now + min((each.tolerance for each in own), default=NEVER)
                self._start(Admitted(held.starting(), now, until, own=tuple(own)))
                processes -= 1
            elif refused[0] is lane:
                due, spent = min(due, now + refused[1]), True
            else:
                lane.waiting.take_out(held)
                self._lanes.move(held, refused[0], now + refused[1])
        return due
