"""What ``explain`` says of a limit's name, and of a pattern: which tasks share it, and what they may start together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.cli.explain_terms import WINDOWS, allowed, beside, modes
from limitkit.cli.output import say
from limitkit.cli.table_width import as_wide_as_the_terminal
from limitkit.config.declared import TaskRule, patience_of
from limitkit.config.limit_words import in_words, most_starts
from limitkit.config.wording import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.config.rules import Entry

_SHOWN = 50
"""Tasks that are listed."""
_ASK_THE_APP = "only the app knows; name it: --app APP."


def limit_of(config: Config, name: str) -> Limit | None:
    """Return the limit of a name, which may be written as ``status`` does: ``limits.stripe_api``."""
    named = config.rules.named
    return named.get(name) or named.get(name.removeprefix("limits."))


def pattern_of(config: Config, name: str) -> Entry | None:
    """Return the entry of a pattern, which may be written as ``status`` does: ``tasks.emails.*``."""
    by_pattern = {entry.pattern: entry for entry in config.rules.patterns}
    return by_pattern.get(name) or by_pattern.get(bare(name))


def bare(name: str) -> str:
    """Remove what other commands write around a task's name or a pattern: ``tasks.`` and quotes."""
    return name.removeprefix("tasks.").strip('"')


def show_limit(config: Config, limit: Limit, app: Any) -> None:
    """Say what a named limit allows, and which tasks share it."""
    say(f"{dotted(('limits', limit.name))}, {limit.path}:{limit.line}", *modes(config, [limit]), "", *allowed([limit]))
    rule = TaskRule(limit.name, limit.line, (limit,), patience_of([limit], None, None), limit.path)
    say("", _bucket_of(limit), *in_words([limit]), *beside(config, rule), *now_in_force(app, config, [limit], ""), "")
    queues = [
        each for each in (*config.rules.queues.values(), *config.rules.queue_patterns) if _has(each.limits, limit)
    ]
    for queue in sorted(queues, key=lambda each: each.line):
        say(f"It holds for all that comes from {dotted(('queues', queue.pattern))}, {queue.path}:{queue.line}.")
    say(*([""] if queues else []))
    entries = sorted(_entries_with(config, limit), key=lambda entry: entry.line)
    if not entries:
        say("No task names it." if queues else "No task names it, so it limits nothing.")
    elif app is None:
        rows = [(_key(entry.pattern), _place(entry)) for entry in entries]
        say(*as_wide_as_the_terminal(("shared by", "declared at"), rows))
        if any("*" in entry.pattern for entry in entries):
            say("", f"Which tasks a pattern matches {_ASK_THE_APP}")
    else:
        _list_tasks(config, [entry.pattern for entry in entries], app)


def now_in_force(app: Any, config: Config, limits: Iterable[Limit], pattern: str) -> Iterator[str]:
    """Say what is in force now instead of what the file says, if there is an app with a store that can be asked."""
    if app is None:
        return
    from limitkit.cli.parked_pace import otherwise  # noqa: PLC0415 (imports Celery)

    for limit, now in otherwise(app, config, limits, pattern):
        yield f"In force now for {'its own limit' if limit.own else limit.name}: {now}."


def show_pattern(config: Config, entry: Entry, app: Any) -> None:
    """Say what a pattern allows each task that it matches, and which those are."""
    say(f"{_key(entry.pattern)}, {_place(entry)}", *modes(config, entry.limits), "")
    if entry.limits:
        say(*allowed(entry.limits), "")
        shared = sorted({limit.name for limit in entry.limits if not limit.own})
        if shared:
            say(f"The tasks that it matches share {', '.join(shared)} with all others that name it.")
        else:
            say(_buckets_of(entry.limits[0]))
        say(
            *in_words(entry.limits),
            *beside(config, TaskRule(entry.pattern, entry.line, entry.limits, entry.patience, entry.path)),
        )
    else:
        say("The tasks that it matches are not limited: it names no limit.")
    others = [name for name in config.rules.exact if entry in config.rules.matching(name)]
    if others:
        say(f"These have an entry of their own in its place: {', '.join(others)}.")
    say("")
    if app is None:
        say(f"Which tasks it matches {_ASK_THE_APP}")
        return
    held = _list_tasks(config, [entry.pattern], app)
    own = entry.limits[0] if entry.limits and entry.limits[0].own else None
    if held > 1 and own is not None and own.mode != "off":
        say("", _together(own, held))


def _bucket_of(limit: Limit) -> str:
    running = limit.strategy == "concurrency"
    bucket, does = ("slots", "run") if running else ("a bucket", "start")
    if limit.local:
        return f"Each worker has {bucket} of its own: N workers {does} N times as many."
    if limit.key:
        return f"Each value of {limit.key} has {bucket} of its own, in all workers, and may {does} as many."
    return f"All workers share {'its slots' if running else 'one bucket'}, and so do all the tasks that name it."


def _buckets_of(limit: Limit) -> str:
    bucket = "slots" if limit.strategy == "concurrency" else "a bucket"
    if limit.local:
        return f"Each task that it matches has {bucket} of its own, in each worker."
    if limit.key:
        return f"Each task that it matches has {bucket} of its own for each value of {limit.key}."
    return f"Each task that it matches has {bucket} of its own, which all workers share."


def _together(limit: Limit, tasks: int) -> str:
    """Add up what the tasks of a pattern may start, or run."""
    of = " in one worker" if limit.local else " for one value" if limit.key else ""
    most = {window: most_starts(limit, seconds) for window, seconds in WINDOWS.items()}
    sums = ", ".join(f"{tasks * number} {window}" for window, number in most.items() if number is not None)
    if not sums:
        return f"{tasks} tasks together run{of} at most {tasks * limit.max_running} at once."
    return f"{tasks} tasks together start{of} at most: {sums}."


def _entries_with(config: Config, limit: Limit) -> Iterator[Entry]:
    for entry in (*config.rules.exact.values(), *config.rules.patterns):
        if _has(entry.limits, limit):
            yield entry


def _has(limits: Iterable[Limit], named: Limit) -> bool:
    return any(each.name == named.name and not each.own for each in limits)


def _list_tasks(config: Config, patterns: Sequence[str], app: Any) -> int:
    """List the app's tasks that have their limits by these entries; returns how many there are."""
    rows = []
    for name in sorted(app.tasks):
        rule = config.rules.for_task(name)
        if rule is not None and rule.pattern in patterns:
            rows.append((name, _key(rule.pattern), f"{rule.path}:{rule.line}"))
    if not rows:
        say("No task of the app has it.")
        return 0
    say(*as_wide_as_the_terminal(("task of the app", "by", "declared at"), rows[:_SHOWN]))
    if len(rows) > _SHOWN:
        say(f"and {len(rows) - _SHOWN} more")
    return len(rows)


def _key(pattern: str) -> str:
    return dotted(("tasks", pattern))


def _place(entry: Entry) -> str:
    return f"{entry.path}:{entry.line}"
