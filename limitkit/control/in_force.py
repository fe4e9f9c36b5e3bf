"""What is in force for each limit now: the file's terms, unless an operator has set others, or a pause.

The strongest first: a pause of the partition, a pause of the limit; what was set for the partition, for the limit; the
file's terms of the partition; the limit's schedule; the limit's own terms. Where workers use several files, the
strictest of their terms hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Target
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.clock import SYSTEM, epoch
from limitkit.config.declared import ShareTerms
from limitkit.control.declarations import Numbers, declared_of, numbers_of, strictest, with_terms
from limitkit.control.schedules import holding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.buckets.override import Kind, Override
    from limitkit.buckets.partition import Partition
    from limitkit.clock import Clock
    from limitkit.config.declared import Limit, Scheduled
    from limitkit.control.declarations import Declared
    from limitkit.control.schedules import Holding

Source = Literal["file", "override", "pause", "stricter file", "schedule", "partition"]
"""Where terms come from; ``stricter file``: workers with another file have a lower rate, as in a rolling deploy.
``schedule``, ``partition``: these entries of the file."""

_LONGEST_LOOK: Final = 3600.0
"""Seconds until a paused limit is asked again at the latest; the end of a pause is seen within a second."""
_SHORTEST_LOOK: Final = 0.05
"""Seconds until it is asked again at the earliest: a pause is over for a moment before the worker sees that."""
_MOST_CACHED: Final = 4096


@dataclass(frozen=True, slots=True)
class Terms:
    """What a limit, or one partition of it, admits as it is in force, and why."""

    interval_us: int
    """Microseconds between two starts in the long run; for a paused limit, until it is asked again."""
    burst: int
    """The burst, the number of a window, or ``max_running``; 0 while the limit is paused."""
    source: Source = "file"
    period_us: int = 0
    """The time of a window."""
    until: float | None = field(default=None, compare=False)
    """When these terms end (seconds since 1970, the store's clock); None when no end is known."""


class _Found(NamedTuple):
    """What a file says."""

    numbers: Numbers
    source: Source
    until: float | None


class InForce:
    """The overrides and the other files' declarations that this process knows, and what schedules say now."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.overrides: tuple[Override, ...] = ()
        self._by: dict[tuple[Kind, Target], Override] = {}
        self._parts: dict[Target, tuple[Override, ...]] = {}
        self._weights: dict[Target, dict[str, float]] = {}
        self._here: dict[str, Override] = {}
        self._others: dict[Target, list[Declared]] = {}
        self._others_apart: set[Target] = set()
        self._declared: dict[int, tuple[Limit, Declared]] = {}
        self._holding: dict[int, tuple[tuple[Scheduled, ...], float, Holding]] = {}
        self._has_turned = False
        self._offset = -epoch(clock)
        """The difference of this host's clock and the store's, once that is known."""

    @property
    def now(self) -> float:
        """The store's time, in seconds since 1970; this host's time until the store's is known."""
        return self._clock.monotonic() + self._offset

    # -- what changes it ------------------------------------------------------------------------------------------

    def use(self, overrides: Iterable[Override], now: float) -> bool:
        """Use these overrides; ``now`` is the store's time. Returns whether anything has changed."""
        self.clock(now)
        posted = _not_ended(overrides, now)
        here = {each.name: each for each in _not_ended(self._here.values(), now)}
        changed = (posted, here) != (self.overrides, self._here)
        if changed or not self._by:
            self.overrides, self._here = posted, here
            self._index((*posted, *here.values()))
        return self.turned() or changed

    def _index(self, overrides: Iterable[Override]) -> None:
        by: dict[tuple[Kind, Target], Override] = {}
        parts: dict[Target, dict[str, Override]] = {}
        weights: dict[Target, dict[str, float]] = {}
        for each in overrides:
            target = each.target
            for digest in target.digests:
                if each.kind == "weight" and each.weight is not None:
                    weights.setdefault(target.whole, {})[digest] = each.weight
                else:
                    by[each.kind, replace(target, partition=digest)] = each
            if not target.partition:
                by[each.kind, target] = each
            elif each.kind != "weight":
                parts.setdefault(target.whole, {})[target.partition] = each
        self._by, self._weights = by, weights
        self._parts = {target: tuple(those.values()) for target, those in parts.items()}

    def here(self, override: Override, seconds: float | None) -> None:
        """Use an override in this worker only; it wins over those in the store."""
        now = self.now
        self._here[override.name] = replace(override, until=None if seconds is None else now + seconds)
        self._index((*self.overrides, *self._here.values()))
        self.use(self.overrides, now)

    def forget(self, names: Iterable[str]) -> bool:
        """Drop overrides of this worker only, by name; returns whether there were any."""
        gone = [self._here.pop(name) for name in names if name in self._here]
        self._index((*self.overrides, *self._here.values()))
        self.use(self.overrides, self.now)
        return bool(gone)

    def clock(self, now: float) -> None:
        """Note the store's time."""
        self._offset = now - self._clock.monotonic()

    def end(self) -> bool:
        """Drop the overrides that have ended; returns whether there were any, or a schedule has turned."""
        return self.use(self.overrides, self.now)

    def turned(self) -> bool:
        """Return whether a schedule that was asked for says something else now."""
        now = self.now
        gone = [key for key, (_, since, held) in list(self._holding.items()) if not since <= now < held.until]
        for key in gone:
            self._holding.pop(key, None)
        turned, self._has_turned = bool(gone) or self._has_turned, False
        return turned

    def turns_in(self) -> float:
        """Return the seconds until a schedule that was asked for says something else; infinite when none does."""
        ends = [held.until for _, _, held in list(self._holding.values()) if held.is_end]
        return min(ends) - self.now if ends else math.inf

    def others(self, files: Iterable[Mapping[Target, Declared]]) -> bool:
        """Use these declarations of other files, too. Returns whether anything has changed."""
        others: dict[Target, list[Declared]] = {}
        for file in files:
            for target, declared in file.items():
                others.setdefault(target, []).append(declared)
        changed = others != self._others
        self._others = others
        self._others_apart = {target for target, those in others.items() if any(each.partitions for each in those)}
        return changed

    # -- what holds -----------------------------------------------------------------------------------------------

    def override(
        self, kind: Kind, limit: Limit, pattern: str, partition: Partition | str | None = None
    ) -> Override | None:
        """Return the override of a limit: its own, else that of the pattern by which a task has it.

        With a partition (or its digest), that of the partition wins.
        """
        targets = _targets(limit, pattern)
        if partition is not None and any(target in self._parts for target in targets):
            digest = _digest(partition)
            for target in targets:
                found = self._by.get((kind, Target(target.section, target.name, digest)))
                if found is not None and _fits(found, limit):
                    return found
        for target in targets:
            found = self._by.get((kind, target))
            if found is not None and _fits(found, limit):
                return found
        return None

    def apart(self, limit: Limit, pattern: str) -> bool:
        """Whether any partition of a limit may have terms of its own."""
        if limit.partitions:
            return True
        targets = _targets(limit, pattern)
        return targets[-1] in self._others_apart or any(target in self._parts for target in targets)

    def partitions_apart(self, limit: Limit, pattern: str) -> dict[str, str]:
        """Return the partitions of a limit that have terms of their own: by digest, in clear as far as it is known."""
        if not self.apart(limit, pattern):
            return {}
        targets = _targets(limit, pattern)
        posted = [each.target for target in targets for each in self._parts.get(target, ())]
        found = {digest: "" for each in self._others.get(targets[-1], ()) for digest in each.partitions}
        found |= {digest: target.shown for target in posted for digest in target.digests}
        return found | dict(zip(self._declared_of(limit).partitions, limit.partitions, strict=True))

    def weights(self, limit: Limit, pattern: str) -> dict[str, float]:
        """Return the weights of values of ``fair_by``, by the values' digests: as declared, or as set over that."""
        parts = len(limit.fair_by.parts) if limit.fair_by is not None else 1
        found = {named(name, parts).digest: weight for name, weight in limit.weights.items()}
        for target in reversed(_targets(limit, pattern)):
            found |= self._weights.get(target, {})
        return found

    def terms(self, limit: Limit, pattern: str, partition: Partition | str | None = None) -> Terms:
        """Return what is in force for a limit that a task has by this entry, or for one partition (or its digest)."""
        if partition is not None:
            partition = _digest(partition) if self.apart(limit, pattern) else None
        pause = self.override("pause", limit, pattern, partition)
        if pause is not None:
            left = _LONGEST_LOOK if pause.until is None else pause.until - self.now
            interval = round(min(max(left, _SHORTEST_LOOK), _LONGEST_LOOK) * MICROSECONDS)
            return Terms(interval, 0, "pause", numbers_of(limit).period_us, pause.until)
        return self.without_pause(limit, pattern, partition)

    def without_pause(self, limit: Limit, pattern: str, partition: str | None = None) -> Terms:
        """Return what is in force as soon as it is not paused; a partition is given by its digest."""
        rate = self.override("rate", limit, pattern, partition)
        if rate is None:
            return self._of_files(limit, pattern, partition)
        own = numbers_of(limit)
        if partition is not None and rate.target.partition:  # its own burst stays, too
            share = self._declared_of(limit).partitions.get(partition)
            own = with_terms(limit.strategy, own, share) if share is not None else own
        set_ = with_terms(limit.strategy, own, ShareTerms(rate.rate, rate.burst, rate.max_running))
        return Terms(set_.interval_us, set_.most, "override", set_.period_us, rate.until)

    def _of_files(self, limit: Limit, pattern: str, partition: str | None) -> Terms:
        """Return what the files say, this one and those of other workers."""
        others = self._others.get(_targets(limit, pattern)[-1], ()) if self._others else ()
        if not others and not limit.schedule and partition is None:
            own = numbers_of(limit)
            return Terms(own.interval_us, own.most, "file", own.period_us)
        mine = self._declared_of(limit)
        numbers, source, until = self._of_file(mine, limit.strategy, partition)
        theirs = [self._of_file(each, limit.strategy, partition)[0] for each in others if each.kind == mine.kind]
        strict = strictest(limit.strategy, [numbers, *theirs]) if theirs else numbers
        if strict != numbers:
            numbers, source, until = strict, "stricter file", None
        return Terms(numbers.interval_us, numbers.most, source, numbers.period_us, until)

    def _of_file(self, declared: Declared, strategy: str, partition: str | None) -> _Found:
        share = declared.partitions.get(partition) if partition is not None else None
        if share is not None:
            return _Found(with_terms(strategy, declared.own, share), "partition", None)
        held = self._held(declared.schedule) if declared.schedule else None
        if held is None or held.entry is None:
            return _Found(declared.own, "file", None)
        until = held.until if held.is_end else None
        return _Found(with_terms(strategy, declared.own, held.entry.terms), "schedule", until)

    def _held(self, schedule: tuple[Scheduled, ...]) -> Holding:
        """Return what a schedule says now; it is reckoned again when that ends, or when the clock went back."""
        now = self.now
        kept = self._holding.get(id(schedule))
        if kept is not None and kept[1] <= now < kept[2].until:
            return kept[2]
        self._has_turned = self._has_turned or kept is not None  # who asks first must not keep it from the others
        held = holding(schedule, now)
        self._holding[id(schedule)] = schedule, now, held
        return held

    def _declared_of(self, limit: Limit) -> Declared:
        kept = self._declared.get(id(limit))
        if kept is None:
            if len(self._declared) >= _MOST_CACHED:
                self._declared.clear()
            kept = self._declared[id(limit)] = limit, declared_of(limit)
        return kept[1]


def _targets(limit: Limit, pattern: str) -> tuple[Target, ...]:
    """Return where overrides of a limit may be: its own, then that of the pattern by which a task has it."""
    if not limit.own:
        return (Target("limits", limit.name),)
    return Target("tasks", limit.name), Target("tasks", pattern)


def _digest(partition: Partition | str) -> str:
    return partition if isinstance(partition, str) else partition.digest


def _fits(override: Override, limit: Limit) -> bool:
    """Whether an override is for this kind of limit: the file may have changed since it was set."""
    return override.kind == "pause" or (override.rate is None) == (limit.strategy == "concurrency")


def _not_ended(overrides: Iterable[Override], now: float) -> tuple[Override, ...]:
    return tuple(each for each in overrides if each.until is None or each.until > now)
