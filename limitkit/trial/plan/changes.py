"""What a plan is made of: changes, each with what it does; and what is to be known when the file is deployed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.wording import Path
    from limitkit.trial.plan.waits import Waited

Effect = Literal["looser", "stricter", "other"]
"""``looser``: more may start, or run, than before. ``stricter``: less. ``other``: neither, as far as a file can say."""
Action = Literal["add", "remove", "change", "rename"]
Kind = Literal["file", "store", "waiting", "metrics", "limit", "task", "queue"]
EFFECTS: Final[tuple[Effect, ...]] = ("looser", "stricter", "other")
"""In the order in which they are shown: danger first."""


class Place(NamedTuple):
    """Where something is declared."""

    path: str
    line: int
    """From 1."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One thing that has changed in a table: what is in a ``Change``, without whose it is."""

    field: str
    """The key in TOML; ``limits`` where it is about which limits hold at all."""
    before: str | None
    """As people read it; None when there was nothing."""
    after: str | None
    effect: Effect
    message: str
    """What it does, as a sentence without its end."""
    new_buckets: bool = False
    """Whether what was used up so far does not count any more: some buckets are new, and begin full."""
    action: Action = "change"
    at: Path = ()
    """The path of the value in its table; the field itself when it is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Delta):
    """One thing that has changed, and what that does."""

    kind: Kind
    subject: str
    """What has changed, as it is written in TOML: ``limits.stripe_api``, ``tasks."emails.*"``, ``[store]``."""
    names: tuple[str, ...] = ()
    """The tasks, or queues, that are known to be concerned, where the subject is not one of them alone."""
    old: Place | None = None
    new: Place | None = None


class Highest(NamedTuple):
    """The highest terms that a schedule, or partitions, give a limit, before and after."""

    of: str
    """``schedule`` or ``partitions``."""
    before: str | None
    """None where there is none."""
    after: str | None


class Worst(NamedTuple):
    """The most that may start by one limit, before and after."""

    subject: str
    before: tuple[int | None, ...]
    """In a second, a minute, an hour and a day; at last, how many at once for a concurrency limit. None: no limit."""
    after: tuple[int | None, ...]
    highest: tuple[Highest, ...] = ()
    """For a limit with a schedule or partitions, whose terms count too."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that changes from one file to another."""

    old: str
    """The path of the file."""
    new: str
    changes: tuple[Change, ...]
    """What lets more through comes first; then what lets less through; then the rest."""
    worst: tuple[Worst, ...] = ()
    """One for each limit of which it has changed."""
    notes: tuple[str, ...] = ()
    """What is to be known when the new file is deployed: whole sentences."""
    waits: tuple[Waited, ...] = ()
    """What each task waits before and after, if a scenario was played."""

    def count(self, effect: Effect) -> int:
        """Count the changes of one effect."""
        return sum(each.effect == effect for each in self.changes)


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Put changes in the order in which they are shown; those of one effect stay in theirs."""
    return tuple(sorted(changes, key=lambda each: EFFECTS.index(each.effect)))


def harmless(delta: Delta, why: str) -> Delta:
    """Return a change that lets neither more nor less through, since what it changes does not hold."""
    return replace(delta, effect="other", message=f"{delta.message}; {why}")
