"""What a file declares, compiled to plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from limitkit.config.model.env_values import Expanded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.model.fields import Mode, OnError, OnLimit, Strategy
    from limitkit.config.model.units import Rate

NO_WAIT = 0.0
"""The ``max_wait`` of a limit that drops or fails and names none: it does so at once."""

MOST_RESENDS: Final = 100
LONGEST_PAUSE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the other side's "slow down" looks like to the tasks of a limit, and how its buckets back off.

    Rates are tokens a second; None when the file names none.
    """

    limit: str
    """The limit's name, for logs and metrics."""
    on: tuple[str, ...]
    """Exceptions, as written in the file."""
    action: Literal["slow", "pause"] = "slow"
    factor: float = 0.9
    """What the first cut in a row leaves of the rate."""
    step: float | None = None
    """By how much the rate grows back in each second."""
    floor: float | None = None
    ceiling: float | None = None
    unless: tuple[str, ...] = ()
    """Exceptions that match ``on`` but do not mean "slow down", written as in ``on``."""
    resend: int = MOST_RESENDS
    """How often in a row a task that was refused goes back to wait; 0 for never."""
    max_pause: float = LONGEST_PAUSE
    """Seconds: a longer pause that the other side asks for is cut to this."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One declared limit as it applies to one task, before partitions give it several buckets."""

    name: str
    """As in TOML; for a task's own limit the task's name, so that each task of a pattern has its own limit."""
    own: bool
    """Whether it is declared with the task itself."""
    strategy: Strategy
    rate: Rate
    burst: int
    key: tuple[str, ...] | None
    """The dotted path to the partition; None unless the strategy is per_user."""
    mode: Mode
    """The mode in force: the weakest of the file's, the limit's and the task's."""
    path: str
    line: int
    on_error: OnError = "allow"
    """What to do while the store can't be asked: the task's setting, else the limit's, else the store's."""
    on_limit: OnLimit = "wait"
    """The limit's own setting; the one that a task uses is in its rule's ``patience``."""
    max_wait: float | None = None
    """Seconds; None when the limit names none."""
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """What happens to a task that would have to wait longer than it may."""

    action: Literal["drop", "fail"]
    max_wait: float
    """Seconds since the task first came to a worker; 0.0 when it may not wait at all."""


@dataclass(frozen=True, slots=True)
class TaskRule:
    """The entry that applies to a task, and its limits in the order of the file."""

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
        if self.url is not None:  # so that its password is never shown
            object.__setattr__(self, "url", Expanded.of(self.url))


@dataclass(frozen=True, slots=True)
class WaitingSettings:
    """How many waiting requests one worker holds; None for a number without a bound of its own."""

    hold: float = 2.0
    """Seconds: for each bucket, a worker holds the requests that start within this time."""
    per_limit: int | None = None
    """Requests held for one bucket, at most."""
    per_worker: int | None = None
    """Requests held in one worker, at most."""
    rescue: bool = True
    """Whether workers return what a killed one held."""


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Whether a worker has metrics, and where it serves them; ``ports`` is empty when it doesn't serve them itself."""

    wanted: bool
    host: str
    ports: range


def patience_of(limits: Iterable[Limit], on_limit: OnLimit | None, max_wait: float | None) -> Patience | None:
    """Combine the settings of a task and its limits; ``on_limit`` and ``max_wait`` are the task's own keys.

    A task's ``on_limit`` replaces both keys of its limits, its ``max_wait`` replaces theirs. Of several limits ``fail``
    wins over ``drop`` over ``wait``, and the shortest ``max_wait`` holds. Limits that are off or in shadow mode do not
    count; if there are no others, there is nothing to wait for.
    """
    enforced = [limit for limit in limits if limit.mode == "enforce"]
    if not enforced:
        return None
    if on_limit is None:
        actions = {limit.on_limit for limit in enforced}
        waits = [NO_WAIT if each.max_wait is None else each.max_wait for each in enforced if each.on_limit != "wait"]
    else:
        actions, waits = {on_limit}, [NO_WAIT]
    action: Literal["drop", "fail"] | None = "fail" if "fail" in actions else "drop" if "drop" in actions else None
    if action is None:
        return None
    return Patience(action, min(waits) if max_wait is None else max_wait)
