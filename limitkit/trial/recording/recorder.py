"""Puts together what workers note of each message, and writes it into a trace.

A message comes, and runs; each is an entry of its own, perhaps of two workers. It is written once it has ended, so the
lines of a trace are in the order of the ends.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from limitkit.trial.recording.trace_file import line

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.trial.recording.trace_file import TraceFile

_REST: Final = 60
"""Bytes that a message's line still grows by, once it has started and ended."""
_MOST_SENT: Final = 1_000_000
"""Messages of which only their sending is known yet; beyond this, the oldest are forgotten."""
_MOST_ENDS: Final = 50_000
"""Messages of which it is kept when they ended: another worker may tell only then that it had them before."""
_DIGITS: Final = 6
_LONGEST: Final = 500
"""Characters of the name of a task or a queue."""
_MOST_SECONDS: Final = 1e12


class _Came(NamedTuple):
    at: float
    text: bytes
    """Its line, as far as it is known."""


class Recorder:
    """Takes in entries of workers, and sent events of Celery; writes lines."""

    def __init__(self, file: TraceFile, began: float) -> None:
        """``began`` are seconds since 1970: the trace's times count from there."""
        self._file = file
        self.began = began
        self._waiting: dict[str, _Came] = {}
        """Messages that have come and not ended, by their keys."""
        self._waiting_bytes = 0
        self._sent: dict[str, float] = {}
        self._over: dict[str, float] = {}
        """When the latest ended, in seconds since 1970."""
        self.messages = 0
        self.started = 0
        self.by_sending = 0
        """Messages of which it is known when they were sent."""
        self.earlier = 0
        """Messages that had come before the recording began."""
        self.refused = 0
        """Entries of a wrong shape, as those of another version may have."""

    @property
    def is_full(self) -> bool:
        """Whether the file has only room for what waits."""
        return self._file.is_full(self._waiting_bytes)

    @property
    def not_received(self) -> int:
        """How many messages were sent that no worker of the recording has received."""
        return len(self._sent)

    def sent(self, event: dict[str, Any]) -> None:
        """Take in a ``task-sent`` event, which Celery sends where the app sets ``task_send_sent_event``."""
        key, at = f"{event.get('uuid')}/{event.get('retries') or 0}", event.get("timestamp")
        if key in self._waiting or not _is_time(at) or event.get("eta"):
            return  # one with an ETA counts from that; its worker knows it
        if len(self._sent) >= _MOST_SENT:
            del self._sent[next(iter(self._sent))]
        self._sent[key] = at

    def take_in(self, entry: Any) -> None:
        """Take in an entry of a worker; one of a wrong shape is counted."""
        try:
            kind, key, *rest = entry
            take: dict[str, Callable[..., None]] = {"came": self._came, "ran": self._ran, "gone": self._gone}
            take[kind](str(key), *rest)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.refused += 1

    def write_rest(self) -> None:
        """Write what waits or runs at the end."""
        for key in list(self._waiting):
            self._write(key, None, None)

    def _came(self, key: str, *said: Any) -> None:
        task, queue, priority, when, received, kwargs, headers = said
        if not _is_time(when) or not _is_time(received):
            raise ValueError(when)
        if not all(isinstance(each, str) and len(each) <= _LONGEST for each in (task, queue)):
            raise ValueError(task)
        at_sending, before = self._sent.pop(key, None), self._over.get(key)
        if key in self._waiting or (before is not None and received < before):
            return  # it was parked by one worker, and came back to another
        if before is not None:  # sent once more, by limitkit
            when = max(when, before)
        at = (when if at_sending is None else min(at_sending, when)) - self.began
        values: dict[str, Any] = {"at": round(max(0.0, at), _DIGITS), "task": task, "queue": queue}
        if priority:
            values["priority"] = int(priority)
        if at < 0.0:
            values["earlier"] = round(-at, _DIGITS)
        if at_sending is not None:
            values["sent"] = True
        values |= {name: found for name, found in (("kwargs", kwargs), ("headers", headers)) if found}
        came = self._waiting[key] = _Came(max(0.0, at), line(values)[:-2])
        self._waiting_bytes += len(came.text) + _REST
        self.by_sending += at_sending is not None
        self.earlier += at < 0.0

    def _ran(self, key: str, began: float, seconds: float | None) -> None:
        if not _is_time(began) or not (seconds is None or (_is_time(seconds) and seconds >= 0.0)):
            raise ValueError(key)
        if key in self._waiting:
            self.started += 1
            self._write(key, began - self.began, seconds)
            self._note_end(key, began + (seconds or 0.0))

    def _gone(self, key: str, when: float) -> None:
        if key in self._waiting and _is_time(when):
            self._write(key, None, None)
            self._note_end(key, when)

    def _note_end(self, key: str, when: float) -> None:
        self._over[key] = when
        if len(self._over) > _MOST_ENDS:
            del self._over[next(iter(self._over))]

    def _write(self, key: str, start: float | None, seconds: float | None) -> None:
        came = self._waiting.pop(key)
        self._waiting_bytes -= len(came.text) + _REST
        text = came.text
        if start is not None:  # clocks of two machines differ a little
            text += f',"start":{round(max(came.at, start), _DIGITS)}'.encode()
        if seconds is not None:
            text += f',"seconds":{round(seconds, _DIGITS)}'.encode()
        self._file.write(text + b"}\n")
        self.messages += 1


def _is_time(value: Any) -> TypeGuard[float]:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) < _MOST_SECONDS
    )
