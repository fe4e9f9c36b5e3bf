"""Sends what a worker has noted to whoever records: as events of limitkit's own, many in each.

Celery's event exchange is used since what nobody receives is gone there: a recorder that was killed leaves nothing in
the broker. These events do not need ``-E``, and belong to a group that no other program follows.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("limitkit")

EVENT: Final = "limitkit-record"
_AT_ONCE: Final = 300
"""Entries in one event: about 50 kB."""
_MOST_PENDING: Final = 50_000
_ALIVE: Final = 2.0
"""Seconds after which an event without entries is sent, so that the recorder knows that the worker is still there."""


class Entries:
    """What is to be sent. To add is safe in any thread; the rest belongs to the consumer's loop."""

    def __init__(self, consumer: Any, recording: str) -> None:
        self._consumer = consumer
        self._recording = recording
        self._pending: deque[list[Any]] = deque()
        self._dispatcher: Any = None
        self._number = 0
        self._sent_at = time.monotonic()
        self._dropped = 0

    def add(self, *entry: Any) -> None:
        """Add one entry; while the broker can't be reached, only so many are kept, and the others are counted."""
        if len(self._pending) >= _MOST_PENDING:
            self._dropped += 1
        else:
            self._pending.append([*entry])

    def send(self, *, hello: Mapping[str, Any] | None = None, last: bool = False) -> None:
        """Send all that there is; what can't be sent is counted by its number, which the recorder misses."""
        alive = time.monotonic() - self._sent_at >= _ALIVE
        while self._pending or hello is not None or last or alive:
            alive, self._sent_at = False, time.monotonic()
            several = [self._pending.popleft() for _ in range(min(_AT_ONCE, len(self._pending)))]
            self._number += 1
            said = {"hello": dict(hello)} if hello is not None else {}
            ends, hello = last and not self._pending, None
            last = last and not ends
            try:
                self._sender().send(
                    EVENT,
                    recording=self._recording,
                    number=self._number,
                    dropped=self._dropped,
                    entries=several,
                    last=ends,
                    **said,
                )
            except Exception as error:  # noqa: BLE001 - a recording must never stop a worker, whatever the broker does
                logger.debug("What was recorded can't be sent: %s", error)
                self.close()
                if not (several or said or ends):  # nobody misses it
                    self._number -= 1
                return

    def close(self) -> None:
        """Let go of the connection; the next sending opens another one."""
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            try:
                dispatcher.close()
                dispatcher.connection.release()
            except Exception as error:  # noqa: BLE001 - it may be lost already
                logger.debug("A recording's connection can't be closed: %s", error)

    def _sender(self) -> Any:
        if self._dispatcher is None:
            app, connection = self._consumer.app, self._consumer.app.connection_for_write()
            connection.connect()  # at most one try: kombu would try for ever as it sends
            self._dispatcher = app.events.Dispatcher(
                connection, hostname=self._consumer.hostname, buffer_while_offline=False
            )
        return self._dispatcher
