"""Says once when the store is gone, and once when it answers again; and for how long others may not know it yet."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from limitkit.events import StoreFailed, StoreRecovered, emit

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.errors import StoreError
    from limitkit.fields import OnError

logger = logging.getLogger("limitkit")

_MEANWHILE: Final[dict[OnError, str]] = {
    "allow": "start without their shared limits",
    "hold": "wait",
    "divide": "keep to this worker's part of the rate",
}
_UNSEEN: Final = 1.5
"""Seconds after which others have asked again: a store that failed is left alone for one."""


class Outage:
    """Whether the store was gone when it was last asked."""

    def __init__(self) -> None:
        self._gone = False
        self._settled = 0.0

    @property
    def recent(self) -> bool:
        """Whether others may not have seen yet that the store is back."""
        return self._gone or time.monotonic() < self._settled

    def lost(self, error: StoreError, on_errors: Collection[OnError]) -> None:
        """Note that the store could not be asked; ``on_errors`` are what the limits say of that."""
        if not self._gone:
            self._gone = True
            said = [f'{words} (on_error = "{each}")' for each, words in _MEANWHILE.items() if each in on_errors]
            logger.warning(
                "The store can't be asked (%s); until it answers, limited tasks %s.",
                error,
                " or ".join(said),
                extra={"action": "store_failed"},
            )
            emit(StoreFailed(reason=str(error)))

    def over(self, timeout: float) -> None:
        """Note that the store has answered; ``timeout`` is for how many seconds another may be waiting for it."""
        if self._gone:
            self._gone = False
            self._settled = time.monotonic() + timeout + _UNSEEN
            logger.info("The store answers again; all limits are in force.", extra={"action": "store_recovered"})
            emit(StoreRecovered())
