"""What is in force for each limit now: the declared rate, unless an operator has set another one, or a pause."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from limitkit.buckets.override import Target
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.model.units import interval_text
from limitkit.control.targets import all_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.buckets.override import Kind, Override
    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules

Source = Literal["file", "override", "pause", "stricter file"]
"""Where a rate comes from; ``stricter file``: workers with another file have a lower one, as in a rolling deploy."""

_LONGEST_LOOK: Final = 3600.0
"""Seconds until a paused limit is asked again at the latest; the end of a pause is seen within a second."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A limit's rate and burst as they are in force, and why."""

    interval_us: int
    """Microseconds between two tokens; for a paused limit, until it is asked again."""
    burst: int
    """0 while the limit is paused."""
    source: Source = "file"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file declares for a shared limit, as far as workers with other files need it."""

    interval_us: int
    burst: int
    kind: str
    """Strategy and key: limits that differ in these can't be compared."""


class InForce:
    """The overrides and the other files' declarations that this process knows."""

    def __init__(self) -> None:
        self.overrides: tuple[Override, ...] = ()
        self._by: dict[tuple[Kind, Target], Override] = {}
        self._here: dict[str, Override] = {}
        self._others: dict[Target, list[Declared]] = {}
        self._offset = time.time() - time.monotonic()
        """The difference of this host's clock and the store's, once that is known."""

    @property
    def now(self) -> float:
        """The store's time, in seconds since 1970; this host's time until the store's is known."""
        return time.monotonic() + self._offset

    def use(self, overrides: Iterable[Override], now: float) -> bool:
        """Use these overrides; ``now`` is the store's time. Returns whether anything has changed."""
        self.clock(now)
        posted = _not_ended(overrides, now)
        here = {each.name: each for each in _not_ended(self._here.values(), now)}
        changed = (posted, here) != (self.overrides, self._here)
        self.overrides, self._here = posted, here
        self._by = {(each.kind, each.target): each for each in (*posted, *here.values())}
        return changed

    def here(self, override: Override, seconds: float | None) -> None:
        """Use an override in this worker only; it wins over those in the store."""
        now = self.now
        self._here[override.name] = replace(override, until=None if seconds is None else now + seconds)
        self.use(self.overrides, now)

    def forget(self, names: Iterable[str]) -> bool:
        """Drop overrides of this worker only, by name; returns whether there were any."""
        gone = [self._here.pop(name) for name in names if name in self._here]
        self.use(self.overrides, self.now)
        return bool(gone)

    def clock(self, now: float) -> None:
        """Note the store's time."""
        self._offset = now - time.monotonic()

    def end(self) -> bool:
        """Drop the overrides that have ended; returns whether there were any."""
        return self.use(self.overrides, self.now)

    def others(self, files: Iterable[Mapping[Target, Declared]]) -> bool:
        """Use these declarations of other files, too. Returns whether anything has changed."""
        others: dict[Target, list[Declared]] = {}
        for file in files:
            for target, declared in file.items():
                others.setdefault(target, []).append(declared)
        changed = others != self._others
        self._others = others
        return changed

    def override(self, kind: Kind, limit: Limit, pattern: str) -> Override | None:
        """Return the override of a limit: its own, else that of the pattern by which a task has it."""
        if not limit.own:
            return self._by.get((kind, Target("limits", limit.name)))
        own = self._by.get((kind, Target("tasks", limit.name)))
        return own or self._by.get((kind, Target("tasks", pattern)))

    def terms(self, limit: Limit, pattern: str) -> Terms:
        """Return what is in force for a limit that a task has by this entry."""
        pause = self.override("pause", limit, pattern)
        if pause is not None:
            left = _LONGEST_LOOK if pause.until is None else pause.until - self.now
            return Terms(max(1, round(min(left, _LONGEST_LOOK) * MICROSECONDS)), 0, "pause")
        rate = self.override("rate", limit, pattern)
        if rate is not None and rate.rate is not None:
            return Terms(rate.rate.interval_us, rate.burst or limit.burst, "override")
        mine = declared_of(limit)
        target = Target("tasks", pattern) if limit.own else Target("limits", limit.name)
        declared = [mine, *(each for each in self._others.get(target, ()) if each.kind == mine.kind)]
        interval, burst = max(each.interval_us for each in declared), min(each.burst for each in declared)
        same = (interval, burst) == (mine.interval_us, mine.burst)
        return Terms(interval, burst, "file" if same else "stricter file")


def _not_ended(overrides: Iterable[Override], now: float) -> tuple[Override, ...]:
    return tuple(each for each in overrides if each.until is None or each.until > now)


def declared_of(limit: Limit) -> Declared:
    """Return what a limit's file declares for it."""
    return Declared(limit.interval_us, limit.most, f"{limit.strategy} {limit.key or ''}")


def declarations(rules: Rules) -> dict[Target, Declared]:
    """Return what a file declares for each shared limit that is in force."""
    found = {Target("limits", name): limit for name, limit in rules.named.items()}
    for entry in (*rules.exact.values(), *rules.patterns):
        found |= {Target("tasks", entry.pattern): limit for limit in entry.limits if limit.own}
    return {
        target: declared_of(limit)
        for target, limit in found.items()
        if limit.mode == "enforce" and limit.strategy != "static"
    }


def declarations_text(declared: Mapping[Target, Declared]) -> str:
    """Write declarations as text, for other workers."""
    return json.dumps(
        [[each.section, each.name, of.interval_us, of.burst, of.kind] for each, of in declared.items()],
        separators=(",", ":"),
    )


def read_declarations(text: str) -> dict[Target, Declared]:
    """Read declarations that another worker wrote; none if its version of limitkit writes them in another form."""
    try:
        rows = json.loads(text or "[]")
        return {Target(row[0], row[1]): Declared(int(row[2]), int(row[3]), str(row[4])) for row in rows}
    except (ValueError, TypeError, IndexError, KeyError):
        return {}


@dataclass(frozen=True, slots=True)
class Current:
    """What is in force for one limit, and what its file declares."""

    target: Target
    limit: Limit
    rate: str
    """As in TOML, or ``paused``."""
    burst: int
    source: Source
    override: Override | None
    """The rate, or the pause, that replaces the declared rate."""


def current(rules: Rules, in_force: InForce) -> tuple[Current, ...]:
    """Return what is in force for each limit of a file, and for tasks of a pattern with an override of their own."""
    found = [current_of(in_force, target, limit, target.name) for target, limit in all_of(rules)]
    apart = {override.target for override in in_force.overrides} - {each.target for each in found}
    for target in sorted(apart, key=str):
        rule = rules.for_task(target.name) if target.section == "tasks" and "*" not in target.name else None
        if rule is not None:
            own = [limit for limit in rule.limits if limit.own and limit.mode != "off"]
            found += [current_of(in_force, target, limit, rule.pattern) for limit in own]
    return tuple(found)


def current_of(in_force: InForce, target: Target, limit: Limit, pattern: str) -> Current:
    """Return what is in force for a limit that a task has by this entry."""
    terms = in_force.terms(limit, pattern)
    over = in_force.override("pause", limit, pattern) or in_force.override("rate", limit, pattern)
    rate = "paused" if not terms.burst else limit.rate_text
    if terms.burst and terms.source != "file":
        rate = over.rate.text if over is not None and over.rate else interval_text(terms.interval_us)
    return Current(target, limit, rate, terms.burst, terms.source, over)
