"""Which limit a bucket belongs to: from the key of a bucket with parked tasks back to the limit that declares it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from limitkit.buckets.partition import OWN, limit_tag, parts_of
from limitkit.config.wording import listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules
    from limitkit.waiting.parked_messages import Pile


@dataclass(frozen=True, slots=True)
class Owner:
    """A limit with parked tasks."""

    name: str
    """The limit's name, or the name of the task whose own limit it is; a part of the key when the file has neither."""
    own: bool
    limit: Limit | None = field(default=None, compare=False)
    """None when the file does not declare it any more."""

    @property
    def label(self) -> str:
        """The name, and whether it is a task's own."""
        return f"{self.name} (its own)" if self.own else self.name

    @property
    def in_each_worker(self) -> bool:
        """Whether each worker has a bucket of its own, so that more workers drain it faster."""
        return self.limit is not None and self.limit.strategy == "static"


@dataclass(slots=True)
class Sum:
    """What is parked for one limit."""

    owner: Owner
    parked: int = 0
    age: float = 0.0
    """Seconds since the first of them was first parked."""
    buckets: dict[str, tuple[int, float]] = field(default_factory=dict)
    """For each partition, which may be in several queues: how many are parked, and the seconds between two starts."""

    def add(self, pile: Pile) -> None:
        """Count a pile."""
        self.parked += pile.count
        self.age = max(self.age, pile.age)
        self.buckets[pile.bucket] = self.buckets.get(pile.bucket, (0, 0.0))[0] + pile.count, pile.interval


class Owners:
    """The limits of a file, by the keys of their buckets; ``tasks`` are the names of the app's tasks."""

    def __init__(self, rules: Rules, tasks: Collection[str]) -> None:
        self._rules = rules
        self._tasks = {*rules.exact_names, *tasks}
        owners = [Owner(limit.name, limit.own, limit) for limit in rules.named.values()]
        owners += [owner for name in sorted(self._tasks) if (owner := self._own(name)) is not None]
        self._by_tag = {limit_tag(owner.name, own=owner.own): owner for owner in owners}

    def of(self, bucket: str) -> Owner:
        """Return the limit of a bucket."""
        parts = parts_of(bucket)
        tag = parts[0] if parts else bucket
        owner = self._by_tag.get(tag)
        if owner is None:
            # Several apps may share a broker and a file: a pattern may match a task of another app.
            name = tag.removeprefix(OWN)
            owner = Owner(name, own=False) if name == tag else self._own(name) or Owner(name, own=True)
            self._by_tag[tag] = owner
        return owner

    def sums(self, piles: Iterable[Pile]) -> list[Sum]:
        """Add up what is parked for each limit, the most first."""
        sums: dict[Owner, Sum] = {}
        for pile in piles:
            owner = self.of(pile.bucket)
            sums.setdefault(owner, Sum(owner)).add(pile)
        return sorted(sums.values(), key=lambda each: (-each.parked, each.owner.label))

    def named(self, word: str, piles: Iterable[Pile]) -> Owner:
        """Return the limit of this name, or the own limit of the task of this name.

        It is in the file, or something is parked for it. Raises LookupError with fact and remedy when it is neither.
        """
        known = {owner.name: owner for owner in (self.of(pile.bucket) for pile in piles)}
        limit = self._rules.named.get(word)
        if limit is not None:
            return Owner(word, own=False, limit=limit)
        owner = known.get(word) or (self._own(word) if word in self._tasks else None)
        if owner is not None:
            return owner
        rule = self._rules.for_task(word) if word in self._tasks else None
        if rule is not None and rule.limits:
            names = listed(limit.name for limit in rule.limits)
            raise LookupError(f"the task {quote(word)} has no limit of its own; name one that it shares: {names}")
        if word in self._tasks:
            raise LookupError(f"the task {quote(word)} has no limit")
        near = {*self._rules.named, *known, *(name for name in self._tasks if self._own(name))}
        hint = suggest(word, sorted(near)) or "name a limit, or a task that has a limit of its own"
        raise LookupError(f"there is no limit {quote(word)}; {hint}")

    def _own(self, task: str) -> Owner | None:
        rule = self._rules.for_task(task)
        return next((Owner(task, own=True, limit=limit) for limit in rule.limits if limit.own), None) if rule else None
