"""What a file declares, compiled to plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from limitkit.config.model.env_values import Expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.config.model.fields import Mode, OnError, OnLimit, Strategy
    from limitkit.config.model.units import Rate

NO_WAIT: Final = 0.0
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
class Resets:
    """When a window begins anew: ``resets`` of the file."""

    text: str
    """As in TOML."""
    unit: Literal["clock", "d", "w", "mo"]
    """``clock``: whenever a whole number of ``period_us`` has passed since midnight UTC."""
    minute: int = 0
    """Minutes after midnight, by the wall clock of the zone."""
    day: int = 0
    """Of a week: 0 is Monday. Of a month: 1 to 31; a day that a month lacks is its last."""
    timezone: str = "UTC"
    """An IANA name."""
    every: int = 1
    """Days, weeks or months in one window; counted from 1970."""
    period_us: int = 0
    """For ``clock`` alone."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a key: a dotted path into an argument, or a message header."""

    path: tuple[str, ...]
    header: bool = False
    """Whether ``path`` is the one name of a header."""

    def __str__(self) -> str:
        return f"headers:{self.path[0]}" if self.header else ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Key:
    """What tells partitions apart: one to four parts. A list of one part is the same key as that part."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one start takes: ``fixed`` tokens, or what is read from the message, times and plus something."""

    fixed: int = 1
    of: Part | None = None
    """Where the cost is read from; a last step ``length`` of a path is the length of what is there."""
    times: float = 1.0
    plus: float = 0.0
    default: int = 1  # when it can't be read


ONE: Final = Cost()


@dataclass(frozen=True, slots=True)
class ShareTerms:
    """What holds for one partition, or in a part of the day, in place of the limit's own; None where that stays."""

    rate: Rate | None = None
    burst: int | None = None
    max_running: int | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Terms that hold from a time of the day to another: ``[[limits.NAME.schedule]]``."""

    begin: int
    """Minutes after midnight, by the wall clock of the zone."""
    end: int
    """Not after ``begin``: over midnight."""
    days: frozenset[int]
    """The days on which it begins: 0 is Monday."""
    timezone: str
    """An IANA name."""
    terms: ShareTerms


GUESSED_RUN_US: Final = 1_000_000
"""For how long a task of a concurrency limit runs, as long as nobody has seen any."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One declared limit as it applies to one task, before partitions give it several buckets."""

    name: str
    """As in TOML; for a task's own limit the task's name, so that each task of a pattern has its own limit."""
    own: bool
    """Whether it is declared with the task itself."""
    strategy: Strategy
    rate: Rate | None
    """None for a concurrency limit, and only there."""
    burst: int
    """1 for a window or a concurrency limit, where it has no meaning."""
    key: Key | None
    """What tells its partitions apart; None when it has none. A task may name another than the limit's own."""
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
    resets: Resets | None = None
    max_running: int = 0
    """Of a concurrency limit: how many of its tasks may run at once."""
    lease: float = 15.0
    """Seconds."""
    scope: Literal["all", "worker"] = "all"
    partitions: Mapping[str, ShareTerms] = field(default_factory=dict, hash=False)
    """By the TOML key as written, which the canonical text of the partition is compared with."""
    show_key: bool = False
    cost: Cost = ONE
    """What one start of this task takes."""
    settle: tuple[str, ...] | None = None
    """The path into what the task returns, where its true cost is."""
    metered: bool = False
    """Whether any task of the file has a cost for this limit, even of 1, or settles."""
    fair_by: Key | None = None
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    """By the TOML key as written, compared like that with the value of ``fair_by``; others have 1."""
    schedule: tuple[Scheduled, ...] = ()

    @property
    def local(self) -> bool:
        """Whether each worker has it for itself, and no store is asked."""
        return self.strategy == "static" or (self.strategy == "concurrency" and self.scope == "worker")

    @property
    def most(self) -> int:
        """The most that may start at once: the burst, the number of a window, or ``max_running``."""
        if self.strategy == "concurrency":
            return self.max_running
        if self.strategy == "window" and self.rate is not None:
            return max(1, int(self.rate.tokens))
        return self.burst

    @property
    def rate_text(self) -> str:
        """The rate as in TOML; of a concurrency limit, ``3 at once``."""
        return self.rate.text if self.rate is not None else f"{self.max_running} at once"

    @property
    def interval_us(self) -> int:
        """Microseconds between two starts in the long run; of a concurrency limit, a first guess."""
        return self.rate.interval_us if self.rate is not None else GUESSED_RUN_US // max(1, self.max_running)

    @property
    def per_second(self) -> float | None:
        """Starts a second in the long run; None for a concurrency limit."""
        return float(self.rate.per_second) if self.rate is not None else None

    @property
    def text(self) -> str:
        """What it admits, for people: ``25/s, burst 100``; ``100/5s in a window``; ``3 at once``."""
        return terms_text(self.strategy, self.rate.text if self.rate is not None else "", self.most)


def terms_text(strategy: Strategy, rate: str, most: int) -> str:
    """Write terms for people: ``25/s, burst 100``; ``15000/d in a window``; ``3 at once``; a pause is one word."""
    if not most:
        return "paused"
    if strategy == "concurrency":
        return f"{most} at once"
    return f"{rate} in a window" if strategy == "window" else f"{rate}, burst {most}"


@dataclass(frozen=True, slots=True)
class Patience:
    """What happens to a task that would have to wait longer than it may."""

    action: Literal["drop", "fail"]
    max_wait: float
    """Seconds since the task first came to a worker; 0.0 when it may not wait at all."""


@dataclass(frozen=True, slots=True)
class TaskRule:
    """The entry that applies to a task, with its file, and its limits in the order of the file."""

    pattern: str
    line: int
    limits: tuple[Limit, ...]
    patience: Patience | None = None
    """None when the task waits until it may start, however long that is."""
    path: str = ""


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
