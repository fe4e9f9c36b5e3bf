"""Says when the store is gone and why, and when it answers again; and for how long others may not know it yet."""

from __future__ import annotations

import logging
import os
import re
import time
from typing import TYPE_CHECKING, Final

from limitkit.events.emitter import emit
from limitkit.events.event_types import StoreFailed, StoreRecovered

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.config.model.fields import OnError
    from limitkit.errors import StoreError

logger = logging.getLogger("limitkit")

_MEANWHILE: Final[dict[OnError, str]] = {
    "allow": "start without their shared limits",
    "hold": "wait",
    "divide": "keep to this worker's part of the rate",
}
_UNSEEN: Final = 1.5
"""Seconds after which others have asked again: a store that failed is left alone for one."""
_MOST_CAUSES: Final = 8
"""Causes that are told of one outage: none of them twice, however they take turns."""


class Outage:
    """Whether the store was gone when this process last asked it.

    It is for one process: a child that was forked meanwhile finds out, and says, for itself.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._causes: set[str] = set()
        self._refused = False
        """Whether a start has found it so, and not only who looks now and then."""
        self._settled = 0.0

    @property
    def recent(self) -> bool:
        """Whether others may not have seen yet that the store is back."""
        self._see_fork()
        return self._refused or time.monotonic() < self._settled

    def lost(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        """Note that a start could not be asked about; ``on_errors`` are what the limits say of that."""
        self._see_fork()
        self._refused = True
        self._say(error, on_errors)

    def out_of_sight(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        """Note that the store could not be looked at, before any start has asked it."""
        self._see_fork()
        self._say(error, on_errors)

    def over(self, timeout: float) -> None:
        """Note that the store has answered; ``timeout`` is for how many seconds another may be waiting for it."""
        self._see_fork()
        if self._refused:
            self._settled = time.monotonic() + timeout + _UNSEEN
        self._refused = False
        self.in_sight()

    def in_sight(self) -> None:
        """Note that the store could be looked at: it is back, unless a start has been refused meanwhile."""
        self._see_fork()
        if self._causes and not self._refused:
            self._causes.clear()
            logger.info("The store answers again; all limits are in force.", extra={"action": "store_recovered"})
            emit(StoreRecovered())

    def _say(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        cause = re.sub("[0-9]+", "0", str(error))  # a port may be another each time
        if cause in self._causes or len(self._causes) >= _MOST_CAUSES:
            return
        first = not self._causes
        self._causes.add(cause)
        said = [f'{words} (on_error = "{each}")' for each, words in _MEANWHILE.items() if each in on_errors]
        logger.warning(
            "The store can't be asked (%s); until it answers, limited tasks %s."
            if first
            else "The store still can't be asked, now for another reason (%s); until it answers, limited tasks %s.",
            error,
            " or ".join(said),
            extra={"action": "store_failed"},
        )
        if first:
            emit(StoreFailed(reason=str(error)))

    def _see_fork(self) -> None:
        if self._pid != os.getpid():
            self.__init__()  # type: ignore[misc] # nothing of another process's is known here
