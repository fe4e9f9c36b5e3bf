"""What is known of the limits at one moment, as it was gathered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.current import Current
    from limitkit.override import Override, Target


@dataclass(slots=True)
class Part:
    """What waits for one bucket."""

    held: int = 0
    parked: int = 0
    oldest: float = 0.0
    """Seconds since the first that is parked was first parked."""

    @property
    def waiting(self) -> int:
        """All that wait, as far as that is known."""
        return self.held + self.parked


@dataclass(slots=True)
class Row:
    """One limit, or what one task of a pattern has of it."""

    current: Current
    entry: Target
    """Where the file declares it: itself, or the pattern by which a task has it."""
    interval: float
    """Seconds between two starts, as long as it is not paused."""
    depth: int
    """Its burst, as long as it is not paused."""
    tag: str
    tokens: float | None = None
    """In its bucket now; None where it has several, or each worker has its own."""
    held: int = 0
    parked: int = 0
    started: int = 0
    """In the last minute, in the workers that answered."""
    oldest: float = 0.0
    """Seconds that the first of them has waited, as far as anybody knows."""
    parts: dict[str, Part] = field(default_factory=dict)
    """By partition; of what workers hold, each names its busiest ones alone."""
    dialled: dict[str, float] = field(default_factory=dict)
    """By worker: seconds between two starts that ``app.control.rate_limit`` has set."""
    slowed: float | None = None
    """Seconds between two starts, where the other side's refusals have changed them; None where they have not."""
    shadowed: int = 0
    """Of a limit in shadow: starts that would have had to wait, since the workers that answered have started."""
    seen: int = 0
    """Of a limit in shadow: all starts since then."""
    apart: dict[str, str] = field(default_factory=dict)
    """By worker of the same file: what holds there, where it is not what holds here."""

    @property
    def waiting(self) -> int:
        """All that wait in workers, or are parked."""
        return self.held + self.parked

    @property
    def is_busy(self) -> bool:
        """Whether anything goes on, or is not as the file says."""
        taken = self.tokens is not None and self.tokens < self.depth
        otherwise = self.dialled or self.apart or self.slowed or self.current.source != "file"
        return bool(self.waiting or self.started or taken or otherwise)


@dataclass(slots=True)
class Survey:
    """Everything that was asked, at one moment."""

    path: str
    digest: str
    now: float
    """The store's time, in seconds since 1970."""
    rows: list[Row]
    """In the order of the file, the named limits first."""
    overrides: tuple[Override, ...]
    """All that are posted, those too that the file declares no limit for."""
    workers: Mapping[str, Mapping[str, Any]] | None = None
    """What each worker has reported; None when there is no app to ask by."""
    room: str | None = None
    """What the broker's waiting room is called."""

    def row_of(self, override: Override) -> Row | None:
        """Return a limit that an override stands over; None when the file has none in force."""
        return next((row for row in self.rows if override.target in (row.current.target, row.entry)), None)

    def only(self, target: Target) -> Survey:
        """Keep one limit, or those of one pattern."""
        rows = [row for row in self.rows if target in (row.current.target, row.entry)]
        targets = {target, *(row.current.target for row in rows), *(row.entry for row in rows)}
        return replace(self, rows=rows, overrides=tuple(each for each in self.overrides if each.target in targets))

    @property
    def paced(self) -> int:
        """How many workers keep static limits."""
        return sum(bool(report.get("paced")) for report in (self.workers or {}).values())

    def drained_in(self, row: Row, part: Part | None = None) -> float | None:
        """Return the seconds in which what waits starts at the rate in force; None while it is paused."""
        if row.current.source == "pause":
            return None
        if part is not None:
            return part.waiting * row.interval
        interval = row.slowed or row.interval
        if row.current.limit.strategy == "per_user":
            return max((each.waiting for each in row.parts.values()), default=0) * interval
        own = max(1, self.paced) if row.current.limit.strategy == "static" else 1
        return row.waiting * interval / own
