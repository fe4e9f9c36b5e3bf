"""Finds names with dots and without quotes: in TOML, ``[tasks.shop.charge]`` is a table inside a table.

Such an entry is checked under the name that is meant; its problems are placed where it is in the file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import key_text, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

SECTIONS: Final = ("tasks", "limits", "queues")
ENTRY: Final = frozenset({"strategy", "rate", "limits", "burst", "key", "rate_limit", "max_running", "on_limit"})
"""Keys by which a table is recognised as a limit or a task."""
_BY_VALUE: Final = frozenset({"partitions", "partition", "weights", "weight"})
"""Keys of a limit in whose tables users' values are keys, whatever those are; and how they are misspelt."""
_SCHEDULE: Final = frozenset({"schedule", "schedules"})
"""A key whose tables have a rate, as limits do; and how it is misspelt."""
_TABLES: Final = frozenset({"feedback", "recover", "cost"}) | _BY_VALUE | _SCHEDULE
"""Keys of a limit or a task that may hold a table."""
_LONGEST: Final = 120
"""The most characters of a name in a suggested line."""


def meant(document: Document) -> tuple[Document, list[Problem]]:
    """Return the document as it is meant, and a problem for each name with dots and without quotes."""
    problems: list[Problem] = []
    data, moved = document.data, dict(document.moved)
    for section in SECTIONS:
        table = data.get(section)
        if not isinstance(table, dict) or not any(map(_holds_tables, table.values())):
            continue
        entries: dict[str, Any] = {}
        late: dict[str, tuple[Path, Any]] = {}
        for name, entry in table.items():
            for path, own in _entries(document, (section, name), entry):
                if len(path) == 2:  # noqa: PLR2004 - a section and a name: it is as it should be
                    entries[name] = own
                else:
                    late[".".join(map(str, path[1:]))] = path, own
        for name, (path, own) in late.items():
            problems.append(_problem(document, path, name, own))
            if name not in entries:
                entries[name] = own
                moved[section, name] = path
        if late:
            data = {**data, section: entries}
    return (replace(document, data=data, moved=moved) if problems else document), problems


def line_for(name: str, section: str = "tasks") -> str:
    """Write the header of an entry of this name."""
    return f"[{section}.{key_text(name, _LONGEST)}]"


def entry_within(value: object, *names: str) -> str | None:
    """Return the dotted name of the first limit or task inside a table that is none itself; None without one."""
    todo = [(names, value)]
    while todo:
        path, each = todo.pop()
        if isinstance(each, dict) and ENTRY & each.keys():
            return ".".join(path)
        todo += [((*path, key), inner) for key, inner in _tables(each) if len(path) < 30]  # noqa: PLR2004 - no name
    return None


def _holds_tables(entry: object) -> bool:
    return any(True for _ in _tables(entry))


def _tables(entry: object) -> Iterator[tuple[str, dict[str, Any]]]:
    return (
        ((key, each) for key, each in entry.items() if isinstance(each, dict)) if isinstance(entry, dict) else iter(())
    )


def _entries(document: Document, path: Path, entry: Any) -> Iterator[tuple[Path, Any]]:
    """Yield the entries in an entry: itself, unless it contains only other entries, and those."""
    todo: list[tuple[Path, Any]] = [(path, entry)]
    while todo:
        at, table = todo.pop()
        others = {key: each for key, each in _tables(table) if _is_entry(document, (*at, key), each)}
        own = {key: each for key, each in table.items() if key not in others} if others else table
        if own or not others:
            yield at, own
        todo += [((*at, key), each) for key, each in reversed(others.items())]


def _is_entry(document: Document, path: Path, table: dict[str, Any]) -> bool:
    """Whether a table inside an entry is an entry of its own, and not a value of the one around it."""
    key = path[-1]
    if key in _TABLES:
        # Taken for a key's table, not for a module of tasks with that name, unless its content is that of an entry.
        inner = {name: each for name, each in table.items() if name not in _TABLES}
        direct = isinstance(table.get("strategy"), str) or isinstance(table.get("limits"), list)
        if key in _SCHEDULE:
            return direct or any(entry_within(each) is not None for _, each in _tables(inner))
        return direct or (key not in _BY_VALUE and entry_within(inner) is not None)
    if entry_within(table) is not None:
        return True
    return key not in ENTRY and "on" not in table and path in document.places.headers


def _problem(document: Document, path: Path, name: str, own: Any) -> Problem:
    fact = "without quotes TOML takes a name with dots for tables in one another, so nothing here has this name"
    return document.problem("LK028", path, fact, f"write {_line(document, path, name, own)}", at="header")


def _line(document: Document, path: Path, name: str, own: Any) -> str:
    """Write the line that is meant, in the form that the file uses: a header, or a key with its value."""
    places, section = document.places, str(path[0])
    around = next((path[:length] for length in range(len(path), 0, -1) if path[:length] in places.headers), ())
    if len(around) > 1 or not isinstance(own, dict):
        return line_for(name, section)
    key = f"{section}.{key_text(name, _LONGEST)}" if not around else key_text(name, _LONGEST)
    if path in places.values or not own:  # an inline table
        return f"{key} = {{ … }}"
    first, value = next(iter(own.items()))
    return f"{key}.{key_text(first)} = {show(value) if isinstance(value, str | int | float) else '…'}"


def names_within(value: Any) -> tuple[str, ...]:
    """Return the names into which TOML has split a dotted path without quotes."""
    names: list[str] = []
    while isinstance(value, dict) and len(value) == 1 and len(names) < 30:  # noqa: PLR2004 - no path is as long
        name, value = next(iter(value.items()))
        names.append(name)
    return tuple(names)
