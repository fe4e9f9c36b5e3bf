"""The state of the limits at one moment, as ``collect`` has found it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any

from limitkit.events.last_minute import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from limitkit.buckets.override import Override, Target
    from limitkit.config.model.fields import Mode
    from limitkit.control.bucket_state import BucketState
    from limitkit.control.current import Current
    from limitkit.control.usage import Usage
    from limitkit.errors import Problem


@dataclass(slots=True)
class Part:
    """The tasks that wait for one bucket."""

    bucket_state: BucketState
    held: int = 0
    parked: int = 0
    running: int = 0
    """Of a concurrency limit: tasks that run in the workers that answered."""
    oldest: float = 0.0
    """Seconds since the oldest parked task was first parked."""
    usage: Usage | None = None
    """What is used of the bucket now; None where that is not known."""

    @property
    def waiting(self) -> int:
        """All tasks that wait, as far as known."""
        return self.held + self.parked

    @property
    def drained_in(self) -> float | None:
        """Seconds until all have started; infinite while it is paused without an end, None where it can't be told."""
        return self.bucket_state.drained_in(self.waiting, usage=self.usage)


@dataclass(slots=True)
class Row:
    """One limit; if a pattern declares it, the limit of one task."""

    current: Current
    entry: Target
    """Where the file declares it: the limit itself, or the pattern by which a task has it."""
    bucket_state: BucketState
    """The state of its bucket; if it has several, of a bucket without refusals."""
    tag: str
    usage: Usage | None = None
    """What is used of its bucket now; None if it has several, or each worker has its own."""
    held: int = 0
    parked: int = 0
    running: int = 0
    """Of a concurrency limit: tasks that run in the workers that answered."""
    started: int | None = None
    """Starts in the last minute, in the workers that answered; None if they don't count them."""
    oldest: float = 0.0
    """Seconds that the oldest waiting task has waited, as far as known."""
    parts: dict[str, Part] = field(default_factory=dict)
    """By partition; each worker reports only the partitions for which it holds the most."""
    dialled: dict[str, float] = field(default_factory=dict)
    """By worker: seconds between two starts that ``app.control.rate_limit`` has set."""
    paces: dict[str, float] = field(default_factory=dict)
    """For a static limit, by worker: seconds between two starts there, infinite while it is paused."""
    kept: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """The same as rate, burst, and their source."""
    shadowed: int = 0
    """In shadow mode: starts that would have had to wait, since the workers that answered were started."""
    seen: int = 0
    """In shadow mode: all starts since then."""
    apart: dict[str, str] = field(default_factory=dict)
    """By worker with the same file: the rate in force there, if it differs from the one here."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """By worker with another file: the rate of a static limit in force there."""
    lost: dict[str, bool] = field(default_factory=dict)
    """By worker with a shared limit: whether it can't ask the store."""
    paced: dict[str, bool] = field(default_factory=dict)
    """By worker: whether it has a pacer; without one, waiting tasks and shadow mode are not counted."""
    state_of_part: Callable[[str], BucketState] | None = None
    """Returns the state of one partition, without refusals, by its form in the bucket's key."""
    set_apart: list[Override] = field(default_factory=list)
    """What was set for single partitions, or values of ``fair_by``."""
    foreign: str = ""
    """The file that declares it, if this file does not."""
    key: str = ""
    """The key of its bucket, as a worker with another file reports it."""

    def part(self, form: str) -> Part:
        """Return the partition that has this form in the bucket's key; it may have terms of its own."""
        if form not in self.parts:
            state = self.state_of_part(form) if self.state_of_part is not None else self.bucket_state
            self.parts[form] = Part(state)
        return self.parts[form]

    @property
    def waiting(self) -> int:
        """All tasks that wait in workers, or are parked."""
        return self.held + self.parked

    @property
    def refused(self) -> list[BucketState]:
        """Those of its buckets that refusals have slowed down or paused."""
        each = [self.bucket_state, *(part.bucket_state for part in self.parts.values())]
        return [one for one in each if one.slowed or one.refused_for]

    @property
    def in_force(self) -> tuple[str, int, str]:
        """The rate, the burst, and their source; a limit that is paused, off or in shadow mode has no burst."""
        everywhere = {*self.kept.values()}
        if len(everywhere) == 1 and self.bucket_state.keeps:
            return everywhere.pop()
        if self.is_lost and self.current.limit.on_error != "divide" and self.current.source != "pause":
            return "not kept" if self.current.limit.on_error == "allow" else "held", 0, "store"
        return in_force(self.current, self.bucket_state)

    @property
    def is_watched(self) -> bool:
        """Whether the number of waiting tasks in workers is known."""
        return not self.paced or any(self.paced.values())

    @property
    def is_lost(self) -> bool:
        """Whether none of its workers can ask the store."""
        return bool(self.lost) and all(self.lost.values())

    @property
    def tokens(self) -> float | None:
        """The tokens in its bucket now; None if that is not known."""
        return self.usage.tokens if self.usage is not None else None

    @property
    def drained_in(self) -> float | None:
        """Seconds until all waiting tasks have started; infinite while it is paused without an end.

        Nobody knows how long running tasks take, or what those that wait will cost: there it is a guess, from the
        starts of the last minute; None where there were none.
        """
        if self.is_lost and self.current.limit.on_error == "hold":
            return inf
        if self.current.limit.key is not None:
            each = [part.drained_in for part in self.parts.values()]
            known = [seconds for seconds in each if seconds is not None]
            return max(known, default=0.0) if len(known) == len(each) else None
        if self.current.limit.strategy == "static" and self.paces and self.waiting:
            rate = sum(1 / pace for pace in self.paces.values())
            return self.bucket_state.paused_for or (self.waiting / rate if rate else inf)
        seconds = self.bucket_state.drained_in(self.waiting, usage=self.usage)
        if seconds is None and self.started:
            return self.bucket_state.paused_for + self.waiting * SECONDS / self.started
        return seconds

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to show: waiting tasks, starts, or a difference from the file."""
        taken = self.running or (self.usage is not None and self.usage.is_used)
        otherwise = (
            self.dialled or self.apart or self.refused or any(self.lost.values()) or self.current.source != "file"
        )
        return bool(self.waiting or self.started or taken or otherwise or self.set_apart or self.foreign)


def in_force(current: Current, bucket_state: BucketState) -> tuple[str, int, str]:
    """Return the rate and burst of a bucket, and their source, as they are shown."""
    if not bucket_state.keeps:
        return current.limit.mode, 0, "mode"
    if current.source == "pause":
        return current.rate, 0, "pause"
    if bucket_state.refused_for:
        return "paused", 0, "feedback"
    if bucket_state.slowed:
        return bucket_state.rate, bucket_state.burst, "feedback"
    return current.rate, current.burst, current.source


@dataclass(slots=True)
class Snapshot:
    """The state of all limits at one moment."""

    path: str
    digest: str
    now: float
    """The store's time, in seconds since 1970."""
    mode: Mode
    """The file's own mode; the mode by the environment of this process is in ``mode_here``."""
    rows: list[Row]
    """In the order of the file, the named limits first."""
    overrides: tuple[Override, ...]
    """All overrides in the store, also those for limits that are not in the file."""
    workers: Mapping[str, Mapping[str, Any]] | None = None
    """What each worker has reported; None without an app, or where workers can't be asked."""
    room: str | None = None
    """The name of the broker's waiting room."""
    gone: str = ""
    """Why the store can't be asked; the overrides are then those that workers know."""
    unasked: str = ""
    """Why no worker can be asked, whether it runs or not."""
    mode_here: Mode = "enforce"
    problems: tuple[Problem, ...] = ()
    """Why the file can't be used; all else is then what workers report, and there is no digest."""

    def row_of(self, override: Override) -> Row | None:
        """Return the row of an override's limit; None when the file has no such limit in force."""
        return next((row for row in self.rows if override.target.whole in (row.current.target, row.entry)), None)

    def only(self, target: Target) -> Snapshot:
        """Keep one limit, or those of one pattern."""
        rows = [row for row in self.rows if target in (row.current.target, row.entry)]
        targets = {target, *(row.current.target for row in rows), *(row.entry for row in rows)}
        return replace(
            self, rows=rows, overrides=tuple(each for each in self.overrides if each.target.whole in targets)
        )
