"""Shows what a command has changed: what was in force before, what is now, and until when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from limitkit.cli.output import say
from limitkit.cli.table_width import as_wide_as_the_terminal
from limitkit.control.current import current, current_of
from limitkit.control.status.rate_text import reported, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from limitkit.buckets.override import Override, Target
    from limitkit.control.current import Current
    from limitkit.control.in_force import InForce
    from limitkit.control.manager import RateLimitManager

_HEADINGS = ("limit", "before", "now", "until")
_GONE = "not in the file any more"
_DECLARED = "as declared"
_TURNS = " in turns"
"""What tells a value of ``fair_by`` from a partition that has the same name."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is in force for one limit or partition, or for one limit in one worker."""

    what: str
    entry: str
    """Where the file declares it."""
    override: Override | None = None
    current: Current | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in force at one moment, in the order of the file."""

    limits: Mapping[str, Held]
    in_force: InForce | None = None
    """None where workers were asked."""

    @property
    def now(self) -> float:
        """The store's time, in seconds since 1970."""
        return self.in_force.now if self.in_force is not None else 0.0


def look(manager: RateLimitManager, workers: Sequence[str] = ()) -> Seen:
    """Read what is in force now: from the store, or from these workers, or from all workers where there is no store."""
    if manager.override_store is None or workers:
        return _in_workers(manager, workers)
    in_force = manager.in_force()
    limits = {}
    for each in current(manager.config.rules, in_force):
        name = entry = str(each.target)
        rule = manager.config.rules.for_task(each.target.name) if each.limit.own else None
        if rule is not None and not each.target.partition:
            entry = f"tasks.{rule.pattern}"
        limits[name] = Held(each.text, entry, each.override, each)
    for over in in_force.overrides:
        name = str(over.target) if over.kind != "weight" else f"{over.target}{_TURNS}"
        limits.setdefault(name, Held(over.terms, name, over))
    return Seen(limits, in_force)


def show(before: Seen, now: Seen, *targets: Target) -> bool:
    """Show these limits, or all that have changed if none is named; returns whether there were any.

    Partitions that are named here are shown as they were named, also where the store does not know them in clear.
    """
    names = {str(each) for target in targets for each in (target, replace(target, shown=""))}
    said = {f"{replace(each, shown='')}{turns}": f"{each}{turns}" for each in targets for turns in ("", _TURNS)}
    rows = []
    for label in {**before.limits, **now.limits}:
        was, held = _of(before, label, now), _of(now, label, before)
        changed = (was.what, was.override) != (held.what, held.override)
        if names & {label, label.removesuffix(_TURNS), held.entry} if names else changed:
            ends = until(held.override, now.now) if held.override else ""
            rows.append((said.get(label, label), was.what, held.what, ends))
    if rows:
        columns = 4 if any(row[3] for row in rows) else 3
        cells = [row[:columns] for row in rows]
        say(*as_wide_as_the_terminal(_HEADINGS[:columns], cells, first=("limit", "now", "until", "before")))
    return bool(rows)


def how_soon(manager: RateLimitManager, workers: Sequence[str] = ()) -> str:
    """Say when workers apply the change."""
    if manager.override_store is None or workers:
        return "These workers use it now, until they stop."
    return "Workers follow within a second, those that start later too."


def _of(seen: Seen, label: str, other: Seen) -> Held:
    """Return what was in force for a limit; for a task without its own line, what was in force for its pattern.

    A partition without a line had what its limit has for it, a value of ``fair_by`` the weight of the file.
    """
    if label in seen.limits:
        return seen.limits[label]
    held = other.limits[label]
    over, one = held.override, held.current
    if over is not None and over.kind == "weight":
        return Held(_DECLARED, held.entry)
    if one is not None and one.target.partition and seen.in_force is not None:
        of = current_of(seen.in_force, one.target, one.limit, one.target.name, one.target.partition)
        return Held(of.text, held.entry, of.override, of)
    return seen.limits.get(held.entry, Held(_GONE, held.entry))


def _in_workers(manager: RateLimitManager, workers: Sequence[str]) -> Seen:
    from limitkit.control.workers import ask  # noqa: PLC0415 (imports kombu)

    answers: Mapping[str, dict[str, Any]] = {}
    if manager.app is not None:
        answers = ask(manager.app, "limitkit_status", to=workers)
    limits = {}
    for worker, answer in sorted(answers.items()):
        for each in answer.get("limits", {}).values():
            section = each["limit"].partition(".")[0]
            entry = f"{section}.{each['pattern']}" if section == "tasks" else each["limit"]
            limits[f"{each['limit']} in {worker}"] = Held(reported(each), entry)
    return Seen(limits)
