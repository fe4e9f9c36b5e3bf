"""Decides which limits of the code go into the file, so that tasks start as they did before.

What Celery does (read in 5.6): a task's own rate comes first; without one, the default rate holds. Annotations are
written over both when the task is bound: first those for the task, then those for every task. In the file, an entry for
a task stands in place of a pattern's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from limitkit.adopt.entries import alike
from limitkit.adopt.found import EVERY, Edit, Found, Note
from limitkit.config.wording import dotted, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.adopt.found import Table
    from limitkit.config.load import Config

_CHOOSE = "decide which of them holds, and write it into the file"


@dataclass
class Merged:
    """What goes into the file and out of the code, and what stays where it is."""

    limits: dict[str, Table] = field(default_factory=dict)
    tasks: dict[str, Table] = field(default_factory=dict)
    lifted: list[Found] = field(default_factory=list)
    """Limits that go from the code into the file, or are there already."""
    edits: list[Edit] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def merge(found: Iterable[Found], notes: Iterable[Note], config: Config | None) -> Merged:
    """Decide about all that was found; ``notes`` is what can't be lifted, ``config`` the file that is there already."""
    merged = Merged()
    notes = list(notes)
    left = _without_effect(list(found), {note.annotates for note in notes} - {""}, merged)
    left = _agreed(left, merged)
    left = _named_alike(left, merged)
    if any(note.keeps_rate for note in [*notes, *merged.notes]):
        left = _without_default(left, merged)
    stays = any(note.sets_default for note in [*notes, *merged.notes])
    has_pattern = any(each.task == EVERY for each in left)
    for each in left:
        if stays and each.exempts:
            fact = f"{_what(each)} says that it has no limit, and keeps the default rate away, which stays in the code"
            merged.notes.append(Note(each.source, each.node, fact, "keep it as long as there is a default rate"))
            continue
        _place(each, merged, config, has_pattern=has_pattern)
        if has_pattern and each.kind == "own" and each in merged.lifted and each.table.get("strategy") != "static":
            _tell_of_pattern(each, merged)
    _keep_shared(left, merged)
    return merged


def _without_effect(found: list[Found], unread: set[str], merged: Merged) -> list[Found]:
    """Leave out what Celery itself never looks at, since annotations are written over it.

    ``unread`` names the tasks of annotations that can't be lifted.
    """
    every = next((each for each in found if each.kind == "every"), None)
    annotated = {each.task for each in found if each.kind == "annotation"} | unread
    owned = {each.task for each in found if each.kind == "own" and not each.exempts}
    left: list[Found] = []
    for each in found:
        native = each.kind != "own" or each.table.get("strategy") == "static" or each.exempts
        over = ""
        if each.voids:
            continue
        written = EVERY in unread or (every is not None and not (every.voids and each.kind == "default"))
        if written and each.kind != "every" and native:
            over = f"the annotation {quote(EVERY)} for every task is written over it"
        elif native and (each.task in annotated if each.kind == "own" else each.task in unread):
            over = "an annotation for this task is written over it"
        elif each.exempts and (each.kind == "every" or (each.kind == "annotation" and each.task in owned)):
            fact = f"{_what(each)} takes away rates that stand elsewhere in the code"
            merged.notes.append(Note(each.source, each.node, fact, "remove both", keeps_rate=True))
            continue
        if over:
            fact = f"{_what(each)} has no effect: {over}"
            merged.notes.append(
                Note(each.source, each.node, fact, "remove it, or write an entry of the task into the file")
            )
        else:
            left.append(each)
    return left


def _without_default(found: list[Found], merged: Merged) -> list[Found]:
    """Leave out the default rate: in the file it would replace rates that tasks keep in the code."""
    for each in found:
        if each.kind == "default":
            fact = "the default rate would take the place of rates of tasks that can't be lifted"
            merged.notes.append(Note(each.source, each.node, fact, "lift those first", sets_default=True))
    return [each for each in found if each.kind != "default"]


def _agreed(found: list[Found], merged: Merged) -> list[Found]:
    """Leave out tasks for which the code has several limits."""
    by_task: dict[str, list[Found]] = {}
    for each in found:
        by_task.setdefault(each.task, []).append(each)
    left = []
    for each in found:
        others = by_task[each.task]
        if all(alike(each.table, other.table) and _same_named(each, other) for other in others):
            left.append(each)
        else:
            other = next(one for one in others if not (alike(one.table, each.table) and _same_named(each, one)))
            line = other.source.place(other.node)[0]
            fact = f"{_what(each)} is not the only one of this task; another is at {other.source.path}:{line}"
            merged.notes.append(Note(each.source, each.node, fact, _CHOOSE, keeps_rate=True))
    return left


def _same_named(one: Found, other: Found) -> bool:
    named = dict(other.named)
    return all(name in named and alike(table, named[name]) for name, table in one.named)


def _named_alike(found: list[Found], merged: Merged) -> list[Found]:
    """Leave out tasks that share a bucket, and differ in its rate."""
    tables: dict[str, list[Table]] = {}
    for each in found:
        for name, table in each.named:
            tables.setdefault(name, []).append(table)
    left = []
    for each in found:
        torn = [name for name, _ in each.named if any(not alike(tables[name][0], other) for other in tables[name])]
        if torn:
            fact = f"{_what(each)}: tasks that share {quote(torn[0])} have other rates or bursts for it"
            merged.notes.append(Note(each.source, each.node, fact, _CHOOSE))
        else:
            left.append(each)
    return left


def _place(each: Found, merged: Merged, config: Config | None, *, has_pattern: bool) -> None:
    """Put one limit into the file, unless the file speaks of its task already."""
    data: Mapping[str, Any] = config.document.data if config is not None else {}
    named, tasks = data.get("limits", {}), data.get("tasks", {})
    for name, table in each.named:
        if name in named and not alike(named[name], table):
            _conflict(each, merged, dotted(("limits", name)))
            return
    present, key = tasks.get(each.task), each.task
    if present is None and config is not None and each.task != EVERY:
        rule = config.rules.for_task(each.task)
        key = rule.pattern if rule is not None else key
        present = tasks.get(key) if rule is not None else None
    if present is not None:
        if not alike(present, each.table):
            _conflict(each, merged, dotted(("tasks", key)))
            return
    elif each.exempts and not has_pattern:
        fact = f"{_what(each)} says that it has no limit, as all tasks without one"
        merged.notes.append(Note(each.source, each.node, fact, "remove it; it needs no entry"))
        return
    else:
        merged.tasks.setdefault(each.task, each.table)
        merged.limits.update({name: table for name, table in each.named if name not in named})
    merged.lifted.append(each)


def _tell_of_pattern(each: Found, merged: Merged) -> None:
    if each.exempts:
        return
    fact = f"{each.task} had the rate of every task, too, and in the file its own entry takes the place of that"
    merged.notes.append(Note(each.source, each.node, fact, "add a limit to its entry if it needs both"))


def _conflict(each: Found, merged: Merged, where: str) -> None:
    fact = f"{_what(each)} is not what the file has as {where}; the file holds"
    merged.notes.append(Note(each.source, each.node, fact, "write what is right into the file, and remove this"))


def _keep_shared(found: list[Found], merged: Merged) -> None:
    """Take out of the code only what no task needs any more: a class may serve several."""
    kept = {edit.node for each in found if each not in merged.lifted for edit in each.edits}
    chosen = {edit.node: edit for each in merged.lifted for edit in each.edits if edit.node not in kept}
    for edit in [*chosen.values()]:
        if edit.whole is not None and all(element in chosen for element in edit.whole.elements):
            chosen[edit.whole.node] = Edit(edit.source, edit.whole.node)
    inside = {node for node, edit in chosen.items() if edit.whole is not None and edit.whole.node in chosen}
    merged.edits.extend(edit for node, edit in chosen.items() if node not in inside)


def _what(each: Found) -> str:
    if each.kind == "default":
        return "the default rate"
    whose = "of every task" if each.kind == "every" else f"of {each.task}"
    return f"the annotation {whose}" if each.kind in {"annotation", "every"} else f"the limit {whose}"
