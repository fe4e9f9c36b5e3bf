"""Turns a recording on and off in a worker: on by a remote-control command, off by another, or by itself.

The recorder sends the command again every few seconds. So one that was killed leaves nothing on, and a worker that
starts meanwhile records, too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from celery import signals
from celery.worker import state

from limitkit.config.wording import quote
from limitkit.events.repeated import Repeated
from limitkit.worker.recording.entries import Entries
from limitkit.worker.recording.runs import Runs

if TYPE_CHECKING:
    from limitkit.control.task_limits import TaskLimits

_EVERY: Final = 0.5
"""Seconds between two sendings."""
LONGEST: Final = 60.0
"""Seconds for which one command can turn it on."""
_CURRENT: Final[dict[int, Recording]] = {}
"""By the ids of the consumers that record; one worker has one consumer."""


class Recording:
    """A recording that is under way in this worker."""

    def __init__(self, consumer: Any, task_limits: TaskLimits, name: str, secret: bytes, up: float) -> None:
        self.name = name
        self._consumer = consumer
        self._entries = Entries(consumer, name)
        self._runs = Runs(task_limits, secret, self._entries.add)
        self._until = 0.0
        self._timer: Repeated | None = None
        running, started = len(state.active_requests), state.all_total_count[0]
        for request in list(state.requests.values()):
            if request in state.active_requests:
                continue
            if getattr(request, "_apply_result", None):  # the pool has it, and will start it
                started += 1
            else:
                self._runs.came(request)
        self._hello = {**facts(consumer, running), "up": round(up, 6), "started": started}
        signals.task_received.connect(self._received, sender=consumer, weak=False, dispatch_uid=self)

    def renew(self, seconds: float) -> None:
        """Go on for so many seconds from now; also after a lost connection, with which timers end."""
        self._until = time.monotonic() + min(seconds, LONGEST)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = Repeated(self._consumer.timer, _EVERY, self._tick)

    def greet(self) -> None:
        """Tell the recorder what this worker is."""
        self._entries.send(hello=self._hello)

    def stop(self) -> None:
        """Record no more, and send the rest."""
        _CURRENT.pop(id(self._consumer), None)
        signals.task_received.disconnect(sender=self._consumer, dispatch_uid=self)
        if self._timer is not None:
            self._timer.cancel()
        self._runs.end()
        self._entries.send(last=True)
        self._entries.close()

    def _received(self, request: Any = None, **_: Any) -> None:
        if time.monotonic() > self._until:
            self.stop()
        else:
            self._runs.came(request)

    def _tick(self) -> None:
        if time.monotonic() > self._until:
            self.stop()
        else:
            self._entries.send()


def facts(consumer: Any, running: int = 0) -> dict[str, Any]:
    """Say what a replay has to know of a worker: its processes, and how far it fetches ahead."""
    return {
        "processes": int(getattr(consumer.pool, "num_processes", 0) or 1),
        "prefetch_multiplier": int(consumer.prefetch_multiplier or 0),
        "running": running,
    }


def switch(
    consumer: Any, task_limits: TaskLimits, *, name: str, secret: bytes, seconds: float, up: float
) -> dict[str, Any]:
    """Begin a recording, go on with it, or end it (0 seconds). Returns the worker's facts, or why it can't.

    ``up`` are the seconds for which the worker has taken messages.
    """
    current = _CURRENT.get(id(consumer))
    if current is not None and current.name != name:
        return {"error": f"the recording {quote(current.name)} is under way"}
    if seconds <= 0:
        if current is not None:
            current.stop()
        return {"ok": name}
    if current is None:
        current = _CURRENT[id(consumer)] = Recording(consumer, task_limits, name, secret, up)
        current.greet()
    current.renew(seconds)
    return {"ok": name, **facts(consumer)}
