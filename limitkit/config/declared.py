"""What a file declares, once compiled: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from limitkit.config.model.env_values import Expanded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.model.fields import Mode, OnError, OnLimit, Strategy
    from limitkit.config.model.units import Rate

NO_WAIT = 0.0
"""The ``max_wait`` of a limit that drops or fails and names none: at once, when a task can't start now."""

MOST_RESENDS: Final = 100
LONGEST_PAUSE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the other side's "slow down" looks like to the tasks of a limit, and what follows for its buckets.

    Rates are tokens a second; None where the file names none.
    """

    limit: str
    """The limit's name, as it is told of."""
    on: tuple[str, ...]
    """Exceptions, as they are written in the file."""
    action: Literal["slow", "pause"] = "slow"
    factor: float = 0.9
    """What the first cut of a row leaves of the rate."""
    step: float | None = None
    """The rate gained back in each second."""
    floor: float | None = None
    ceiling: float | None = None
    unless: tuple[str, ...] = ()
    """Exceptions that look like it and are not, written as in ``on``."""
    resend: int = MOST_RESENDS
    """How often in a row the task that met it goes back to wait; 0 for never."""
    max_pause: float = LONGEST_PAUSE
    """Seconds: the longest pause that is believed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One declared limit as one task has it; its buckets are not yet told apart by partition."""

    name: str
    """As in TOML; for a task's own limit the task's name, so that each task of a pattern has one of its own."""
    own: bool
    """Whether it is declared with the task itself."""
    strategy: Strategy
    rate: Rate
    burst: int
    key: tuple[str, ...] | None
    """The dotted path to the partition; None unless the strategy is per_user."""
    mode: Mode
    """What is in force here: the weakest of what the file, the limit and the task say."""
    path: str
    line: int
    on_error: OnError = "allow"
    """What to do while the store can't be asked: as the task says, else the limit, else the store."""
    on_limit: OnLimit = "wait"
    """As the limit says; what holds for a task is in its rule's ``patience``."""
    max_wait: float | None = None
    """Seconds; None when the limit names none."""
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """What becomes of a task that would have to wait longer than it may."""

    action: Literal["drop", "fail"]
    max_wait: float
    """Seconds since the task first came to a worker; 0.0 when it may not wait at all."""


@dataclass(frozen=True, slots=True)
class TaskRule:
    """The entry that holds for a task, and its limits in the order of the file."""

    pattern: str
    line: int
    limits: tuple[Limit, ...]
    patience: Patience | None = None
    """None when the task waits until it may start, however long that is."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where and how to reach the store; ``url`` is None for the app's own Redis, ``timeout`` is in seconds."""

    url: str | None
    prefix: str
    timeout: float
    on_error: OnError

    def __post_init__(self) -> None:
        if self.url is not None:  # an address that nothing shows with its password
            object.__setattr__(self, "url", Expanded.of(self.url))


@dataclass(frozen=True, slots=True)
class WaitingSettings:
    """How much of what waits one worker holds by itself; None where a number has no bound of its own."""

    hold: float = 2.0
    """Seconds: of each bucket, a worker holds what starts within so long."""
    per_limit: int | None = None
    """Requests held for one bucket, at most."""
    per_worker: int | None = None
    """Requests held in one worker, at most."""


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Whether a worker counts, and where it shows its metrics; ``ports`` is empty when it doesn't show them itself."""

    wanted: bool
    host: str
    ports: range


def patience_of(limits: Iterable[Limit], on_limit: OnLimit | None, max_wait: float | None) -> Patience | None:
    """Make one answer of what a task and its limits say; ``on_limit`` and ``max_wait`` are the task's own keys.

    A task's ``on_limit`` holds in place of both keys of its limits, its ``max_wait`` in place of theirs. Of several
    limits ``fail`` wins over ``drop`` over ``wait``, and the shortest ``max_wait`` holds. Limits that are off, or in
    shadow, have no say, and without any other there is nothing to wait for.
    """
    on = [limit for limit in limits if limit.mode == "enforce"]
    if not on:
        return None
    if on_limit is None:
        said = {limit.on_limit for limit in on}
        waits = [NO_WAIT if each.max_wait is None else each.max_wait for each in on if each.on_limit != "wait"]
    else:
        said, waits = {on_limit}, [NO_WAIT]
    action: Literal["drop", "fail"] | None = "fail" if "fail" in said else "drop" if "drop" in said else None
    if action is None:
        return None
    return Patience(action, min(waits) if max_wait is None else max_wait)
