"""Finds limits that have another name in the new file, and who uses which limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from limitkit.config.wording import dotted
from limitkit.trial.plan.limit_fields import deltas

if TYPE_CHECKING:
    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules


Users: TypeAlias = "dict[str, dict[str, None]]"
"""By the name of a limit: the entries and queues that name it, in the order of the file, as a dict without values."""


def users(rules: Rules) -> Users:
    """Find who uses which limit."""
    entries = [(each.line, ("tasks", each.pattern), each.limits) for each in (*rules.exact.values(), *rules.patterns)]
    entries += [
        (each.line, ("queues", each.pattern), each.limits) for each in (*rules.queues.values(), *rules.queue_patterns)
    ]
    found: Users = {}
    for _, path, limits in sorted(entries, key=lambda entry: entry[0]):
        for limit in limits:
            if not limit.own:
                found.setdefault(limit.name, {})[dotted(path)] = None
    return found


def renamed_limits(old: Rules, new: Rules) -> dict[str, str]:
    """Return the names that limits have now, by those that they had.

    One that is gone and one that is new are the same limit if they have the same terms and users; else if they have the
    same terms; else if the same users name them, and they are of the same kind.
    """
    gone = [limit for name, limit in old.named.items() if name not in new.named]
    come = [limit for name, limit in new.named.items() if name not in old.named]
    before, after = users(old), users(new)

    def same_users(was: Limit, now: Limit) -> bool:
        return before.get(was.name) == after.get(now.name)

    def same_kind(was: Limit, now: Limit) -> bool:
        return was.name in before and same_users(was, now) and (was.strategy, was.key) == (now.strategy, now.key)

    found: dict[str, str] = {}
    for alike in (lambda was, now: _same(was, now) and same_users(was, now), _same, same_kind):
        for was in gone:
            left = [now for now in come if now.name not in found.values()]
            now = next((each for each in left if was.name not in found and alike(was, each)), None)
            if now is not None:
                found[was.name] = now.name
    return found


def _same(one: Limit, other: Limit) -> bool:
    """Whether nothing but the name is another; what is quick to compare comes first."""
    return _quick(one) == _quick(other) and not deltas(one, other)


def _quick(limit: Limit) -> tuple[object, ...]:
    return limit.strategy, limit.burst, limit.max_running, limit.rate and limit.rate.per_second
