"""From paths to changes: what would be written, and what somebody must look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.calls import limiters, limiting_calls
from limitkit.adopt.entries import added
from limitkit.adopt.files import may_tell, module_name, python_files
from limitkit.adopt.found import Found, Line, Note
from limitkit.adopt.heimdall import heimdall_rates
from limitkit.adopt.limiter_tasks import limiter_tasks
from limitkit.adopt.merge import merge
from limitkit.adopt.own_rates import own_rates
from limitkit.adopt.project import Class, Project
from limitkit.adopt.rewrite import rewritten
from limitkit.adopt.settings import settings_rates
from limitkit.adopt.source import Source, UnreadableSourceError, below, dotted, parse
from limitkit.adopt.tasks import find_tasks
from limitkit.adopt.throttle import throttled_tasks
from limitkit.config.load import judge
from limitkit.config.source import toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.adopt.found import Edit, Names
    from limitkit.adopt.merge import Merged
    from limitkit.config.load import Config

_LOST: Final = "it has control characters that would be lost; change it by hand"
_SETTING: Final = frozenset({"rate_limit", "tokens_per_second", "bucket_size", "user_rate_limit", "heimdall"})
"""Attributes of classes by which their tasks are limited."""


@dataclass(frozen=True)
class Change:
    """A file before and after; ``before`` is None for a new one."""

    path: Path
    before: bytes | None
    after: bytes


@dataclass(frozen=True)
class Lifted:
    """What a search has come to."""

    changes: tuple[Change, ...]
    """The config file first: a task must not be without its limit for a moment."""
    lines: tuple[Line, ...]
    """What is left to people, by file and line."""
    unread: tuple[Line, ...]
    """Files that could not be searched."""
    tasks: int
    """How many limits of tasks leave the code."""
    files: int
    """How many files were looked at."""


def lift(paths: Sequence[Path], config_path: str, config: Config | None, names: Names | None = None) -> Lifted:
    """Search Python files at and below paths. ``config`` is what is at ``config_path`` now.

    Raises ConfigError when the file with its new tables could not be used, and OSError for a path that can't be read.
    """
    files = [(file, top, file.read_bytes()) for file, top in python_files(paths)]
    return _lift(files, config_path, config, names, frozenset())


def _lift(
    files: Sequence[tuple[Path, Path, bytes]],
    config_path: str,
    config: Config | None,
    names: Names | None,
    fixed: frozenset[Path],
) -> Lifted:
    """Search files; those in ``fixed`` can't be changed, so nothing is taken from them."""
    sources, unread = _sources([each for each in files if each[0] not in fixed])
    unread += [Line(str(path), 1, 1, f"the file is not searched: {_LOST}") for path in sorted(fixed)]
    project = Project(tuple(sources), names)
    tasks = list(find_tasks(project))
    told: list[Found | Note] = [
        *own_rates(project, tasks),
        *limiter_tasks(tasks),
        *heimdall_rates(tasks),
        *settings_rates(project),
        *throttled_tasks(project),
    ]
    order = {source: index for index, source in enumerate(sources)}
    found = [each for each in told if isinstance(each, Found)]
    found.sort(key=lambda each: (each.task != "*", order[each.source], each.source.place(each.node)))
    notes = [each for each in told if isinstance(each, Note)]
    merged = merge(found, notes, config)
    notes += [*merged.notes, *limiting_calls(project, tasks)]
    lost = {edit.source.path for edit in merged.edits if not edit.source.comes_out_as_it_was}
    if lost:
        return _lift(files, config_path, config, names, fixed | lost)
    changes = [*_config_change(config_path, config, merged)]
    by_source: dict[Source, list[Edit]] = {}
    for edit in merged.edits:
        by_source.setdefault(edit.source, []).append(edit)
    for source, edits in sorted(by_source.items(), key=lambda pair: order[pair[0]]):
        after = rewritten(source, edits)
        left = parse(source.path, source.name, after)
        notes += [
            Note(source, node, fact, "remove it, if nothing else needs it") for node, fact in _idle(source, left, edits)
        ]
        changes.append(Change(source.path, source.content, after))
    notes += [Note(each.source, each.node, each.mention) for each in merged.lifted if each.mention and each.edits]
    lines = sorted({_line(note) for note in notes}, key=lambda line: (line.path, line.line, line.column, line.text))
    lifted = len({each.task for each in merged.lifted if changes and (each.task in merged.tasks or each.edits)})
    return Lifted(tuple(changes), tuple(lines), tuple(unread), lifted, len(files))


def _sources(files: Sequence[tuple[Path, Path, bytes]]) -> tuple[list[Source], list[Line]]:
    """Parse the files that may have to do with limits, then those that use the base classes in them."""
    parsed: dict[Path, Source] = {}
    unread: list[Line] = []
    asked: set[Path] = set()
    words: set[str] = set()
    while True:
        wanted = sorted(word.encode() for word in words)
        new = [
            (file, top, content)
            for file, top, content in files
            if file not in asked and (any(word in content for word in wanted) or (not asked and may_tell(content)))
        ]
        if not new:
            break
        for file, top, content in new:
            asked.add(file)
            try:
                parsed[file] = parse(file, module_name(file, top), content)
            except UnreadableSourceError as error:
                unread.append(Line(str(file), 1, 1, f"the file is not searched: {error}"))
                continue
            words |= {*_telling(parsed[file], words)}
    return [parsed[file] for file, _, _ in files if file in parsed], unread


def _telling(source: Source, words: set[str]) -> Iterator[str]:
    """Name what other modules may import of a module that has to do with limits."""
    changed = True
    mine: set[str] = set()
    while changed:
        new = {name for name, node in source.classes.items() if name != "Task" and _limits(source, node, words | mine)}
        changed, mine = not new <= mine, mine | new
    yield from mine
    yield from limiters(source) - source.imports.keys()
    if any("celery_throttle" in name for name in source.imports.values()):
        yield from ("submit_task", "submit_multiple_tasks", "create_queue")


def _limits(source: Source, node: cst.ClassDef, words: set[str]) -> bool:
    """Whether a class may give a limit to tasks that stand on it."""
    own = {member for member, _, _ in Class(source, node).members()}
    bases = {(dotted(arg.value) or "").rpartition(".")[2] for arg in node.bases}
    known = {source.imports.get(base, base).rpartition(".")[2] for base in bases} | bases
    return bool(own & _SETTING or known & words)


def _config_change(path: str, config: Config | None, merged: Merged) -> Iterator[Change]:
    if not merged.tasks and not merged.limits:
        return
    before = config.document.text if config is not None else ""
    text = added(before, merged.limits, merged.tasks)
    judge(toml.parse(text, path))
    yield Change(Path(path), before.encode() if config is not None else None, text.encode())


def _idle(before: Source, after: Source, edits: Sequence[Edit]) -> Iterator[tuple[cst.CSTNode, str]]:
    """Find imports, constants and classes that only the removed code has used."""
    gone = {name for edit in edits for name in _names(edit.node)}
    left = [node.value for node in after.all(cst.Name)]
    for name in sorted(gone):
        if left.count(name) == 1 and (name in before.imports or name in before.bindings):
            for node in before.all(cst.Name):
                if node.value == name:
                    yield node, f"{name} is no longer used in this module"
                    break


def _names(node: cst.CSTNode) -> Iterator[str]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, cst.Name) and dotted(each):
            yield each.value
        waiting.extend(below(each))


def _line(note: Note) -> Line:
    line, column = note.source.place(note.node)
    return Line(str(note.source.path), line, column, f"{note.fact}; {note.remedy}" if note.remedy else note.fact)
