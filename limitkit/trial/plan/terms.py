"""What is in force where a schedule or a partition has terms of its own: compared as numbers, what they inherit too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.trial.plan.highest_terms import applied
from limitkit.trial.plan.weeks import held, held_together
from limitkit.trial.plan.worst_windows import letting, worst_words

if TYPE_CHECKING:
    from limitkit.config.declared import Limit, ShareTerms
    from limitkit.trial.plan.changes import Effect

FIELDS: Final = ("rate", "burst", "max_running")


class Difference(NamedTuple):
    """What other terms are in force, and what that does."""

    said: str
    """``5/s instead of 10/s``."""
    effect: Effect
    worst: str
    """By how much the worst window changes, in words; empty if it doesn't."""


def difference(before: Limit, after: Limit, old: ShareTerms | None, new: ShareTerms | None) -> Difference | None:
    """Compare what is in force by these terms, or by the limit's own where they are None.

    None where the same is in force, or another value only since the limit's own, which both inherit, is another.
    """
    was, now = in_force(before, old), in_force(after, new)
    if before.strategy != after.strategy:
        if old is new is None or was.text == now.text:
            return None
        return Difference(f"{now.text} instead of {was.text}", _effect(was, now), "")
    changed = [
        field
        for field in FIELDS
        if _value(was, field) != _value(now, field) and not (inherits(old, field) and inherits(new, field))
    ]
    if not changed:
        return None
    said = f"{_words(now, changed)} instead of {_words(was, changed)}"
    return Difference(said, _effect(was, now), worst_words(was, now))


def own_counts(before: Limit, after: Limit, field: str) -> bool:
    """Whether the limit's own value is in force both before and after: at any time, or for any partition."""
    if not before.schedule and not after.schedule:
        return True
    pairs = held_together(before.schedule, after.schedule)
    for name in dict.fromkeys([*before.partitions, *after.partitions]):
        pairs += partition_pairs(before, after, name)
    return any(inherits(old, field) and inherits(new, field) for old, new in pairs)


def partition_pairs(before: Limit, after: Limit, name: str) -> list[tuple[ShareTerms | None, ...]]:
    """Return which terms a partition has at any time before and after: its own at all times, else the limit's."""
    old, new = before.partitions.get(name), after.partitions.get(name)
    if old is not None and new is not None:
        return [(old, new)]
    if old is None and new is None:
        return held_together(before.schedule, after.schedule)
    return (
        [(old, each) for each in held(after.schedule)]
        if new is None
        else [(each, new) for each in held(before.schedule)]
    )


def in_force(limit: Limit, terms: ShareTerms | None) -> Limit:
    """Return a limit as it is with these terms."""
    return limit if terms is None else applied(limit, terms)


def inherits(terms: ShareTerms | None, field: str) -> bool:
    """Whether the limit's own value holds."""
    return terms is None or getattr(terms, field) is None


def _value(limit: Limit, field: str) -> object:
    """Return what counts of a value, however it is written."""
    if field == "rate" and limit.rate is not None:
        return limit.rate.per_second, limit.rate.period if limit.strategy == "window" else None
    if field == "burst":
        return limit.burst if limit.strategy not in {"window", "concurrency"} else None
    return limit.max_running if field == "max_running" else None


def _words(limit: Limit, fields: list[str]) -> str:
    said = [limit.rate.text] if "rate" in fields and limit.rate is not None else []
    said += [f"burst {limit.burst}"] if "burst" in fields else []
    said += [f"{limit.max_running} at once"] if "max_running" in fields else []
    return f"{', '.join(said)}{' in a window' if limit.strategy == 'window' else ''}"


def _effect(was: Limit, now: Limit) -> Effect:
    """Say whether these terms let more or less through, all else being as it is now."""
    if (was.rate is None) != (now.rate is None):
        return "other"  # it is told of the strategy
    return letting(
        replace(now, strategy=was.strategy, rate=was.rate, burst=was.burst, max_running=was.max_running), now
    )
