"""Sends settlements to the store: many in one call where many tasks end at once, and again while it is away."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from limitkit.buckets.decision import Once
from limitkit.clock import SYSTEM
from limitkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.buckets.decision import Settlement
    from limitkit.clock import Clock
    from limitkit.stores.store import Store

logger = logging.getLogger("limitkit")

_MOST: Final = 500
"""Settlements in one call at most."""
_MOST_KEPT: Final = 10_000
"""Settlements that are kept while the store is away; what is beyond stays as estimated."""
_LONGEST: Final = 60.0
"""Seconds for which a settlement is tried."""
_PAUSE: Final = 1.0


class Settler:
    """Corrects charges in the store, from any thread: the one that comes first sends for all that come meanwhile."""

    def __init__(self, store: Callable[[], Store | None], clock: Clock = SYSTEM) -> None:
        self._store, self._clock = store, clock
        self._waiting: deque[tuple[float, Settlement]] = deque()
        self._sent: tuple[Once, list[tuple[float, Settlement]]] | None = None
        """What was sent without an answer: the store may have it, so it is sent again as it was."""
        self._begin()
        self._sending = threading.Lock()
        self._is_trying = False
        self.on_failed: Callable[[], None] = self._start_thread
        """Is called when the store can't be asked; has ``try_again`` called once a second, until that returns True."""

    def _begin(self) -> None:
        self._pid, self._sender, self._number = os.getpid(), secrets.token_hex(8), 0

    def __call__(self, settlements: Sequence[Settlement]) -> None:
        """Send these, unless another thread does. Never raises for the store: it is tried again for a minute."""
        if self._pid != os.getpid():  # a fork may have copied a lock that is taken
            self._sending, self._is_trying, self._sent = threading.Lock(), False, None
            self._waiting.clear()
            self._begin()
        now = self._clock.monotonic()
        self._waiting.extend((now, each) for each in settlements)
        self._send()

    def _send(self) -> None:
        while (self._waiting or self._sent) and not self._is_trying and self._sending.acquire(blocking=False):
            try:
                if not self._send_all():
                    self._is_trying = True
                    self.on_failed()
            finally:
                self._sending.release()

    def _send_all(self) -> bool:
        """Send what waits; returns whether the store could be asked."""
        store = self._store()
        if store is None:
            self._waiting.clear()
            self._sent = None
            return True
        while self._sent is not None or self._waiting:
            if self._sent is None:
                self._number += 1
                some = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
                self._sent = Once(self._sender, self._number), some
            once, some = self._sent
            try:
                store.settle([each for _, each in some], once)
            except StoreError as error:
                self._drop_old(error)
                return False
            self._sent = None
        return True

    def _drop_old(self, error: StoreError) -> None:
        now, dropped = self._clock.monotonic(), 0
        if self._sent is not None and now - self._sent[1][-1][0] > _LONGEST:
            dropped, self._sent = len(self._sent[1]), None
        while self._waiting and (now - self._waiting[0][0] > _LONGEST or len(self._waiting) > _MOST_KEPT):
            self._waiting.popleft()
            dropped += 1
        if dropped:
            logger.warning(
                "%d true costs could not be settled, since the store can't be asked (%s); their estimates stay.",
                dropped,
                str(error).rstrip("."),
                extra={"action": "not_settled"},
            )

    def try_again(self) -> bool:
        """Send what could not be sent; returns whether the store could be asked. Never raises for the store."""
        with self._sending:
            sent = self._send_all()
            self._is_trying = not sent
        if sent:
            self._send()
        return sent

    def _start_thread(self) -> None:
        threading.Thread(target=self._try_until_sent, name="limitkit-settle", daemon=True).start()

    def _try_until_sent(self) -> None:
        self._clock.sleep(_PAUSE)
        while not self.try_again():
            self._clock.sleep(_PAUSE)
