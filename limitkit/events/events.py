"""What the core tells the world: one frozen value for each thing that happens, and the one call that passes it on.

Whoever wants to know listens: metrics, signals, the worker's own events. Nobody who listens can hurt a task, and while
nobody does, nothing is done. Pool processes have no listeners of their own: what happens there is carried to the
worker's main process, and told there, once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger("limitkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskThrottled:
    """A delivery could not start at once because of a limit; told once for each delivery."""

    task: str
    id: str
    limit: str
    """The limit that it waits longest for."""
    wait: float
    """Seconds until it is expected to start."""
    held: bool
    """Whether a worker holds it; else it was parked, sent back, dropped or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAdmitted:
    """All limits of a task have admitted it, and it goes to the pool."""

    task: str
    id: str
    waited: float
    """Seconds since it first came to a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskParked:
    """A task left the worker for the waiting room."""

    task: str
    id: str
    limit: str
    wait: float
    """Seconds until its turn is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """The code of a task with limits begins, now."""

    task: str
    late: float | None = None
    """Seconds since the moment for which its tokens were taken; None where it took them itself."""
    failed_open: bool = False
    """Whether a shared limit was not asked, because the store can't be and ``on_error`` allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSentBack:
    """A pool process sent a task back to its queue because of a limit."""

    task: str
    id: str
    limit: str
    wait: float
    """Seconds until its limits may admit it."""
    throttled: bool = False
    """Whether this delivery was throttled before, and is counted already, or has started and met a "slow down"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDropped:
    """A task was dropped (``on_limit = "drop"``)."""

    task: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A task failed with ``RateLimitExceeded`` (``on_limit = "fail"``)."""

    task: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShadowed:
    """A task would have waited, were its limit not in shadow mode."""

    task: str
    limit: str
    wait: float
    """Seconds that it would have waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAsked:
    """The store was asked, and has answered or failed."""

    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """The store can't be asked any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecovered:
    """The store answers again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged:
    """Another rate is in force for a limit in this worker than before."""

    limit: str
    rate: float
    """Tokens a second; 0.0 while it is paused."""
    burst: int
    source: str
    """``file``, ``override``, ``pause``, ``stricter file``, or ``control`` for ``app.control.rate_limit()``."""
    ends: float | None = None
    """When the declared rate is back by itself (seconds of ``time.time()``); None when it isn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded:
    """Another version of the file is in force."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefused:
    """A changed file can't be used, so the last good one stays in force."""

    path: str
    problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackHeard:
    """The other side has said "slow down", as a limit's ``feedback`` describes it."""

    limit: str
    action: str
    """``pause`` or ``slow``."""


Event = (
    TaskThrottled
    | TaskAdmitted
    | TaskParked
    | TaskStarted
    | TaskSentBack
    | TaskDropped
    | TaskFailed
    | TaskShadowed
    | StoreAsked
    | StoreFailed
    | StoreRecovered
    | LimitChanged
    | ConfigReloaded
    | ConfigRefused
    | FeedbackHeard
)


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
