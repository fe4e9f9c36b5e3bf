"""What is played: which messages are sent when, by how many workers they are run, and what goes wrong meanwhile.

All times are seconds of the virtual clock, from the beginning of the play.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.buckets.override import Override

DEFAULT_QUEUE: Final = "celery"
"""Celery's own default queue."""
EPOCH: Final = 1_767_571_200.0
"""When a play begins unless it says otherwise: 2026-01-05T00:00:00Z, a Monday, in seconds since 1970."""
_NUMBER: Final = "{n}"


class Arrival(NamedTuple):
    """One message that is sent."""

    at: float
    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    queue: str = DEFAULT_QUEUE
    headers: Mapping[str, Any] = MappingProxyType({})
    priority: int = 0
    seconds: float | None = None
    """How long the task runs; None: as the scenario says for its task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A ``[[test.send]]`` table: ``count`` messages, ``every`` seconds apart."""

    task: str
    count: int = 1
    every: float = 0.0
    at: float = 0.0
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue: str = DEFAULT_QUEUE
    headers: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0

    def arrivals(self) -> Iterator[Arrival]:
        """Go through its messages; ``{n}`` in a text of the arguments or headers is the message's number, from 0."""
        for number in range(self.count):
            args, kwargs, headers = (_numbered(each, number) for each in (self.args, self.kwargs, self.headers))
            at = self.at + number * self.every
            yield Arrival(at, self.task, tuple(args), kwargs, self.queue, headers, self.priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A worker is killed (SIGKILL): what it held is delivered again, once others have noticed; what it ran is lost."""

    at: float
    worker: str
    """``worker-1`` is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A worker is stopped (SIGTERM): it ends what runs, and gives back the rest."""

    at: float
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """A worker loses its connection to the broker, and connects again."""

    at: float
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAway:
    """The store can't be reached for some seconds."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOverride:
    """An operator changes a limit, as ``limitkit set`` and ``limitkit pause`` do."""

    at: float
    override: Override
    """Its ``until`` is in seconds of the virtual clock too, not since 1970; None: for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """A message is revoked, as ``celery control revoke`` does: if it has not started by then, it never does."""

    at: float
    number: int
    """The message's number, from 0, in the order in which they are sent; it counts as dropped."""


Fault = Kill | Stop | Disconnect | StoreAway | SetOverride | Revoke


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole play."""

    arrivals: Iterable[Arrival]
    """In the order of their times."""
    workers: int = 1
    processes: int = 4
    """The pool processes of each worker."""
    prefetch_multiplier: int = 4
    task_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long tasks run, by their names or patterns with ``*``; a task that is not named takes no time."""
    faults: tuple[Fault, ...] = ()
    begins: float = EPOCH
    """Seconds since 1970 at which the play begins: schedules, and windows that reset, go by it."""
    until: float | None = None
    """When the play ends at the latest; None: a day after the last message was sent."""


def in_order(sendings: Iterable[Sending]) -> Iterator[Arrival]:
    """Go through the messages of several tables in the order of their times."""
    return heapq.merge(*(each.arrivals() for each in sendings), key=lambda arrival: arrival.at)


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return value.replace(_NUMBER, str(number))
    if isinstance(value, dict):
        return {_numbered(key, number): _numbered(each, number) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbered(each, number) for each in value]
    return value
