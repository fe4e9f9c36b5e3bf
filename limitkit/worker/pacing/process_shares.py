"""Shares out the pool's processes: of all requests that may start now, the first by priority and arrival gets one."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from limitkit.worker.pacing import taking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.lanes import Lanes
    from limitkit.worker.pacing.process_line import ProcessLine
    from limitkit.worker.pool.processes import Processes
    from limitkit.worker.pool.request_order import RequestOrder

_MOST: Final = 32
"""Lanes that ask the store in one call, which bounds the time that Redis needs for it."""
_MOST_AHEAD: Final = 32


class ProcessShare:
    """How many processes a lane gets, and for how many more it may take tokens, since they come within a moment."""

    __slots__ = ("_left", "_waiting", "ahead", "early", "lane", "next", "processes", "unsure", "wanted")

    def __init__(self, lane: Lane, now: float) -> None:
        self.lane = lane
        self.processes = self.ahead = 0
        self.early = lane.early and lane.next_token(now) > 0.0
        """Whether it has no token yet, and wants a process in time for the token."""
        self.wanted = self._left = taking.wanted(lane, now)
        self.next: RequestOrder | None = None
        """The first request that could use a process and has none."""
        self.unsure: RequestOrder | None = None
        """The first request that may be able to start too; that is known only after the take for these."""
        self._waiting: Iterator[Held] = lane.waiting.in_order()
        self.advance()

    def asks(self, now: float) -> bool:
        """Whether the store is asked for it, since it has a process and no slot for that."""
        return self.processes > 0 and taking.asks(self.lane, self.processes, now)

    def advance(self) -> None:
        """Go on to the next request."""
        held = next(self._waiting, None)
        self.next = held.order if held is not None and self._left > 0 else None
        if self._left == 0:
            self.unsure = min(taking.unsure(self.lane, held, self.wanted), default=None)
        self._left -= 1


class ProcessShares:
    """Shares the processes out among the lanes in line, in one round of the pump.

    It goes through the first requests of the lanes, and those behind them that could start too, in their order, as in
    the merging of sorted lists.
    """

    def __init__(self, line: ProcessLine, lanes: Lanes, processes: Processes, now: float) -> None:
        self.dealt: list[ProcessShare] = []
        """Shares of the lanes that take tokens now."""
        self.unfinished = False
        """Whether there are processes left that another round has to share out."""
        self.wanting: list[tuple[RequestOrder, bool]] = []
        """The requests that want the next processes, and whether each has no token yet when one comes; an estimate."""
        self._line = line
        self._lanes = lanes
        self._processes = processes
        self._now = now
        self._coming: list[tuple[RequestOrder, int, ProcessShare]] = []
        self._shares: list[ProcessShare] = []

    def deal(self) -> None:
        """Share the processes out; the results are in the attributes."""
        lanes, processes = self._lanes, self._processes
        first_unlimited = processes.unlimited.first()
        while first_unlimited is not None and lanes.unkeep_behind(first_unlimited):
            pass
        given: list[tuple[RequestOrder, ProcessShare]] = []
        while (share := self._first()) is not None and share.next is not None:
            order = share.next
            if first_unlimited is not None and first_unlimited < order:
                break
            if processes.seize(len(given) + 1) <= len(given) and (share.early or not lanes.unkeep_behind(order)):
                break
            given.append((order, share))
            share.processes += 1
            self._advance(share)
        self._give_back_unsure(given)
        self._look_ahead(first_unlimited, any(share.asks(self._now) for share in self._shares))
        for share in self._shares:
            if share.processes or share.ahead or not share.wanted:
                share.lane.ready = False
                self.dealt.append(share)
            else:
                self._line.join(share.lane)

    def _first(self) -> ProcessShare | None:
        """Return the share whose next request comes before all others, those in line included."""
        coming = self._coming
        while len(self._shares) < _MOST and (lane := self._line.first()) is not None:
            if coming and lane.waiting and coming[0][0] < lane.waiting[0].order:
                break
            self._line.leave(lane)
            head = lane.waiting[0] if lane.waiting else None
            if not self._lanes.settle(lane, self._now):
                lane.ready = False
            elif lane.waiting[0] is not head:
                self._line.join(lane)  # its first requests were dropped, so another lane may be first now
            else:
                share = ProcessShare(lane, self._now)
                self._shares.append(share)
                if share.next is not None:
                    heapq.heappush(coming, (share.next, len(self._shares), share))
        return coming[0][2] if coming else None

    def _advance(self, share: ProcessShare) -> None:
        """Go on to the next request behind the first."""
        share.advance()
        if share.next is not None:
            heapq.heapreplace(self._coming, (share.next, len(self._shares), share))
        else:
            heapq.heappop(self._coming)

    def _give_back_unsure(self, given: list[tuple[RequestOrder, ProcessShare]]) -> None:
        """Where processes are scarce, keep those back that may belong to an earlier request which is still unsure."""
        unsure = min((share.unsure for share in self._shares if share.unsure is not None), default=None)
        if unsure is None or self._processes.seize(len(given) + 1) > len(given):
            return
        for order, share in given[1:]:  # the first goes on in any case, else none would
            if order > unsure:
                share.processes -= 1
                self.unfinished = True

    def _look_ahead(self, first_unlimited: RequestOrder | None, asks_anyway: bool) -> None:  # noqa: FBT001 (one caller)
        """Note which requests are next, and take tokens ahead for those that get a process while the tokens are fresh.

        So one call of the store serves many; only for these it is not called.
        """
        processes = self._processes
        most = max(processes.most, _MOST_AHEAD if asks_anyway else 0)
        coming = processes.coming_in(self._now)
        while len(self.wanting) < most and (share := self._first()) is not None and share.next is not None:
            order = share.next
            self.wanting.append((order, share.early and share.lane.next_token(self._now) > coming))
            passed = first_unlimited is not None and first_unlimited < order
            if asks_anyway and not passed and len(self.wanting) <= taking.soon(share.lane, processes.wait):
                share.ahead += 1
            self._advance(share)
