"""Which entry holds for which names before and after, and what that changes for them: for tasks, and for queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from limitkit.config.rules import Entry, QueueRule, Rules
from limitkit.trial.plan.changes import Delta
from limitkit.trial.plan.limit_fields import deltas
from limitkit.trial.plan.limit_words import name_words, on_limit_words
from limitkit.trial.plan.worst_windows import tightest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.config.declared import Limit, Patience
    from limitkit.trial.plan.changes import Action, Effect

AnEntry: TypeAlias = Entry | QueueRule
Labels: TypeAlias = "dict[str, Limit]"
"""The limits of an entry by their names in the new file; its own has an empty one."""

_AS_NAMED: Final = ("key", "cost", "settle", "mode", "on_error")
"""What a task or a queue may have otherwise than the named limit itself."""
_OWN: Final = ""


class Transition(NamedTuple):
    """All names for which one entry holds before, and one after."""

    old: AnEntry | None
    new: AnEntry | None
    names: tuple[str, ...]


def of_tasks(old: Rules, new: Rules, tasks: Iterable[str]) -> list[Transition]:
    """Find the entries that take each other's place for tasks: those that either file names, and the app's."""
    known = [*old.exact, *new.exact, *_patterns(old.patterns), *_patterns(new.patterns), *sorted(tasks)]
    return _transitions(known, _task_entry, old, new)


def of_queues(old: Rules, new: Rules) -> list[Transition]:
    """Find the tables that take each other's place for queues."""
    known = [*old.queues, *new.queues, *_patterns(old.queue_patterns), *_patterns(new.queue_patterns)]
    return _transitions(known, _queue_entry, old, new)


def changes_of(
    old: AnEntry | None, new: AnEntry | None, renamed: Mapping[str, str], rules: tuple[Rules, Rules]
) -> Iterator[Delta]:
    """Compare two entries that take each other's place; ``renamed`` are limits by their names until now.

    What has changed in a named limit itself is not told again.
    """
    before = _labels(old, renamed)
    after = _labels(new, {})
    for name, limit in after.items():
        was = before.get(name)
        if was is None:
            continue
        if name == _OWN:
            yield from (each for each in deltas(was, limit) if each.field not in {"on_limit", "max_wait"})
        else:
            yield from _as_named(was, limit, renamed, rules)
    if before.keys() != after.keys():
        yield _limits(before, after)
    yield from _patience(old, new, same=before.keys() == after.keys())


def _as_named(was: Limit, limit: Limit, renamed: Mapping[str, str], rules: tuple[Rules, Rules]) -> Iterator[Delta]:
    """Compare what a task has otherwise than the named limit; ``was`` has the name that it had."""
    names = {now: before for before, now in renamed.items()}
    whole = rules[0].named[names.get(limit.name, was.name)], rules[1].named[limit.name]
    said = [(each.field, each.before, each.after) for each in deltas(*whole)]
    for each in deltas(was, limit, _AS_NAMED):
        if (each.field, each.before, each.after) not in said:
            yield Delta(
                field=f"limits.{limit.name}.{each.field}",
                before=each.before,
                after=each.after,
                effect=each.effect,
                message=f"of {limit.name}: {each.message}",
                new_buckets=each.new_buckets,
                action=each.action,
                at=("limits",) if each.field in {"key", "cost", "settle"} else (each.field,),
            )


def _limits(before: Labels, after: Labels) -> Delta:
    """Say that other limits hold."""
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    was, now = (", ".join(name_words(limit) for limit in each.values()) or None for each in (before, after))
    action: Action = "change"
    effect: Effect
    if not before:
        action, effect, said = "add", "stricter", "newly limited"
    elif not after:
        action, effect, said = "remove", "looser", "not limited any more"
    else:
        effect = "looser" if not come else "stricter" if not gone else tightest(before.values(), after.values())
        words = [f"limited by {_named(name, after)}{'' if gone else ', too'}" for name in come]
        words += [f"not limited by {_named(name, before)} any more" for name in gone]
        said = ", ".join(words)
    if all(limit.mode != "enforce" for limit in (*before.values(), *after.values())):
        effect, said = "other", f"{said}; none of these limits is in force"
    elif action == "add" and all(limit.mode != "enforce" for limit in after.values()):
        modes = dict.fromkeys(limit.mode for limit in after.values())
        effect, said = "other", f"{said}, but not in force ({', '.join(modes)})"
    return Delta(field="limits", before=was, after=now, effect=effect, message=said, action=action)


def _named(name: str, labels: Labels) -> str:
    return "a limit of its own" if labels[name].own else name


def _patience(old: AnEntry | None, new: AnEntry | None, *, same: bool) -> Iterator[Delta]:
    """Say what happens to a task that can't start in time, where that is not told of a named limit."""
    if not isinstance(old, Entry) or not isinstance(new, Entry) or not (_waits(old) and _waits(new)):
        return
    was, now = old.patience, new.patience
    if was == now:
        return
    if same and _own_keys(old) == _own_keys(new):
        return
    texts = [_patience_text(each) for each in (was, now)]
    effect: Effect = "stricter" if was is None or (now is not None and now.max_wait < was.max_wait) else "other"
    said = on_limit_words(now.action, now.max_wait) if now is not None else on_limit_words("wait", None)
    field = "max_wait" if was is not None and now is not None and was.action == now.action else "on_limit"
    yield Delta(field=field, before=texts[0], after=texts[1], effect=effect, message=said)


def _own_keys(entry: Entry) -> list[object]:
    """Return what the entry itself says of it."""
    own = [(each.on_limit, each.max_wait) for each in entry.limits if each.own]
    return [entry.on_limit, entry.max_wait, own]


def _waits(entry: Entry) -> bool:
    """Whether a limit of it is in force, so that there is something to wait for."""
    return any(limit.mode == "enforce" for limit in entry.limits)


def _patience_text(patience: Patience | None) -> str:
    if patience is None:
        return "wait"
    return f"{patience.action} after {patience.max_wait:g} s" if patience.max_wait else f"{patience.action} at once"


def _labels(entry: AnEntry | None, renamed: Mapping[str, str]) -> Labels:
    if entry is None:
        return {}
    return {_OWN if limit.own else renamed.get(limit.name, limit.name): limit for limit in entry.limits}


def _patterns(entries: Iterable[AnEntry]) -> Iterator[str]:
    return (each.pattern for each in entries)


def _task_entry(rules: Rules, name: str) -> Entry | None:
    """Return the entry that holds for a task; for a pattern, that of the names that it matches."""
    own = next((each for each in rules.patterns if each.pattern == name), None) if "*" in name else None
    return rules.exact.get(name) or own or next(iter(rules.matching(name)), None)


def _queue_entry(rules: Rules, name: str) -> QueueRule | None:
    own = next((each for each in rules.queue_patterns if each.pattern == name), None) if "*" in name else None
    return own or rules.for_queue(name)


def _transitions(known: Iterable[str], entry_of: Any, old: Rules, new: Rules) -> list[Transition]:
    found: dict[tuple[str | None, str | None], tuple[AnEntry | None, AnEntry | None, list[str]]] = {}
    for name in dict.fromkeys(known):
        pair = entry_of(old, name), entry_of(new, name)
        pattern = tuple(each.pattern if each is not None else None for each in pair)
        found.setdefault(pattern, (*pair, []))[2].append(name)  # type: ignore[arg-type] # a pair of them
    return [Transition(was, now, tuple(names)) for was, now, names in found.values() if was or now]
