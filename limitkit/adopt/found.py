"""What a search brings: limits that can be lifted, and places that somebody must look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import libcst as cst

    from limitkit.adopt.source import Source

Table = dict[str, object]
"""Keys and values of one table of the file."""
Kind = Literal["own", "annotation", "every", "default"]
"""Whose a limit is: the task's own, an annotation's for one task or for every task, or the default rate."""

EVERY = "*"


@dataclass(frozen=True, eq=False)
class Edit:
    """A node that is taken out of the code, or replaced."""

    source: Source
    node: cst.CSTNode
    new: cst.CSTNode | None = None
    whole: Whole | None = None
    """What goes in place of it, if nothing would be left there."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A setting whose dict may lose all its elements."""

    node: cst.CSTNode
    elements: tuple[cst.CSTNode, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """A limit in the code, as the file would have it."""

    task: str
    table: Table
    source: Source
    node: cst.CSTNode
    """Where it is shown to be."""
    kind: Kind = "own"
    named: tuple[tuple[str, Table], ...] = ()
    """The limits that the table names, with their own tables."""
    edits: tuple[Edit, ...] = ()
    mention: str = ""
    """What to know about it when it is lifted."""

    @property
    def voids(self) -> bool:
        """Whether it only takes away the task's own rate, so that the default rate holds."""
        return not self.table

    @property
    def exempts(self) -> bool:
        """Whether it only says that the task has no limit."""
        return self.table == {"limits": []}


@dataclass(frozen=True, eq=False)
class Note:
    """A place in the code that is not lifted, why, and what to do."""

    source: Source
    node: cst.CSTNode
    fact: str
    remedy: str = ""
    keeps_rate: bool = False
    """Whether a task keeps a rate of its own there, which a pattern of the file would replace."""
    annotates: str = ""
    """The task, or all tasks, whose own rate is written over there."""
    sets_default: bool = False
    """Whether a default rate stays there, which holds for tasks that lose their own."""


@dataclass(frozen=True, slots=True)
class Line:
    """A note as it is shown."""

    path: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.text}"


@dataclass(frozen=True)
class Names:
    """The names under which an app has registered tasks, by file and function."""

    registered: Mapping[tuple[str, str], tuple[tuple[int, str], ...]]

    def of(self, path: str, function: str, line: int) -> str | None:
        """Return the name of a function's task; of several of one name, the one that begins nearest to a line."""
        found = self.registered.get((path, function), ())
        return min(found, key=lambda each: abs(each[0] - line))[1] if found else None
