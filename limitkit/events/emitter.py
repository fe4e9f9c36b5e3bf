"""Emit an event: one call that passes it on to all who listen.

Whoever wants to know listens: metrics, signals, the worker's own events. Nobody who listens can hurt a task, and while
nobody does, nothing is done. Pool processes have no listeners of their own: what happens there is carried to the
worker's main process, and emitted there, once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from limitkit.events.event_types import Event

logger = logging.getLogger("limitkit")


class Listener(Protocol):
    """Somebody who wants to know. It is called in the worker's main process, and must not block."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether it wants to hear of this kind of event."""

    def __call__(self, event: Event) -> None:
        """Hear of an event. What it raises is logged once, and goes no further."""


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
    """Tell this one of all that happens from now on."""
    global _listeners  # noqa: PLW0603 (one process, one list)
    _listeners = (*_listeners, listener)


def unlisten(listener: Listener) -> None:
    """Tell this one no more."""
    global _listeners  # noqa: PLW0603
    _listeners = tuple(each for each in _listeners if each is not listener)


def carry_by(carrier: Carrier) -> None:
    """Have this one carry what happens in processes that are forked from now on."""
    global _carrier  # noqa: PLW0603
    _carrier = carrier


def wanted(kind: type[Event]) -> bool:
    """Whether anybody wants to hear of this kind: an event that nobody wants need not be made."""
    return any(listener.wants(kind) for listener in _listeners)


def emit(event: Event) -> None:
    """Tell all who want to know. Never raises."""
    heard = [listener for listener in _listeners if listener.wants(type(event))]
    if heard and _carrier is not None and not _carrier.here:
        _carrier.carry(event)
        return
    for listener in heard:
        _tell(listener, event)


def _tell(listener: Listener, event: Event) -> None:
    try:
        listener(event)
    except Exception:
        if listener not in _broken:
            _broken.add(listener)
            logger.exception("%r failed; tasks go on, and it is not said again.", listener)
