"""Reports when the store is gone and why, and when it answers again; other workers may see that a moment later."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Final

from limitkit.clock import SYSTEM
from limitkit.events.emitter import emit
from limitkit.events.event_types import StoreFailed, StoreRecovered

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.clock import Clock
    from limitkit.config.model.fields import OnError
    from limitkit.errors import StoreError

logger = logging.getLogger("limitkit")

_MEANWHILE: Final[dict[OnError, str]] = {
    "allow": "start without their shared limits",
    "hold": "wait",
    "divide": "keep to this worker's part of the rate",
}
_UNSEEN: Final = 1.5
"""Seconds after which other workers have asked again: the circuit breaker waits for one second."""
_MOST_CAUSES: Final = 8
"""The most causes that are logged for one outage; each of them is logged once, even if causes alternate."""


class Outage:
    """Whether the store was gone when this process last asked it.

    It is for one process: a child that is forked meanwhile detects and reports an outage by itself.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._pid = os.getpid()
        self._causes: set[str] = set()
        self._failed_start = False
        """Whether a take has failed, and not only the regular look at the overrides."""
        self._settled = 0.0

    @property
    def recent(self) -> bool:
        """Whether other workers may not have seen yet that the store is back."""
        self._detect_fork()
        return self._failed_start or self._clock.monotonic() < self._settled

    def lost(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        """Note that a take has failed; ``on_errors`` are the settings of the limits for that case."""
        self._detect_fork()
        self._failed_start = True
        self._report(error, on_errors)

    def out_of_sight(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        """Note that a look at the overrides has failed, before any take has."""
        self._detect_fork()
        self._report(error, on_errors)

    def over(self, timeout: float) -> None:
        """Note that a take was answered; another worker may still wait ``timeout`` seconds."""
        self._detect_fork()
        if self._failed_start:
            self._settled = self._clock.monotonic() + timeout + _UNSEEN
        self._failed_start = False
        self.in_sight()

    def in_sight(self) -> None:
        """Note that a look at the overrides was answered: the store is back, unless a take has failed meanwhile."""
        self._detect_fork()
        if self._causes and not self._failed_start:
            self._causes.clear()
            logger.info("The store answers again; all limits are in force.", extra={"action": "store_recovered"})
            emit(StoreRecovered())

    def _report(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        cause = re.sub("[0-9]+", "0", str(error))  # a port may differ each time
        if cause in self._causes or len(self._causes) >= _MOST_CAUSES:
            return
        first = not self._causes
        self._causes.add(cause)
        meanwhile = [f'{words} (on_error = "{each}")' for each, words in _MEANWHILE.items() if each in on_errors]
        logger.warning(
            "The store can't be asked (%s); until it answers, limited tasks %s."
            if first
            else "The store still can't be asked, now for another reason (%s); until it answers, limited tasks %s.",
            error,
            " or ".join(meanwhile),
            extra={"action": "store_failed"},
        )
        if first:
            emit(StoreFailed(reason=str(error)))

    def _detect_fork(self) -> None:
        if self._pid != os.getpid():
            self.__init__(self._clock)  # type: ignore[misc] # a forked process starts without its parent's state
