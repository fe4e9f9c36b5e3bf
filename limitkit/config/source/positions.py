"""Finds where the keys, values and table headers of a TOML text are, with tree-sitter."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import tomli
import tree_sitter_toml
from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from tree_sitter import Node

    from limitkit.config.wording import Path

_KEYS = frozenset({"bare_key", "quoted_key", "dotted_key"})
_BLOCK: Final = 1_000
_REST_OF_A_CHARACTER: Final = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that continue a character, and begin none."""


@dataclass
class Positions:
    """Rows and byte columns, from 0, of all keys and values; ``find`` turns them into lines and columns."""

    lines: list[bytes]
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    headers: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _implied: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _lengths: dict[Path, int] = field(default_factory=dict)
    """How many tables an array of tables has so far."""
    _counts: dict[int, list[int]] = field(default_factory=dict)
    """By row: the number of characters before each thousand of bytes, as far as it was needed."""

    @classmethod
    def of(cls, text: str) -> Positions:
        """Find all places in a text that tomli has accepted."""
        source = text.encode()
        places = cls(source.split(b"\n"))
        for node in _root(source).named_children:
            if node.type == "pair":
                places._pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                places._table(node)
        return places

    def find(self, path: Path, at: str) -> tuple[int, int]:
        """Line and column, from 1, in Unicode characters; those of the nearest table around it when it isn't known."""
        tables = (self.headers, self._implied, self.keys)
        wanted = {"key": (self.keys, *tables), "value": (self.values, *tables), "header": tables}[at]
        while path:
            for places in wanted:
                if path in places:
                    row, column = places[path]
                    return row + 1, self._characters(row, column) + 1
            path, wanted = path[:-1], tables
        return 1, 1

    def _characters(self, row: int, column: int) -> int:
        """Count the characters before a byte, from the last thousand on: a file may be one long line."""
        line, counts = self.lines[row], self._counts.setdefault(row, [0])
        while len(counts) <= column // _BLOCK:
            counts.append(counts[-1] + _length(line[_BLOCK * (len(counts) - 1) : _BLOCK * len(counts)]))
        at = column // _BLOCK
        return counts[at] + _length(line[_BLOCK * at : column])

    @cached_property
    def comments(self) -> list[tuple[int, int, str]]:
        """Row and column, from 0, in Unicode characters, and text, in order; read anew, since few files are asked."""
        found = []
        todo = [_root(b"\n".join(self.lines))]
        while todo:
            node = todo.pop()
            if node.type == "comment":
                row, column = node.start_point.row, node.start_point.column
                found.append((row, self._characters(row, column), (node.text or b"").decode()))
            todo.extend(reversed(node.children))
        return found

    def _table(self, node: Node) -> None:
        children = node.named_children
        if not children or children[0].type not in _KEYS:
            return
        place = (node.start_point.row, node.start_point.column)
        path: Path = ()
        parts = _parts(children[0])
        for index, (name, part) in enumerate(parts):
            path = (*path, name)
            self.keys.setdefault(path, part)
            last = index == len(parts) - 1
            if last and node.type == "table_array_element":
                self.values.setdefault(path, place)
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            self._implied.setdefault(path, place)
        self.headers[path] = place
        self.values.setdefault(path, place)
        for child in children[1:]:
            if child.type == "pair":
                self._pair(child, path)

    def _pair(self, node: Node, table: Path) -> None:
        """Note a pair, and the pairs in its value; with a stack, since nesting may be too deep for recursion."""
        todo: list[tuple[Node, Path]] = [(node, table)]
        while todo:
            pair, around = todo.pop()
            children = pair.named_children
            if len(children) < 2 or children[0].type not in _KEYS:  # noqa: PLR2004 - a key and a value
                continue
            path = around
            for name, part in _parts(children[0]):
                path = (*path, name)
                self.keys.setdefault(path, part)
                self._implied.setdefault(path, part)
            todo.extend(self._value(children[1], path))

    def _value(self, node: Node, path: Path) -> list[tuple[Node, Path]]:
        pairs: list[tuple[Node, Path]] = []
        todo: list[tuple[Node, Path]] = [(node, path)]
        while todo:
            value, where = todo.pop()
            self.values[where] = (value.start_point.row, value.start_point.column)
            if value.type == "array":
                items = [child for child in value.named_children if child.type not in {"comment", "ERROR"}]
                todo.extend((item, (*where, index)) for index, item in enumerate(items))
            elif value.type == "inline_table":
                if isinstance(where[-1], int):  # it has no header or key: it begins here
                    self._implied.setdefault(where, self.values[where])
                pairs.extend((child, where) for child in value.named_children if child.type == "pair")
        return pairs


def long_number(text: str, digits: int) -> tuple[int, int]:
    """Return line and column, from 1, of the first whole number with more digits than this; 1 and 1 without one."""
    todo = [_root(text.encode())]
    while todo:
        node = todo.pop()
        if node.type == "integer" and node.end_byte - node.start_byte > digits:
            lines = Positions(text.encode().split(b"\n"), keys={("",): (node.start_point.row, node.start_point.column)})
            return lines.find(("",), "key")
        todo.extend(reversed(node.children))
    return 1, 1


def _root(source: bytes) -> Node:
    return Parser(Language(tree_sitter_toml.language())).parse(source).root_node


def _length(text: bytes) -> int:
    return len(text.translate(None, _REST_OF_A_CHARACTER))


def _parts(node: Node) -> list[tuple[str, tuple[int, int]]]:
    """Split a key into its names, each with its place."""
    parts = []
    while node.type == "dotted_key":
        inner = node.named_children
        parts.append(_name(inner[-1]))
        node = inner[0]
    return [_name(node), *reversed(parts)]


def _name(node: Node) -> tuple[str, tuple[int, int]]:
    text = (node.text or b"").decode()
    if node.type == "quoted_key":
        # tomli reads escapes: it is the parser of record.
        text = next(iter(tomli.loads(f"{text} = 0"))) if "\\" in text else text[1:-1]
    return text, (node.start_point.row, node.start_point.column)
