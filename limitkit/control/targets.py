"""Finds the limit that a name means: the name of a limit, a task, or a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.buckets.named_partition import named
from limitkit.buckets.override import OverrideError, Target
from limitkit.buckets.partition import bucket_key
from limitkit.config.wording import listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules


def find(rules: Rules, name: str, tasks: Collection[str] = ()) -> tuple[Target, Limit]:
    """Return the limit of a name: a named limit, a task's own, a pattern's, or the only one that a task has.

    ``tasks`` are the app's tasks; some of them may have a limit by a pattern. Raises OverrideError, with fact and
    remedy, when the name means no limit, or more than one.
    """
    if name in rules.named:
        return Target("limits", name), rules.named[name]
    entry = rules.exact.get(name) or next((each for each in rules.patterns if each.pattern == name), None)
    rule = entry.rule(name) if entry is not None else rules.for_task(name)
    if rule is None and name in tasks:
        raise OverrideError(_no_limit(rules, name))
    if rule is None or (entry is None and tasks and name not in tasks):
        known = [*rules.named, *rules.exact, *(each.pattern for each in rules.patterns), *tasks]
        raise OverrideError(
            f"there is no limit or task {quote(name)} in {rules.path}; "
            f"{suggest(name, known) or 'name a limit, or a task that has one'}"
        )
    if not rule.limits:
        raise OverrideError(_no_limit(rules, name))
    if len(rule.limits) > 1:
        names = listed((limit.name for limit in rule.limits), "and")
        raise OverrideError(f"the task {quote(name)} has several limits, {names}; name the one that is meant")
    (limit,) = rule.limits
    return target_of(limit, name), limit


def _no_limit(rules: Rules, task: str) -> str:
    return f"the task {quote(task)} has no limit in {rules.path}; declare one first"


def target_of(limit: Limit, entry: str) -> Target:
    """Return the target of an override for a limit; ``entry`` is the task or the pattern that has the limit."""
    return Target("tasks", entry) if limit.own else Target("limits", limit.name)


def keys_of(prefix: str, limit: Limit, target: Target) -> list[str]:
    """Return the key of a limit's bucket; of a partition, those that it may have: in clear, or by its digest."""
    whole = bucket_key(prefix, limit, None)
    if not target.partition:
        return [whole]
    parts = len(limit.key.parts) if limit.key is not None else 1
    in_form = bucket_key(prefix, limit, named(target.shown or target.partition, parts))
    return list(dict.fromkeys((in_form, f"{whole}:{target.partition}")))


def all_of(rules: Rules, *, off: bool = False) -> Iterator[tuple[Target, Limit]]:
    """Go through all limits in force: the named ones, then those of tasks and patterns.

    With ``off``, limits that are off are included.
    """
    for name, limit in rules.named.items():
        if off or limit.mode != "off":
            yield Target("limits", name), limit
    for entry in (*rules.exact.values(), *rules.patterns):
        for limit in entry.limits:
            if limit.own and (off or limit.mode != "off"):
                yield Target("tasks", entry.pattern), limit
