"""What is published again is the same message: what of it is copied, and what waiting has left on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND

if TYPE_CHECKING:
    from limitkit.waiting.room import Leaver

WAITS: Final = "limitkit.wait."
"""What the names of RabbitMQ's queues begin with in which messages wait."""
_NOTE: Final = "limitkit_wait"
"""The header of a message that waits; no task sees it."""
_DEATHS: Final = ("x-death", "x-first-death-", "x-last-death-")
"""RabbitMQ's notes of earlier queues: with them it drops what comes to the same queue again."""
_ROUTES: Final = frozenset(("CC", "BCC"))
"""RabbitMQ would send a copy to each queue that these name, once more."""
_NOT_KEPT: Final = frozenset(("application_headers", "content_type", "content_encoding", "priority", "expiration"))
"""The broker would take a message with an expiration out early. It came in time; its ``expires`` header decides."""
_PATIENCE: Final = 0.5
"""Who comes back for a turn that is not there yet waits this part of what he has waited already.

Each worker reckons as if it were alone with the bucket, so a turn may be some times as far away as it says. To wait in
proportion bounds the rounds by a logarithm; that it is no longer than all who are parked need keeps the bucket busy.
"""


_UNTOUCHED: Final = ""


class Note(NamedTuple):
    """What a message says of its waiting, since no other worker can know."""

    rest: float
    """Seconds from its coming back to its turn."""
    waited: float
    """Seconds that it has waited so far."""
    eta: str | None = _UNTOUCHED
    """The ETA that its sender gave it, where it waits for another one."""


def note_of(message: Any) -> Note | None:
    """Return what a message that was parked says of that; None for a new one."""
    return _note(message.headers.get(_NOTE))


def _note(found: Any) -> Note | None:
    try:
        return Note(float(found["rest"]), float(found["waited"]), found["eta"])
    except (KeyError, TypeError, ValueError):
        return None


def was_parked(message: Any) -> bool:
    """Whether a message has been parked before, by whatever worker."""
    return ORDER in message.properties or note_of(message) is not None


def first_came(message: Any, since: float) -> float:
    """Return when a message first came to a worker, or was parked; ``since`` is when it came to this one.

    Both are of ``time.monotonic()``. Redis' clock may be a little off this machine's, and so may this be.
    """
    note = note_of(message)
    if note is not None:
        return since - note.waited
    try:
        order = int(message.properties[ORDER])
    except (KeyError, TypeError, ValueError):
        return since
    return min(since, time.monotonic() - time.time() + order % MOST_ORDERS / ORDERS_A_SECOND)


def turn_of(leaver: Leaver, ahead: float) -> float:
    """Return the seconds until the turn of a leaver; ``ahead`` are those that all need who are parked by this worker.

    Who was parked before has a turn of his own, and need not go behind all of them again.
    """
    note = note_of(leaver.request.message)
    if note is None:
        return leaver.turn
    return note.rest if note.rest > leaver.turn else max(leaver.turn, min(note.waited * _PATIENCE, ahead))


def copies_of(
    message: Any, turn: float, wait: float, eta: str | None = _UNTOUCHED
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Copy the headers and properties that the sender of a message gave it; the broker's own notes are left out.

    The message goes to wait for so many seconds, of the ``turn`` seconds until its turn.
    """
    before = note_of(message) or Note(0.0, 0.0, eta)
    note = Note(max(0.0, turn - wait), before.waited + wait, before.eta)
    headers = {name: value for name, value in message.headers.items() if not _is_note(name) and name not in _ROUTES}
    properties = {name: value for name, value in message.properties.items() if name not in _NOT_KEPT}
    return {**headers, _NOTE: note._asdict()}, properties


def came_back(seen: dict[str, Any]) -> None:
    """Take off a request what waiting has left on it, so that its task sees what it would have seen before.

    ``seen`` is what the task will see of it, by name. What stays would be sent on, too: every unknown header becomes
    one of what a task's retry publishes.
    """
    note = _note(seen.get(_NOTE) or (seen.get("headers") or {}).get(_NOTE))  # the latter in Celery's first protocol
    if note is not None:
        if note.eta != _UNTOUCHED:
            seen["eta"] = note.eta
        _take_off(seen)
        if seen.get("headers"):
            seen["headers"] = dict(seen["headers"])
            _take_off(seen["headers"])


def _take_off(headers: dict[str, Any]) -> None:
    """Take off limitkit's note, and RabbitMQ's unless they name other queues too: a task may want to know of those."""
    deaths = headers.get("x-death") or ()
    if all(str(death.get("queue", "")).startswith(WAITS) for death in deaths):
        for name in [name for name in headers if _is_note(name)]:
            del headers[name]
    headers.pop(_NOTE, None)


def _is_note(name: str) -> bool:
    return name == _NOTE or name.lower().startswith(_DEATHS)
