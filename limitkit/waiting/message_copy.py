"""Copies a message that is published again: which parts are copied, and the note that waiting leaves on it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kombu.compression import compress
from kombu.serialization import dumps, loads, registry

from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND

if TYPE_CHECKING:
    from limitkit.waiting.delivery import Delivery
    from limitkit.waiting.room import Leaving

WAITS: Final = "limitkit.wait."
"""The names of RabbitMQ's queues in which messages wait begin with this."""
NOTE: Final = "limitkit_wait"
"""The header of a message that waits; no task sees it."""
_DEATHS: Final = ("x-death", "x-first-death-", "x-last-death-")
"""RabbitMQ's notes of earlier queues: with them it drops a message that comes to the same queue again."""
_BROKERS_OWN: Final = frozenset(("delivery_info", "delivery_tag", "body_encoding"))
"""Properties that kombu sets anew on each message of its own transports."""
_PATIENCE: Final = 0.5
"""A message that comes back before its turn waits again, for this part of what it has waited already.

Each worker estimates a turn as if no other worker used the bucket, so the turn may be several times as far away. To
wait in proportion bounds the rounds by a logarithm; to wait no longer than all parked ones need keeps the bucket busy.
"""


_UNTOUCHED: Final = ""
_MOST_REFUSALS: Final = 2**31 - 1
"""The largest whole number that the headers of every broker can hold."""


class Note(NamedTuple):
    """What a message itself says of its waiting, since no other worker can know."""

    rest: float = 0.0
    """Seconds from its coming back to its turn."""
    waited: float = 0.0
    """Seconds that it has waited so far."""
    eta: str | None = _UNTOUCHED
    """The ETA that its sender gave it, where it waits for another one."""
    exchange: str = _UNTOUCHED
    routing_key: str = _UNTOUCHED
    """How its sender routed it, where the queue it came back through does not say; empty when there was no exchange."""
    refusals: int = 0
    """How often in a row the other side has refused it."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is published for a message that goes back, to its queue or to where it waits."""

    body: Any
    content_type: str | None
    content_encoding: str | None
    headers: dict[str, Any]
    properties: dict[str, Any]


def note_of(message: Any) -> Note | None:
    """Return what a message that was parked, or sent back, says of that; None for a new one."""
    return _note(message.headers.get(NOTE))


def _note(found: Any) -> Note | None:
    if found is None:
        return None
    try:
        return Note(
            float(found["rest"]),
            float(found["waited"]),
            found["eta"],
            str(found.get("exchange", _UNTOUCHED)),
            str(found.get("routing_key", _UNTOUCHED)),
            min(max(0, int(found.get("refusals", 0))), _MOST_REFUSALS),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def was_parked(message: Any) -> bool:
    """Whether a message has been parked before, by whatever worker."""
    return ORDER in message.properties or note_of(message) is not None


def first_came(message: Any, since: float, epoch: float) -> float:
    """Return when a message first came to a worker, or was parked; ``since`` is when it came to this one.

    Both are monotonic times of a clock, and so is ``epoch``, the beginning of 1970. The clock of Redis may differ a
    little from this machine's, and so may the result.
    """
    note = note_of(message)
    if note is not None:
        return since - note.waited
    try:
        order = int(message.properties[ORDER])
    except (KeyError, TypeError, ValueError):
        return since
    return min(since, epoch + order % MOST_ORDERS / ORDERS_A_SECOND)


def turn_of(leaver: Leaving, ahead: float) -> float:
    """Return the seconds until the turn of a request; ``ahead`` is the time that all parked by this worker need.

    A request that was parked before has a turn of its own, and need not go behind all of them again.
    """
    note = note_of(leaver.request.message)
    if note is None:
        return leaver.turn
    return note.rest if note.rest > leaver.turn else max(leaver.turn, min(note.waited * _PATIENCE, ahead))


def copy_of(delivery: Delivery, note: Note | None = None) -> Copy:
    """Copy a message as it was delivered, without what brokers have noted on it; with a note if it needs one."""
    before = note_of(delivery)
    kept = {name: value for name, value in delivery.headers.items() if not _is_note(name)}
    note = note or (before._replace(rest=0.0) if before is not None else None)
    headers = {**kept, NOTE: note._asdict()} if note is not None else kept
    properties = {name: value for name, value in delivery.properties.items() if name not in _BROKERS_OWN}
    body, packed = delivery.body, headers.get("compression")
    if packed:  # kombu has unpacked it
        body = compress(body, packed)[0]  # type: ignore[no-untyped-call] # kombu has no types
    return Copy(body, delivery.content_type, delivery.content_encoding, headers, properties)


def routed(delivery: Delivery, note: Note | None) -> Note | None:
    """Have a note say how a message was routed, where the broker won't: it names only the queue from then on."""
    if not delivery.exchange or (note is not None and note.exchange):
        return note
    return (note or Note())._replace(exchange=delivery.exchange, routing_key=delivery.routing_key)


def waits(delivery: Delivery, turn: float, wait: float) -> Note:
    """Return the note of a message that goes to wait for so many seconds, of the ``turn`` seconds until its turn."""
    before = note_of(delivery) or Note()
    return before._replace(rest=max(0.0, turn - wait), waited=before.waited + wait)


def copy_with_eta(delivery: Delivery, note: Note, at: float) -> Copy:
    """Copy a message that waits in its queue for an ETA, in seconds since 1970.

    Its task will see the ETA that the sender gave it, or none.
    """
    eta = dt.datetime.fromtimestamp(at, dt.timezone.utc).isoformat()
    in_body = _first_protocol(delivery)
    own = delivery.headers.get("eta") if in_body is None else in_body.get("eta")
    if note.eta == _UNTOUCHED:
        note = note._replace(eta=own)
    if in_body is None:
        copy = copy_of(delivery, note)
        return replace(copy, headers={**copy.headers, "eta": eta})
    content_type, content_encoding, body = dumps({**in_body, "eta": eta}, registry.type_to_name[delivery.content_type])  # type: ignore[no-untyped-call] # kombu has no types
    return copy_of(replace(delivery, body=body, content_type=content_type, content_encoding=content_encoding), note)


def _first_protocol(delivery: Delivery) -> dict[str, Any] | None:
    """Return the body of a message of Celery's first protocol, which has everything in its body; else None."""
    if "task" in delivery.headers:
        return None
    decoded = loads(  # type: ignore[no-untyped-call] # kombu has no types
        delivery.body, delivery.content_type, delivery.content_encoding, accept={delivery.content_type}
    )
    return dict(decoded)


def came_back(seen: dict[str, Any]) -> None:
    """Remove what waiting has left on a request, so that its task sees what it would have seen without waiting.

    ``seen`` is what the task will see of it, by name. What stays there would be sent on, too: a task's retry publishes
    every unknown header.
    """
    in_body = NOTE not in seen  # in Celery's first protocol, which has headers of its own in any case
    note = _note(seen.get(NOTE) or (seen.get("headers") or {}).get(NOTE))
    if note is not None:
        if note.eta != _UNTOUCHED:
            seen["eta"] = note.eta
        if note.exchange:
            routing = {"exchange": note.exchange, "routing_key": note.routing_key}
            seen["delivery_info"] = {**(seen.get("delivery_info") or {}), **routing}
        _take_off(seen)
        if seen.get("headers"):
            headers = dict(seen["headers"])
            _take_off(headers)
            seen["headers"] = headers if headers or in_body else None


def _take_off(headers: dict[str, Any]) -> None:
    """Remove limitkit's note, and RabbitMQ's unless they name other queues too: a task may want to know of those."""
    deaths = headers.get("x-death") or ()
    if all(str(death.get("queue", "")).startswith(WAITS) for death in deaths):
        for name in [name for name in headers if _is_note(name)]:
            del headers[name]
    headers.pop(NOTE, None)


def _is_note(name: str) -> bool:
    return name == NOTE or name.lower().startswith(_DEATHS)
