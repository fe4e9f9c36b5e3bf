"""Notes each request of a worker as it comes, and has it followed."""

from __future__ import annotations

import datetime as dt
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from limitkit.control.task_limits import declared, signature_of
from limitkit.waiting.message_copy import first_came, note_of
from limitkit.waiting.origin_queue import queue_of
from limitkit.worker.bypasses import strategy_of
from limitkit.worker.pool.call_of import call_of
from limitkit.worker.pool.limits_of import limits_of
from limitkit.worker.recording.arguments import Arguments, paths_of
from limitkit.worker.recording.followed import DIGITS, Followed, since_1970

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.config.rules import Rules
    from limitkit.control.task_limits import TaskLimits

logger = logging.getLogger("limitkit")

CAME: Final = "came"
"""``[CAME, key, task, queue, priority, arrived, received, kwargs, headers]``; times are seconds since 1970.

A message that was parked, or sent back, arrived before this worker received it.
"""


class Runs:
    """Notes requests of one worker; ``note`` takes the parts of an entry, in any thread."""

    def __init__(self, task_limits: TaskLimits, secret: bytes, note: Callable[..., None]) -> None:
        self._task_limits = task_limits
        self._secret = secret
        self._note = note
        self._rules: Rules | None = None
        self._arguments: dict[str, Arguments | None] = {}
        self._followed: WeakSet[Any] = WeakSet()

    def came(self, request: Any) -> None:
        """Note a request that comes now, and follow it. Never raises."""
        try:
            reader = self._reader(request.task)
            if reader is None:
                return
            key = f"{request.id}/{request.request_dict.get('retries') or 0}"
            self._arrival(key, request, reader)
            self._followed.add(Followed(key, request, self._note, partial(self._comes_back, request)))
        except Exception as error:  # noqa: BLE001 - a recording must never stop a worker
            logger.debug("A message of %s can't be recorded: %s", request.name, error)

    def end(self) -> None:
        """Follow nothing any more."""
        for each in list(self._followed):
            each.leave()

    def _arrival(self, key: str, request: Any, reader: Arguments) -> None:
        message = request.message
        now = time.monotonic()
        when = since_1970(first_came(message, now, epoch=now - time.time()))
        eta = _eta_of(request)
        kept = reader(call_of(request))
        priority = message.properties.get("priority")
        self._note(
            CAME,
            key,
            request.name,
            queue_of(request.task.app, message.delivery_info or {}) or "",
            priority if isinstance(priority, int) and not isinstance(priority, bool) else 0,
            when if eta is None else round(max(when, eta), DIGITS),
            since_1970(now),
            kept.kwargs,
            kept.headers,
        )

    def _reader(self, task: Any) -> Arguments | None:
        """Return what reads messages of a task; None where several run at once, so that each has no time of its own."""
        rules = self._task_limits.rules
        if rules is not self._rules:
            self._rules, self._arguments = rules, {}
        if task.name not in self._arguments:
            reader = (
                None if strategy_of(task) else Arguments(signature_of(task), paths_of(declared(rules)), self._secret)
            )
            self._arguments[task.name] = reader
        return self._arguments[task.name]

    def _comes_back(self, request: Any) -> bool:
        """Whether a task that was sent back has not run; with feedback it has, and the other side has refused it."""
        return not any(bound.limit.feedback is not None for bound in limits_of(self._task_limits, request))


def _eta_of(request: Any) -> float | None:
    """Return the ETA that its sender has set, in seconds since 1970; not one that limitkit has set."""
    note = note_of(request.message)
    if note is None or note.eta == "":
        return request.eta.timestamp() if request.eta is not None else None
    try:
        return dt.datetime.fromisoformat(note.eta).timestamp() if note.eta is not None else None
    except ValueError:
        return None
