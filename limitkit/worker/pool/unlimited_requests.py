"""Requests without limits that wait for a pool process too: which of them come before a paced request."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Final

from limitkit.worker.pool.request_order import LAST, RequestOrder

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from limitkit.worker.pool.request_order import Arrivals

_MOST_LOOKED_AT: Final = 256
"""Requests in line that are compared: a prefetch window is seldom wider. Those behind them are compared later."""


_CAME: Final = "_limitkit_came"
"""The attribute of a request that says when it came, or its place once that is known."""


class UnlimitedRequests:
    """The requests without limits in the line of Celery's semaphore; they keep the order in which they came.

    The pacer's claims are in that line too. A claim is for no certain request: it serves the paced request that is
    first when the process comes.
    """

    def __init__(self, semaphore: Any, claim: Any, arrivals: Arrivals) -> None:
        self._line: deque[Any] | None = getattr(semaphore, "_waiting", None)
        self._claim = claim
        """The callback by which a claim is recognized."""
        self._arrivals = arrivals

    def __bool__(self) -> bool:
        """Whether there may be any."""
        return self._line is None or any(entry[0] is not self._claim for entry in self._line)

    def add(self, request: Any) -> None:
        """Note that one is about to join the line. Its place is found once a paced request is compared with it."""
        setattr(request, _CAME, self._arrivals.now())

    def first(self) -> RequestOrder | None:
        """Return the place of the first of them; None when there is none."""
        return min((self._order(each) for each in islice(self._line or (), _MOST_LOOKED_AT)), default=None)

    def line_up(self, claims: Sequence[tuple[RequestOrder, bool]]) -> None:
        """Put the claims behind the requests that come before them, and before all others.

        Each has a place, and says whether it has no token yet: then it lets one other request go first, once. They are
        in the order in which they are served; with turns, one that is served later may have come earlier.
        """
        line = self._line
        if line is None:
            return
        entries = list(line)
        mine = [entry for entry in entries if entry[0] is self._claim]
        others = [entry for entry in entries if entry[0] is not self._claim]
        if not mine or not others:
            return
        # For each position the first place from there on: a claim goes where no request behind it comes before it.
        firsts = [*accumulate(reversed([self._order(entry) for entry in others[:_MOST_LOOKED_AT]]), min)][::-1]
        behind = [len(others)] * len(mine)
        at = 0
        for number, (order, early) in enumerate(claims[: len(mine)]):
            # Before one that goes before the first to be served, a claim would come back to the line, and so for ever.
            at = max(at, bisect_left(firsts, order))
            if at < len(firsts):
                behind[number] = max(at, int(early and entries[0] is not mine[0]))
        ordered, at = [], 0
        for claim, place in zip(mine, sorted(behind), strict=True):
            ordered += [*others[at:place], claim]
            at = max(at, place)
        ordered += others[at:]
        if ordered != entries:
            line.clear()
            line.extend(ordered)

    def order(self, request: Any) -> RequestOrder:
        """Return the place of a request; of one that is not known, the last."""
        came = getattr(request, _CAME, None)
        if came is None:
            return LAST
        if not isinstance(came, RequestOrder):
            came = self._arrivals.place(request.message, *came)
            setattr(request, _CAME, came)
        return came

    def _order(self, entry: Any) -> RequestOrder:
        callback, args, _ = entry
        return LAST if callback is self._claim or not args else self.order(args[0])
