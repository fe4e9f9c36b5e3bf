"""A line on the terminal that shows how far a play is; it is removed at the end, and goes to standard error."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from limitkit.config.wording import span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

_EVERY: Final = 0.5
"""Seconds from one writing of the line to the next, and before the first: a short play shows none."""


class ProgressLine:
    """The line; as a function it is what ``play`` tells how far it is."""

    def __init__(self, stream: TextIO | None, now: Callable[[], float] = time.monotonic) -> None:
        """``stream`` is the terminal; None where there is none, and nothing is shown."""
        self._stream, self._now = stream, now
        self._next = now() + _EVERY
        self._shown = False

    def __call__(self, seconds: float, started: int, sent: int) -> None:
        """Show the virtual time, and how many messages have started of those that were sent."""
        now = self._now()
        if self._stream is None or now < self._next:
            return
        self._next, self._shown = now + _EVERY, True
        text = f"playing: {span(seconds)} of virtual time, {started:,} of {sent:,} messages started"
        self._write(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K")

    def remove(self) -> None:
        """Remove the line, so that something else can be written."""
        if self._shown:
            self._shown = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            print(text, end="", file=self._stream, flush=True)
        except OSError:  # the terminal is gone
            self._stream = None


@contextmanager
def progress_line() -> Iterator[ProgressLine]:
    """Show a line while something is played, if standard error is a terminal."""
    there = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    line = ProgressLine(sys.stderr if there else None)
    try:
        yield line
    finally:
        line.remove()
