"""All modules that are searched together, and the classes in them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.source import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limitkit.adopt.found import Names
    from limitkit.adopt.source import Source

_DEEPEST: Final = 20
_FOREIGN: Final = frozenset(
    {"airflow", "dramatiq", "fabric", "flytekit", "huey", "invoke", "locust", "luigi", "prefect", "procrastinate", "rq"}
    | {"taskiq", "saq", "arq", "asyncio"}
)
"""Packages with tasks that are not Celery's."""


@dataclass(frozen=True, eq=False)
class Class:
    """A class of the project."""

    source: Source
    node: cst.ClassDef

    @property
    def name(self) -> str:
        """Its own name."""
        return self.node.name.value

    def members(self) -> Iterator[tuple[str, cst.BaseSmallStatement | cst.FunctionDef, cst.BaseExpression | None]]:
        """Go through what it defines: names, statements, and values of plain attributes."""
        for statement in self.node.body.body:
            if isinstance(statement, cst.FunctionDef):
                yield statement.name.value, statement, None
            elif isinstance(statement, cst.SimpleStatementLine):
                yield from _attributes(statement.body)
            elif isinstance(statement, (cst.Assign, cst.AnnAssign)):  # class X(Y): rate_limit = "1/s"
                yield from _attributes([statement])


def _attributes(
    statements: Sequence[cst.BaseSmallStatement],
) -> Iterator[tuple[str, cst.BaseSmallStatement, cst.BaseExpression | None]]:
    for small in statements:
        if isinstance(small, cst.Assign):
            for target in small.targets:
                if isinstance(target.target, cst.Name):
                    yield target.target.value, small, small.value if len(small.targets) == 1 else None
        elif isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name) and small.value is not None:
            yield small.target.value, small, small.value


@dataclass(frozen=True, eq=False)
class Chain:
    """A class with those that it stands on, the nearest first."""

    classes: tuple[Class, ...]
    outside: tuple[tuple[Source, cst.BaseExpression], ...]
    """Bases that are not in the project: Celery's Task, mostly."""

    def attribute(self, name: str) -> tuple[Class, cst.BaseSmallStatement, cst.BaseExpression | None] | None:
        """Find the nearest class that sets an attribute."""
        for each in self.classes:
            for member, statement, value in each.members():
                if member == name and not isinstance(statement, cst.FunctionDef):
                    return each, statement, value
        return None

    def outside_names(self) -> Iterator[str]:
        """Name the bases from outside."""
        for source, node in self.outside:
            yield source.resolve(node)

    @property
    def is_of_tasks(self) -> bool:
        """Whether it can be one of Celery's tasks."""
        return any(is_celery(name) for name in self.outside_names())


def is_celery(name: str) -> bool:
    """Whether a base class by this name is Celery's Task, or one that is made of it."""
    first, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    return first not in _FOREIGN and (first.startswith("celery") or last.endswith("Task"))


def is_foreign(source: Source, node: cst.BaseExpression) -> bool:
    """Whether a name comes from a package whose tasks are not Celery's."""
    first = source.resolve(node).partition(".")[0]
    if first in _FOREIGN:
        return True
    values = source.bindings.get(first, ())
    made = [value.func for value in values if isinstance(value, cst.Call)]
    return any(source.resolve(func).partition(".")[0] in _FOREIGN for func in made)


@dataclass(frozen=True, eq=False)
class Project:
    """The modules that are searched, and the names of their tasks."""

    sources: tuple[Source, ...]
    names: Names | None = None
    _classes: dict[tuple[str, str], Class] = field(default_factory=dict)
    _by_name: dict[str, list[Class]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for source in self.sources:
            for name, node in source.classes.items():
                found = Class(source, node)
                self._classes[source.name, name] = found
                self._by_name.setdefault(name, []).append(found)

    @property
    def classes(self) -> Mapping[tuple[str, str], Class]:
        """All classes, by module and name."""
        return self._classes

    def find(self, source: Source, node: cst.BaseExpression) -> Class | None:
        """Find the class that an expression names.

        A package may import its classes from one module and show them in another: then the only class of this name is
        the one.
        """
        module, name = source.reference(node)
        found = self._classes.get((module, name))
        if found is not None or not name:
            return found
        alike = self._by_name.get(name, [])
        imported = (dotted(node) or "").partition(".")[0] in source.imports
        inside = any(each.name.partition(".")[0] == module.partition(".")[0] for each in self.sources)
        return alike[0] if len(alike) == 1 and imported and (inside or len(self.sources) == 1) else None

    def chain(self, source: Source, bases: Sequence[cst.BaseExpression]) -> Chain:
        """Follow base classes to those that come from outside."""
        classes: list[Class] = []
        outside: list[tuple[Source, cst.BaseExpression]] = []
        waiting = [(source, base, 0) for base in bases]
        while waiting:
            at, node, depth = waiting.pop(0)
            found = self.find(at, node)
            if found is None:
                outside.append((at, node))
            elif depth < _DEEPEST and found not in classes:
                classes.append(found)
                above = [(found.source, arg.value, depth + 1) for arg in found.node.bases if not arg.star]
                waiting[:0] = above
        return Chain(tuple(classes), tuple(outside))

    def real_path(self, source: Source) -> str:
        """Return where a module's file really is."""
        return os.path.realpath(source.path)
