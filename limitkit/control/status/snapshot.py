"""What is known of the limits at one moment, as it was gathered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.buckets.override import Override, Target
    from limitkit.config.model.fields import Mode
    from limitkit.control.bucket_state import BucketState
    from limitkit.control.in_force import Current
    from limitkit.errors import Problem


@dataclass(slots=True)
class Part:
    """What waits for one bucket."""

    standing: BucketState
    held: int = 0
    parked: int = 0
    oldest: float = 0.0
    """Seconds since the first that is parked was first parked."""

    @property
    def waiting(self) -> int:
        """All that wait, as far as that is known."""
        return self.held + self.parked

    @property
    def drained_in(self) -> float:
        """Seconds in which they start; infinite while it is paused without an end."""
        return self.standing.drained_in(self.waiting)


@dataclass(slots=True)
class Row:
    """One limit, or what one task of a pattern has of it."""

    current: Current
    entry: Target
    """Where the file declares it: itself, or the pattern by which a task has it."""
    standing: BucketState
    """Of its bucket; where it has several, of one that the other side has not refused."""
    tag: str
    tokens: float | None = None
    """In its bucket now; None where it has several, or each worker has its own."""
    held: int = 0
    parked: int = 0
    started: int | None = None
    """In the last minute, in the workers that answered; None where they don't count it."""
    oldest: float = 0.0
    """Seconds that the first of them has waited, as far as anybody knows."""
    parts: dict[str, Part] = field(default_factory=dict)
    """By partition; of what workers hold, each names its busiest ones alone."""
    dialled: dict[str, float] = field(default_factory=dict)
    """By worker: seconds between two starts that ``app.control.rate_limit`` has set."""
    paces: dict[str, float] = field(default_factory=dict)
    """Of a static limit, by worker that keeps it: seconds between two starts there, infinite while it is paused."""
    kept: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """The same as rate, burst, and whence they come."""
    shadowed: int = 0
    """Of a limit in shadow: starts that would have had to wait, since the workers that answered have started."""
    seen: int = 0
    """Of a limit in shadow: all starts since then."""
    apart: dict[str, str] = field(default_factory=dict)
    """By worker of the same file: what holds there, where it is not what holds here."""

    elsewhere: dict[str, str] = field(default_factory=dict)
    """By worker of another file: what holds there of a limit that each worker keeps by itself."""
    lost: dict[str, bool] = field(default_factory=dict)
    """By worker that keeps a limit of all workers: whether it can't ask the store."""
    paced: dict[str, bool] = field(default_factory=dict)
    """By worker that has it: whether that has a pacer, which alone knows who waits, and counts in shadow."""
    foreign: str = ""
    """The file that declares it, where the one that was asked about does not."""

    @property
    def waiting(self) -> int:
        """All that wait in workers, or are parked."""
        return self.held + self.parked

    @property
    def refused(self) -> list[BucketState]:
        """Those of its buckets to which the other side's refusals have done something."""
        each = [self.standing, *(part.standing for part in self.parts.values())]
        return [one for one in each if one.slowed or one.refused_for]

    @property
    def in_force(self) -> tuple[str, int, str]:
        """The rate, the burst, and whence they come; a limit that is paused, off or in shadow has no burst."""
        everywhere = {*self.kept.values()}
        if len(everywhere) == 1 and self.standing.keeps:
            return everywhere.pop()
        if self.is_lost and self.current.limit.on_error != "divide" and self.current.source != "pause":
            return "not kept" if self.current.limit.on_error == "allow" else "held", 0, "store"
        return in_force(self.current, self.standing)

    @property
    def is_watched(self) -> bool:
        """Whether it is known who waits for it in workers."""
        return not self.paced or any(self.paced.values())

    @property
    def is_lost(self) -> bool:
        """Whether no worker can ask the store."""
        return bool(self.lost) and all(self.lost.values())

    @property
    def drained_in(self) -> float:
        """Seconds in which what waits starts as things are; infinite while it is paused without an end."""
        if self.is_lost and self.current.limit.on_error == "hold":
            return inf
        if self.current.limit.strategy == "per_user":
            return max((part.drained_in for part in self.parts.values()), default=0.0)
        if self.current.limit.strategy == "static" and self.paces and self.waiting:
            rate = sum(1 / pace for pace in self.paces.values())
            return self.standing.paused_for or (self.waiting / rate if rate else inf)
        return self.standing.drained_in(self.waiting)

    @property
    def is_busy(self) -> bool:
        """Whether anything goes on, or is not as the file says."""
        taken = self.tokens is not None and self.tokens < self.standing.bucket.burst
        otherwise = (
            self.dialled or self.apart or self.refused or any(self.lost.values()) or self.current.source != "file"
        )
        return bool(self.waiting or self.started or taken or otherwise or self.foreign)


def in_force(current: Current, standing: BucketState) -> tuple[str, int, str]:
    """Return the rate and burst of a bucket, and whence they come, as they are shown."""
    if not standing.keeps:
        return current.limit.mode, 0, "mode"
    if current.source == "pause":
        return current.rate, 0, "pause"
    if standing.refused_for:
        return "paused", 0, "feedback"
    if standing.slowed:
        return standing.rate, standing.burst, "feedback"
    return current.rate, current.burst, current.source


@dataclass(slots=True)
class Snapshot:
    """Everything that was asked, at one moment."""

    path: str
    digest: str
    now: float
    """The store's time, in seconds since 1970."""
    mode: Mode
    """What the file says, whatever the environment of this process does; what that says is in ``mode_here``."""
    rows: list[Row]
    """In the order of the file, the named limits first."""
    overrides: tuple[Override, ...]
    """All that are posted, those too that the file declares no limit for."""
    workers: Mapping[str, Mapping[str, Any]] | None = None
    """What each worker has reported; None when there is no app to ask by."""
    room: str | None = None
    """What the broker's waiting room is called."""
    gone: str = ""
    """Why the store can't be asked; what is set at run time is then what workers know of it."""
    mode_here: Mode = "enforce"
    problems: tuple[Problem, ...] = ()
    """Why the file can't be used; all else is then what workers say, and there is no digest."""

    def row_of(self, override: Override) -> Row | None:
        """Return a limit that an override stands over; None when the file has none in force."""
        return next((row for row in self.rows if override.target in (row.current.target, row.entry)), None)

    def only(self, target: Target) -> Snapshot:
        """Keep one limit, or those of one pattern."""
        rows = [row for row in self.rows if target in (row.current.target, row.entry)]
        targets = {target, *(row.current.target for row in rows), *(row.entry for row in rows)}
        return replace(self, rows=rows, overrides=tuple(each for each in self.overrides if each.target in targets))
