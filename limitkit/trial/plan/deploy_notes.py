"""What is to be known when a changed file is deployed: what holds while workers use both, and what begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.buckets.override import Target
from limitkit.config.model.env_values import names_variable
from limitkit.config.wording import listed
from limitkit.control.declarations import declarations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.config.rules import Rules
    from limitkit.trial.plan.changes import Change

_NAMED: Final = 5
"""Limits that are named in a note."""
_NUMERIC: Final = ("rate", "burst", "max_running", "lease", "cost")


def notes(old: Config, new: Config, changes: Sequence[Change]) -> Iterator[str]:
    """Say what is to be known; nothing where nothing changes."""
    if not changes:
        return
    yield from _both_files(old.rules, new.rules)
    begin = [each.subject for each in changes if each.new_buckets]
    if begin:
        yield (
            f"New buckets begin full ({', '.join(dict.fromkeys(begin))}): what was used up does not count there. While "
            "workers with both files run, those with the old file use the old buckets, so that for a time both let "
            "tasks through."
        )
    yield from _gone(old.rules, new.rules)
    if any(each.kind in {"limit", "task"} and each.action == "change" for each in changes):
        yield "What limitkit set, reduce or pause has set wins over the file until it ends: limitkit drift shows it."
    if any(each.kind == "metrics" or (each.kind == "store" and each.field != "on_error") for each in changes):
        yield "[store] and [metrics] are read when a worker starts: restart the workers."
    needs, needed = (any(_is_shared(each) for each in _all(config.rules)) for config in (new, old))
    if needs and not needed:
        yield "The new file needs a store, and the old one did not: without one, workers do not start."
    yield from _variables(old, new)


def _both_files(old: Rules, new: Rules) -> Iterator[str]:
    """Say what holds as long as workers with both files run; it is what workers tell each other by the store."""
    before, after = declarations(old), declarations(new)
    both = [target for target in after if target in before and before[target].kind == after[target].kind]
    if any(_numbers(before[target]) != _numbers(after[target]) for target in both):
        yield (
            "While workers with both files run, as in a rolling deploy, the stricter rate and the smaller burst (or "
            "number) of each shared limit hold for all of them. So what is stricter holds with the first worker that "
            "has the new file, and what is faster with the last one."
        )


def _numbers(declared: object) -> tuple[object, ...]:
    return tuple(getattr(declared, name) for name in ("own", "schedule", "partitions"))


def _gone(old: Rules, new: Rules) -> Iterator[str]:
    """Say what happens to what is parked for limits whose names the new file does not have."""
    gone = [str(Target("limits", name)) for name, limit in old.named.items() if name not in new.named and _on(limit)]
    gone += [
        str(Target("tasks", entry.pattern))
        for entry in (*old.exact.values(), *old.patterns)
        if any(limit.own and _on(limit) for limit in entry.limits) and not _has_own(new, entry.pattern)
    ]
    if gone:
        some = f"{', '.join(gone[:_NAMED])}{' …' if len(gone) > _NAMED else ''}"
        yield (
            f"What is parked for a limit that is gone ({some}) is not lost. Where the broker is a Redis, and a running "
            "worker loads the changed file, it comes back at once; else, as where workers are restarted with the new "
            "file, at its old pace."
        )


def _on(limit: Limit) -> bool:
    return limit.mode == "enforce"


def _has_own(rules: Rules, pattern: str) -> bool:
    rule = rules.for_task(pattern)
    return rule is not None and any(limit.own for limit in rule.limits)


def _all(rules: Rules) -> Iterator[Limit]:
    for entry in [*rules.exact.values(), *rules.patterns]:
        yield from entry.limits
    for queue in [*rules.queues.values(), *rules.queue_patterns]:
        yield from queue.limits


def _is_shared(limit: Limit) -> bool:
    return limit.mode != "off" and not limit.local


def _variables(old: Config, new: Config) -> Iterator[str]:
    """Name the tables whose numbers come from variables: what is said of them is true only with the values here."""
    named = [
        f"{section}.{name}"
        for config in (old, new)
        for section in ("limits", "tasks")
        for name, table in config.document.data.get(section, {}).items()
        if isinstance(table, dict) and any(names_variable(table.get(key)) for key in _NUMERIC)
    ]
    if named:
        yield f"{listed(dict.fromkeys(named), 'and')}: numbers from variables are as set here; a worker uses its own."
