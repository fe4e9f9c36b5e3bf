"""An expectation of a test, and a failure of one: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from limitkit.config.rules import matches

if TYPE_CHECKING:
    from limitkit.config.wording import Path
    from limitkit.trial.outcome import Run

MICROSECONDS = 1_000_000


def in_us(seconds: float) -> int:
    """Round a time to whole microseconds: expectations compare these, so that sums of floats don't matter."""
    return round(seconds * MICROSECONDS)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose starts are meant: those of a task (a name, or a pattern with ``*``), or of all tasks under a limit."""

    task: str = ""
    limit: str = ""

    def has(self, run: Run) -> bool:
        """Whether a message is one of those."""
        if self.limit:
            return self.limit in run.limits or f"limits.{self.limit}" in run.limits
        return self.task == run.task or ("*" in self.task and matches(self.task, run.task))

    def __str__(self) -> str:
        return f"the limit {self.limit}" if self.limit else self.task


@dataclass(frozen=True, slots=True)
class Most:
    """At most so many starts in any window of so many seconds."""

    starts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Least:
    """At least so many starts in any window of so many seconds in which something waits."""

    starts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StartedWithin:
    """Each message starts at most so many seconds after it was sent."""

    seconds: float


@dataclass(frozen=True, slots=True)
class DrainedBy:
    """None waits any more at so many seconds from the beginning."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """At most so many messages are lost."""

    most: int


Rule = Most | Least | StartedWithin | DrainedBy | Lost


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must hold in a test."""

    subject: Subject
    rule: Rule
    path: Path = field(default=(), compare=False)
    """Where it stands in the test file."""


@dataclass(frozen=True, slots=True)
class Start:
    """A start, as it is shown with a failure."""

    at: float
    task: str
    worker: str
    number: int
    """The number of the message."""
    waited: float
    """Seconds since it was sent."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not hold."""

    expected: str
    happened: str
    at: float
    """The virtual time of it, in seconds from the beginning."""
    around: tuple[Start, ...] = ()
    """Up to ten starts, in their order: before and after that time; or of the window."""
    window: tuple[float, float] | None = None
    """When the first and the last start of a window with too many were; then ``around`` has its first and last five."""
    left_out: int = 0
    """How many starts of the window are between those."""

    def __str__(self) -> str:
        return f"expected {self.expected}, but {self.happened}"
