"""Shows what a command has changed: what was in force before, what is now, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.cli.output import say
from limitkit.cli.table_width import as_wide_as_the_terminal
from limitkit.control.current import current
from limitkit.control.status.rate_text import rated, reported, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from limitkit.buckets.override import Override, Target
    from limitkit.control.manager import RateLimitManager

_HEADINGS = ("limit", "before", "now", "until")
_GONE = "not in the file any more"


@dataclass(frozen=True, slots=True)
class Held:
    """What is in force for one limit, or for one limit in one worker."""

    what: str
    entry: str
    """Where the file declares it."""
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in force at one moment, in the order of the file."""

    limits: Mapping[str, Held]
    now: float = 0.0
    """The store's time, in seconds since 1970."""


def look(manager: RateLimitManager, workers: Sequence[str] = ()) -> Seen:
    """Read what is in force now: from the store, or from these workers, or from all workers where there is no store."""
    if manager.override_store is None or workers:
        return _in_workers(manager, workers)
    in_force = manager.in_force()
    limits = {}
    for each in current(manager.config.rules, in_force):
        name = str(each.target)
        rule = manager.config.rules.for_task(each.target.name) if each.limit.own else None
        entry = f"tasks.{rule.pattern}" if rule is not None else name
        limits[name] = Held(rated(each.rate, each.burst), entry, each.override)
    for over in in_force.overrides:
        name = str(over.target)
        limits.setdefault(name, Held(over.rate.text if over.rate else "paused", name, over))
    return Seen(limits, in_force.now)


def show(before: Seen, now: Seen, *targets: Target) -> bool:
    """Show these limits, or all that have changed if none is named; returns whether there were any."""
    names = {str(target) for target in targets}
    rows = []
    for label in {**before.limits, **now.limits}:
        was, held = _of(before, label, now), _of(now, label, before)
        changed = (was.what, was.override) != (held.what, held.override)
        if names & {label, held.entry} if names else changed:
            rows.append((label, was.what, held.what, until(held.override, now.now) if held.override else ""))
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
    """Return what was in force for a limit; for a task without its own line, what was in force for its pattern."""
    if label in seen.limits:
        return seen.limits[label]
    entry = other.limits[label].entry
    return seen.limits.get(entry, Held(_GONE, entry))


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
