"""Notes signals that end a program, and acts on them at a safe point: else a process that is starting would stay."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import FrameType

    from typing_extensions import Self

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_USUAL: Final = (signal.SIG_DFL, signal.default_int_handler)
_PATIENCE: Final = 3.0
"""Seconds after which another signal ends the program at once."""


class StoppedError(Exception):
    """The program must end, because of the signal ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class Stopping:
    """A context in which Ctrl-C and the like are noted, and ``check()`` raises StoppedError once they have come."""

    def __init__(self) -> None:
        self._number = 0
        self._since = 0.0
        self._ending = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if handler in _USUAL:  # nohup has SIGHUP ignored, and that must stay so
                self._before[number] = handler
                signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise StoppedError when the program must end; only once, so that the clean-up is not disturbed."""
        if self._number and not self._ending:
            self._ending = True
            raise StoppedError(self._number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._number:
            self._number, self._since = number, time.monotonic()
        elif not self._ending and time.monotonic() - self._since > _PATIENCE:
            self._ending = True
            raise StoppedError(self._number)
