"""The order of requests: by the message's priority, then by when it first came to a worker."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.clock import epoch
from limitkit.waiting.message_copy import first_came
from limitkit.waiting.origin_queue import priority_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.clock import Clock

_SET: Final = 0.05
"""If two readings of this machine's clocks differ by more seconds than this, a clock was set."""


class RequestOrder(NamedTuple):
    """A request's place among all that a worker has: the lowest goes first."""

    priority: int
    came: float
    """Monotonic time in seconds: when it came to this worker, or first to any, if it was parked meanwhile."""
    number: int
    """No two requests have the same."""


FIRST: Final = RequestOrder(-(10**9), 0.0, 0)
LAST: Final = RequestOrder(10**9, 0.0, 0)
"""Places before and behind all others."""


class Arrivals:
    """Gives each request its place as it comes."""

    def __init__(self, connection: Callable[[], Any], clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        self._numbers = itertools.count()
        self._epoch = 0.0

    def __call__(self, message: Any) -> RequestOrder:
        """Return the place of a message that comes now."""
        return self.place(message, *self.now())

    def now(self) -> tuple[float, int]:
        """Note that a message comes now; its place can be found later, where somebody asks for it."""
        return self._clock.monotonic(), next(self._numbers)

    def place(self, message: Any, came: float, number: int) -> RequestOrder:
        """Return the place of a message of which this was noted as it came."""
        now = epoch(self._clock)
        if abs(now - self._epoch) > _SET:  # else a request that came 0.1 ms after another might overtake it
            self._epoch = now
        priority = priority_of(message, self._connection())
        return RequestOrder(priority, first_came(message, came, self._epoch), number)
