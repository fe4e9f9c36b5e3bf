"""One Python module as it is searched: its tree, where each part is, and what its names are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, TypeVar

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SPACE: Final = (
    cst.BaseParenthesizableWhitespace,
    cst.Comma,
    cst.TrailingWhitespace,
    cst.EmptyLine,
    cst.Newline,
    cst.AssignEqual,
)
_SPACE_FIELDS: Final = frozenset({"comma", "semicolon", "leading_lines", "lines_after_decorators", "footer", "header"})
_PLAIN: Final = frozenset({str, bool, type(None), cst.MaybeSentinel})
_BINDING: Final = (
    *(cst.Assign, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor, cst.FunctionDef, cst.ClassDef),
    *(cst.AsName, cst.ImportAlias),
)
_Node = TypeVar("_Node", bound=cst.CSTNode)
FUNCTIONS: Final = (cst.FunctionDef, cst.Lambda)


class UnreadableSourceError(Exception):
    """A file that can't be parsed; the text says why."""


@dataclass(eq=False)
class Source:
    """A parsed module."""

    path: Path
    name: str
    """As it is imported: ``shop.tasks``."""
    content: bytes
    tree: cst.Module
    is_package: bool = False
    parents: Mapping[cst.CSTNode, cst.CSTNode] = field(default_factory=dict, repr=False)
    kinds: Mapping[type, Sequence[cst.CSTNode]] = field(default_factory=dict, repr=False)
    """All nodes but white space by their types, in the order of the text."""

    def all(self, kind: type[_Node]) -> Sequence[_Node]:
        """Return all nodes of a type, in the order of the text."""
        return self.kinds.get(kind, ())  # type: ignore[return-value] # filed by their types

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, object]:
        return MetadataWrapper(self.tree, unsafe_skip_copy=True).resolve(PositionProvider)

    def place(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return line and column of a node, both from 1."""
        start = self._positions[node].start  # type: ignore[attr-defined] # LibCST's CodeRange
        return start.line, start.column + 1

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Go through the nodes around a node, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    @cached_property
    def imports(self) -> Mapping[str, str]:
        """What imported names are: ``{"st": "celery.shared_task"}``."""
        found: dict[str, str] = {}
        for node in self.all(cst.Import):
            for alias in node.names:
                whole = dotted(alias.name) or ""
                local = dotted(alias.asname.name) if alias.asname else None
                found[local or whole.partition(".")[0]] = whole if local else whole.partition(".")[0]
        for line in self.all(cst.ImportFrom):
            module = self._imported_from(line)
            for alias in line.names if not isinstance(line.names, cst.ImportStar) else ():
                name = dotted(alias.name) or ""
                local = dotted(alias.asname.name) if alias.asname else None
                found[local or name] = f"{module}.{name}" if module else name
        return found

    def _imported_from(self, node: cst.ImportFrom) -> str:
        module = (dotted(node.module) or "") if node.module is not None else ""
        if not node.relative:
            return module
        parts = self.name.split(".")
        up = len(node.relative) - (1 if self.is_package else 0)
        return ".".join([*parts[: len(parts) - up], *([module] if module else [])])

    @cached_property
    def bindings(self) -> Mapping[str, tuple[cst.BaseExpression | None, ...]]:
        """All that names of the module are bound to; None for what is no plain ``NAME = value`` at its top level."""
        found: dict[str, list[cst.BaseExpression | None]] = {}
        top = {line for line in self.tree.body if isinstance(line, cst.SimpleStatementLine)}
        for node in (each for kind in _BINDING for each in self.kinds.get(kind, ())):
            for name, value, statement in _bound(node):
                if self._is_local(node, name):
                    continue
                plain = statement is not None and self.parents.get(statement) in top
                found.setdefault(name, []).append(value if plain else None)
        return {name: tuple(values) for name, values in found.items()}

    def _is_local(self, node: cst.CSTNode, name: str) -> bool:
        """Whether a name that is bound here is one of a function or a class, not of the module."""
        for around in self.above(node):
            if isinstance(around, cst.FunctionDef):
                return name not in self._globals.get(around, ())
            if isinstance(around, cst.ClassDef):
                return True
        return False

    @cached_property
    def _globals(self) -> Mapping[cst.CSTNode, set[str]]:
        """The names that functions declare as global."""
        found: dict[cst.CSTNode, set[str]] = {}
        for node in self.all(cst.Global):
            function = next((each for each in self.above(node) if isinstance(each, cst.FunctionDef)), node)
            found.setdefault(function, set()).update(item.name.value for item in node.names)
        return found

    def scope_of(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return the function around a node, if it is in the body of one."""
        inner = node
        for around in self.above(node):
            if isinstance(around, cst.FunctionDef) and inner is around.body:
                return around
            inner = around
        return None

    @cached_property
    def classes(self) -> Mapping[str, cst.ClassDef]:
        """The classes of the module, by name."""
        return {node.name.value: node for node in self.all(cst.ClassDef)}

    def resolve(self, node: cst.BaseExpression) -> str:
        """Name what an expression is, with its import: ``celery.shared_task``; empty for what is no dotted name."""
        name = dotted(node)
        if name is None:
            return ""
        first, dot, rest = name.partition(".")
        return f"{self.imports.get(first, first)}{dot}{rest}"

    def reference(self, node: cst.BaseExpression) -> tuple[str, str]:
        """Say in which module a class is that a name stands for, and its name there."""
        resolved = self.resolve(node)
        name = dotted(node) or ""
        if name in self.classes and name not in self.imports:
            return self.name, name
        module, _, last = resolved.rpartition(".")
        return module, last

    @property
    def comes_out_as_it_was(self) -> bool:
        """Whether its tree gives its own bytes: form feeds, for one, are lost."""
        return self.tree.bytes == self.content

    def code(self, node: cst.CSTNode) -> str:
        """Write a node as it stands in the module."""
        return self.tree.code_for_node(node)


def parse(path: Path, name: str, content: bytes) -> Source:
    """Parse a module. Raises UnreadableSourceError."""
    try:
        tree = cst.parse_module(content)
    except cst.ParserSyntaxError as error:
        raise UnreadableSourceError(f"it is not Python that can be read (line {error.raw_line})") from None
    except RecursionError:
        raise UnreadableSourceError("it is nested too deep to be read") from None
    except (SyntaxError, UnicodeError, LookupError, ValueError) as error:
        raise UnreadableSourceError(f"its text can't be read ({error})") from None
    except Exception as error:  # noqa: BLE001 - a parser of another's: no file may stop the others
        raise UnreadableSourceError(f"it can't be parsed ({type(error).__name__})") from None
    parents: dict[cst.CSTNode, cst.CSTNode] = {}
    kinds: dict[type, list[cst.CSTNode]] = {}
    waiting: list[cst.CSTNode] = [tree]
    while waiting:
        node = waiting.pop()
        kinds.setdefault(type(node), []).append(node)
        children = [*below(node)]
        for child in children:
            parents[child] = node
        children.reverse()
        waiting += children
    return Source(path, name, content, tree, path.name == "__init__.py", parents, kinds)


def below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Go through the nodes right below a node, without white space."""
    for name in _fields(type(node)):
        value = getattr(node, name)
        if value.__class__ in _PLAIN:
            continue
        if isinstance(value, (list, tuple)):
            yield from (each for each in value if _is_node(each.__class__))
        elif _is_node(value.__class__):
            yield value


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """Name the fields of a type of node that can hold other nodes."""
    return tuple(name for name in kind.__dataclass_fields__ if "whitespace" not in name and name not in _SPACE_FIELDS)


@cache
def _is_node(kind: type) -> bool:
    """Whether a type is one of nodes; classes of LibCST are slow to ask."""
    return issubclass(kind, cst.CSTNode) and not issubclass(kind, _SPACE)


def dotted(node: cst.CSTNode | None) -> str | None:
    """Write a name, or names with dots, as text; None for any other expression."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr.value}"
    return None


def _bound(node: cst.CSTNode) -> Iterator[tuple[str, cst.BaseExpression | None, cst.CSTNode | None]]:
    """Name what a node binds, to which value, and by which statement, if that is a plain one."""
    if isinstance(node, cst.Assign):
        for target in node.targets:
            single = isinstance(target.target, cst.Name)
            for name in _names(target.target):
                yield name, node.value if single else None, node if single else None
    elif isinstance(node, cst.AnnAssign):
        yield from ((name, node.value, node) for name in _names(node.target) if node.value is not None)
    elif isinstance(node, (cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor)):
        yield from ((name, None, None) for name in _names(node.target))
    elif isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        yield node.name.value, None, None
    elif isinstance(node, cst.AsName):
        yield from ((name, None, None) for name in _names(node.name))
    elif isinstance(node, cst.ImportAlias) and node.asname is None:
        yield (dotted(node.name) or "").partition(".")[0], None, None


def _names(target: cst.BaseExpression) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _names(element.value)


def binds(function: cst.CSTNode, name: str) -> bool:
    """Whether a function has a parameter or a variable of this name."""
    waiting: list[cst.CSTNode] = [function]
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.Param) and node.name.value == name:
            return True
        if node is not function and any(bound == name for bound, _, _ in _bound(node)):
            return True
        if node is function or not isinstance(node, (*FUNCTIONS, cst.ClassDef)):
            waiting.extend(below(node))
    return False
