"""Carries events from the pool's processes to the worker's main process, where each is counted once."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import marshal
import os
import select
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Final, get_args

from limitkit.events.emitter import emit
from limitkit.events.event_types import Event
from limitkit.events.repeated import Repeated

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("limitkit")

_KINDS: Final[tuple[Any, ...]] = get_args(Event)
_NUMBERS: Final[Mapping[type, int]] = {kind: number for number, kind in enumerate(_KINDS)}
_LENGTH: Final = struct.Struct("H")
_EVERY: Final = 0.2
"""Seconds between two looks at the pipe."""
_CAPACITY: Final = 1 << 20
"""Bytes that the pipe holds, if the system allows it: about 8,000 events while the main process is busy."""
_AT_ONCE: Final = 1 << 16
_MOST_PENDING: Final = 10_000
"""Events that a pool process keeps while the pipe is full."""


class Relay:
    """A pipe that is opened before the fork. Neither side ever waits for the other.

    One write of at most ``PIPE_BUF`` bytes is atomic: events of two processes never mix.
    """

    def __init__(self) -> None:
        self._main = os.getpid()
        self._out, self._in = os.pipe()
        for end in (self._out, self._in):
            os.set_blocking(end, False)
        with contextlib.suppress(OSError, AttributeError):  # a user may have no right to enlarge the pipe
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self._pending: deque[bytes] = deque(maxlen=_MOST_PENDING)
        self._rest = b""
        self._timer: Any = None

    @property
    def here(self) -> bool:
        """Whether this is the main process."""
        return os.getpid() == self._main

    def carry(self, event: Event) -> None:
        """Write an event into the pipe; what does not fit now is written before the next one."""
        kind = type(event)
        packed = marshal.dumps((_NUMBERS[kind], *[getattr(event, name) for name in kind.__slots__]))
        if len(packed) + _LENGTH.size > select.PIPE_BUF:
            logger.debug("%s is too long to be carried.", kind.__name__)
            return
        self._pending.append(_LENGTH.pack(len(packed)) + packed)
        with contextlib.suppress(OSError):
            while self._pending:
                os.write(self._in, self._pending[0])
                self._pending.popleft()

    def start(self, timer: Any) -> None:
        """Read the pipe every fraction of a second; the timer is the consumer's."""
        self.stop()
        self._timer = Repeated(timer, _EVERY, self.deliver)

    def stop(self) -> None:
        """Stop reading: the timer ends with the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Close the pipe."""
        self.stop()
        os.close(self._out)
        os.close(self._in)

    def deliver(self) -> None:
        """Emit here what pool processes have written."""
        with contextlib.suppress(OSError):  # the pipe is empty
            while True:
                self._rest += os.read(self._out, _AT_ONCE)
                self._deliver()

    def _deliver(self) -> None:
        whole, at = self._rest, 0
        while at + _LENGTH.size <= len(whole):
            end = at + _LENGTH.size + _LENGTH.unpack_from(whole, at)[0]
            if end > len(whole):
                break
            number, *values = marshal.loads(whole[at + _LENGTH.size : end])  # noqa: S302 (our own processes wrote it)
            kind = _KINDS[number]
            emit(kind(**dict(zip(kind.__slots__, values, strict=True))))
            at = end
        self._rest = whole[at:]
