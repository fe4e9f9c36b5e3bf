"""What has happened in a play: the fate of each message, and what it has cost.

All times are seconds of the virtual clock, from the beginning of the play.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Fate = Literal["waiting", "started", "dropped", "failed", "lost"]
"""``waiting``: in a queue, in the waiting room or held by a worker at the end; ``lost``: in none of them."""


@dataclass(slots=True)
class Run:
    """One message and its task."""

    number: int
    """Messages are numbered from 0, as they were sent."""
    task: str
    sent: float
    queue: str
    limits: tuple[str, ...] = ()
    """The names of its limits, as ``limitkit status`` shows them."""
    buckets: tuple[str, ...] = ()
    """The keys of its buckets, one for each of its limits: limits with a key have one for each partition."""
    costs: tuple[int, ...] = ()
    """The tokens that its start takes from each."""
    starts: list[float] = field(default_factory=list)
    """When its code began; several times where a worker was killed."""
    workers: list[str] = field(default_factory=list)
    """The worker of each start."""
    ended: float | None = None
    fate: Fate = "waiting"

    @property
    def started(self) -> float | None:
        """When it started first."""
        return self.starts[0] if self.starts else None

    @property
    def wait(self) -> float | None:
        """Seconds from its sending to its first start; None if it has not started."""
        return self.starts[0] - self.sent if self.starts else None


@dataclass(slots=True)
class WorkerUse:
    """What one worker has needed."""

    name: str
    starts: int = 0
    most_held: int = 0
    """The most messages that it has held at once, unacknowledged, without those in its pool."""


@dataclass(slots=True)
class Outcome:
    """A whole play."""

    runs: list[Run]
    """In the order in which they were sent."""
    ended: float = 0.0
    """When the play ended."""
    complete: bool = True
    """Whether nothing waited any more at the end."""
    workers: list[WorkerUse] = field(default_factory=list)
    store_calls: int = 0
    """Calls of the store, of all workers."""
    room_calls: int = 0
    """Calls of the waiting room's scripts."""
    most_parked: int = 0
    """The most messages that were in the waiting room at once."""
    sent_back: int = 0
    """How often the guard has sent a message back to its queue."""
    warnings: list[str] = field(default_factory=list)
    """What workers have logged as warnings or errors, each text once."""


class Progress(Protocol):
    """What is told, now and then, how far a play is."""

    def __call__(self, seconds: float, started: int, sent: int, /) -> None:
        """Take the virtual time, and how many messages have started of those that were sent by then."""
