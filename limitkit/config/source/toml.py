"""A config file: its TOML as plain values, and where each key and value is.

tomli is the parser of record: it decides what the data are, and what is rejected. tree-sitter only says where things
are; if it can't parse a part, a problem is placed at the nearest key that it knows.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import tomli

from limitkit.config.source import read_file, syntax_hints
from limitkit.config.source.positions import Positions, long_number
from limitkit.config.wording import dotted, sentence
from limitkit.errors import ConfigError, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.config.wording import Path

At = Literal["key", "value", "header"]
_FIRST = "version = 1 and the limits"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Document:
    """A file's data, and the places of its keys, values and table headers."""

    path: str
    text: str
    data: dict[str, Any]
    moved: Mapping[Path, Path] = field(default_factory=dict)
    """The paths in the file of entries that have another name in the data."""
    piped: bool = False
    """Whether a shell has passed it: then it is in no folder, and can't be read again."""
    real: str = ""
    """The path that it was read from; ``path`` is the one that people see."""
    files: tuple[Document, ...] = ()
    """With ``extends``: the files that its data come from, each with its own, this one first. Empty for one file."""

    @cached_property
    def places(self) -> Positions:
        """Where each key, value and header is; found on first use."""
        return Positions.of(self.text)

    @property
    def layers(self) -> tuple[Document, ...]:
        """The files that its data come from, this one first."""
        return self.files or (self,)

    def place(self, path: Path, at: At = "value") -> tuple[int, int]:
        """Line and column of a key, a value or a table's header, or of the nearest one around it."""
        return self.source(path).own_place(path, at)

    def own_place(self, path: Path, at: At = "value") -> tuple[int, int]:
        """Line and column in this very file, whatever it extends."""
        path = (*self.moved.get(path[:2], path[:2]), *path[2:])
        return self.places.find(path, at)

    def source(self, path: Path) -> Document:
        """Return the file that a value is from: of those that have the most of its path, the first."""
        return max(self.files, key=lambda file: _depth(file.data, path)) if self.files else self

    def in_order(self, problems: Iterable[Problem]) -> list[Problem]:
        """Sort problems by place: this file's first, then those of the files that it extends."""
        order = {file.path: index for index, file in reversed(list(enumerate(self.layers)))}
        return sorted(problems, key=lambda each: (order.get(each.path, 0), each.line, each.column))

    def problem(
        self, code: str, path: Path, fact: str, hint: str, *, at: At = "value", severity: Severity = "error"
    ) -> Problem:
        """Make a problem that names the key, and is placed at the key, its value, or its table's header."""
        file = self.source(path)
        line, column = file.own_place(path, at)
        fact, hint = sentence(f"{dotted(path)}: {fact}" if path else fact), sentence(hint)
        return Problem(file.path, line, column, code, f"{fact}; {hint}" if hint else fact, hint, severity)


def read(path: str | os.PathLike[str], shown: str | None = None, *, first: str = _FIRST) -> Document:
    """Read and parse a file; its problems are reported under ``shown``, by default the path itself.

    ``first`` is what should stand in an empty one.

    Raises ConfigError, with ``unreadable`` set when the file can't be read at all.
    """
    shown = str(path) if shown is None else shown
    try:
        content = read_file.of_file(path)
    except read_file.UnreadableError as error:
        raise _unreadable(shown, error) from None
    return replace(parse(content, shown, first=first), real=os.fspath(path))


def read_pipe(path: str, *, first: str = _FIRST) -> Document | None:
    """Read and parse what a shell passes (``-``, ``<(...)``); None for any other path. Raises ConfigError."""
    try:
        content = read_file.of_pipe(path)
    except read_file.UnreadableError as error:
        raise _unreadable(path, error) from None
    return None if content is None else replace(parse(content, path, first=first), piped=True)


def parse(content: str | bytes, path: str, *, first: str = _FIRST) -> Document:
    """Parse TOML; problems are reported under ``path``. Raises ConfigError for a text that is not TOML."""
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if content.startswith(_BOM):
        raise _refused(path, (1, 1), "LK003", "the file begins with a byte order mark", "save it as UTF-8 without BOM")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(path, content, error) from None
    if not text.strip():
        raise _refused(path, (1, 1), "LK004", "the file is empty", f"write {first}, or remove it")
    try:
        return Document(path, text, tomli.loads(text))
    except tomli.TOMLDecodeError as error:
        place, fact, hint = syntax_hints.explain(error)
        raise _refused(path, place, "LK005", fact, hint) from None
    except RecursionError:
        fact, hint = "values are nested too deep to be read", "a config needs three levels"
        raise _refused(path, (1, 1), "LK005", fact, hint) from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        place = long_number(text, sys.get_int_max_str_digits())
        raise _refused(path, place, "LK005", "a number has too many digits", "write a smaller one") from None


def _depth(data: Any, path: Path) -> int:
    """Count the steps of a path that are there."""
    for depth, step in enumerate(path):
        if not _has(data, step):
            return depth
        data = data[step]
    return len(path)


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, dict) and step in data


def _not_utf8(path: str, content: bytes, error: UnicodeDecodeError) -> ConfigError:
    place = _line_and_column(content[: error.start].decode(), error.start)
    fact = f"the byte 0x{content[error.start]:02x} is not UTF-8, which TOML must be"
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    hint = "it looks like UTF-16; save it as UTF-8" if utf16 else "save the file as UTF-8"
    return _refused(path, place, "LK002", fact, hint)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _refused(path: str, place: tuple[int, int], code: str, fact: str, hint: str) -> ConfigError:
    fact, hint = sentence(fact), sentence(hint)
    return ConfigError([Problem(path, *place, code, f"{fact}; {hint}", hint)])


def _unreadable(path: str, error: read_file.UnreadableError) -> ConfigError:
    problem = Problem(path, 1, 1, error.code, f"the file {error.fact}; {error.hint}", error.hint)
    return ConfigError([problem], unreadable=True)
