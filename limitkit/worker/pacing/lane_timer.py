"""When to look at which lane again: one heap by due time, and one timer."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Final

from limitkit.worker.pacing.lane import NEVER
from limitkit.worker.pacing.process_line import ProcessLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pool.loops import Loop, Timer

_LONGEST_UNSEEN: Final = 10.0
"""Seconds until a bucket with feedback is looked at again, however far away its next token is."""
_LEAST_FULL: Final = 256
"""With more entries than this, outdated ones are removed: a lane may be dropped long before it is due."""


class LaneTimer:
    """The lanes by the time at which they are due, and those that are due already.

    There is one timer for all of them: kombu's hub fires ten timers at a time and may then sleep for a second.
    """

    def __init__(self, loop: Loop, wake: Callable[[], None]) -> None:
        self.line = ProcessLine()
        """Lanes that are due and want a pool process."""
        self.pressing = False
        """Whether something became due since this was last set to False."""
        self.now = 0.0
        """The time of the present round: lanes that are due by then join the line."""
        self._heap: list[tuple[float, int, Lane]] = []
        self._entries = itertools.count()
        self._most = _LEAST_FULL
        self._loop = loop
        self._wake = wake
        self._timer: Timer | None = None
        self._timer_at = NEVER

    def schedule(self, lane: Lane, due: float) -> None:
        """Look at a lane then, and not at the time that was set before.

        Feedback may have paused a bucket for weeks, and an operator may end that; no event says so, so look again.
        """
        if due != NEVER and lane.bucket.feedback is not None:
            due = min(due, self.now + _LONGEST_UNSEEN)
        lane.due = due
        if due <= self.now and not lane.ready:
            self._call(lane)
            self.pressing = True
        elif due != NEVER:
            heapq.heappush(self._heap, (due, next(self._entries), lane))
            if len(self._heap) > self._most:
                self._heap[:] = [entry for entry in self._heap if entry[2].due == entry[0]]
                heapq.heapify(self._heap)
                self._most = max(_LEAST_FULL, 2 * len(self._heap))
            self.pressing |= due <= self.now

    def withdraw(self, lane: Lane, due: float) -> None:
        """Take a lane out of the line if it has no token before ``due``, as one of its requests has found.

        Else it would send that on to its anchor, and get it back, for ever.
        """
        if lane.ready and due > self.now and not (lane.slots and lane.slots[0].at <= self.now):
            self.line.leave(lane)
            lane.ready = False

    def call_up(self, now: float) -> bool:
        """Let the lanes that are due by now join the line; returns whether there were any.

        A lane that is scheduled for that time later on joins it at once.
        """
        self.now = now
        before = len(self.line)
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, _, lane = heapq.heappop(heap)
            if lane.due == due and not lane.ready:
                self._call(lane)
        return len(self.line) > before

    def set_timer(self, latest: float) -> None:
        """Set the timer to the time when the next lane is due, at the latest to ``latest``."""
        heap = self._heap
        while heap and heap[0][2].due != heap[0][0]:
            heapq.heappop(heap)
        at = min(latest, heap[0][0]) if heap else latest
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at != NEVER:
            self._timer = self._loop.call_at(at, self._on_timer)

    def clear(self) -> None:
        """Forget all lanes."""
        self.line.clear()
        self._heap.clear()

    def _call(self, lane: Lane) -> None:
        lane.due = NEVER
        self.line.join(lane)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = NEVER
        self._wake()
