"""Emits events: one call passes an event on to all listeners.

Listeners are metrics, signals, and the worker's own events. A listener that fails hurts no task, and without listeners
nothing is done. Pool processes have no listeners of their own: their events are carried to the worker's main process,
and emitted there, once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from limitkit.events.event_types import Event

logger = logging.getLogger("limitkit")


class Listener(Protocol):
    """Receives events. It is called in the worker's main process, and must not block."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether it wants this kind of event."""

    def __call__(self, event: Event) -> None:
        """Receive an event. What it raises is logged once, and goes no further."""


class Carrier(Protocol):
    """The way from a pool process to its worker's main process."""

    @property
    def here(self) -> bool:
        """Whether this is the main process."""

    def carry(self, event: Event) -> None:
        """Take an event to the main process. Never raises."""


_listeners: tuple[Listener, ...] = ()
_carrier: Carrier | None = None
_broken: set[Listener] = set()


def listen(listener: Listener) -> None:
    """Add a listener for the events from now on."""
    global _listeners  # noqa: PLW0603 (one process, one list)
    _listeners = (*_listeners, listener)


def unlisten(listener: Listener) -> None:
    """Remove a listener."""
    global _listeners  # noqa: PLW0603
    _listeners = tuple(each for each in _listeners if each is not listener)


def carry_by(carrier: Carrier) -> None:
    """Set the carrier for the events of processes that are forked from now on."""
    global _carrier  # noqa: PLW0603
    _carrier = carrier


def wanted(kind: type[Event]) -> bool:
    """Whether any listener wants this kind: an event that none wants need not be made."""
    return any(listener.wants(kind) for listener in _listeners)


def emit(event: Event) -> None:
    """Pass an event to all listeners that want it. Never raises."""
    listeners = [listener for listener in _listeners if listener.wants(type(event))]
    if listeners and _carrier is not None and not _carrier.here:
        _carrier.carry(event)
        return
    for listener in listeners:
        _deliver(listener, event)


def _deliver(listener: Listener, event: Event) -> None:
    try:
        listener(event)
    except Exception:
        if listener not in _broken:
            _broken.add(listener)
            logger.exception("%r failed; tasks go on, and it is not said again.", listener)
