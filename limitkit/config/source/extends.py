"""Reads the files that a file extends, and merges them: key by key, what is nearer to the file that is used wins."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.source import read_file, toml, unquoted_names
from limitkit.config.wording import quote
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    from limitkit.config.source.toml import Document
    from limitkit.errors import Problem

KEY: Final = "extends"
MOST: Final = 10
"""Files that one file may extend, one through the other. More is a mistake, or a tangle."""
_CODE_UNREADABLE: Final = "LK100"
_CODE_CIRCLE: Final = "LK101"
_SHOWN: Final = 200


def whole(document: Document, tried: list[str] | None = None) -> tuple[Document, list[Problem]]:
    """Return a document with all that it extends, names as they are meant, and the problems with both.

    The paths of all files that it extends are added to ``tried``, also of one that can't be read: a worker watches
    them. Raises ConfigError when one of them can't be read, is no TOML, or extends itself.
    """
    problems: list[Problem] = []
    files: list[Document] = []
    seen = {_identity(document)}
    each: Document | None = document
    while each is not None:
        meant, unquoted = unquoted_names.meant(each)
        files.append(meant)
        problems += unquoted
        each = _base(each, problems, [] if tried is None else tried, first=each is document)
        if each is not None:
            _must_end(files, each, seen)
    merged = files[-1].data
    for file in reversed(files[:-1]):
        merged = _over(file.data, {key: value for key, value in merged.items() if key != KEY})
    return (files[0] if len(files) == 1 else replace(files[0], data=merged, files=tuple(files))), problems


def _base(document: Document, problems: list[Problem], tried: list[str], *, first: bool) -> Document | None:
    """Read the file that a file extends; None when it extends none. Raises ConfigError."""
    named = document.data.get(KEY)
    if not isinstance(named, str):
        if named is not None and not first:  # that of the first file is in the data, and checked with them
            fact = "what it extends is not the path of a file"
            problems.append(document.problem(_CODE_UNREADABLE, (KEY,), fact, 'write a string, e.g. "base.toml"'))
        return None
    shown, real = _beside(document.path, named, piped=document.piped), _beside(document.real, named)
    if not os.path.lexists(real) and os.path.islink(document.real):  # noqa: PTH114 - the path may be anything
        # A link to a file in another folder: there it has its base beside it.
        beside = _beside(os.path.realpath(document.real), named)
        real = beside if os.path.lexists(beside) else real
    tried.append(real)
    try:
        content = read_file.of_file(real)
    except read_file.UnreadableError as error:
        fact = f"the file {quote(shown, _SHOWN)} {error.fact}"
        hint = f"{error.hint}; it is looked for beside the file that extends it"
        raise ConfigError([*problems, document.problem(_CODE_UNREADABLE, (KEY,), fact, hint)]) from None
    return replace(toml.parse(content, shown), real=real)


def _must_end(files: list[Document], base: Document, seen: set[object]) -> None:
    """Raise ConfigError when a file is extended by itself, or by too many."""
    identity = _identity(base)
    if identity in seen:
        fact = f"{quote(base.path, _SHOWN)} extends itself, over {len(files)} file{'s' if len(files) > 1 else ''}"
        raise ConfigError([files[-1].problem(_CODE_CIRCLE, (KEY,), fact, "let one of them extend nothing")])
    if len(files) > MOST:
        fact = f"this would be the {MOST + 1}th file that is extended, one through the other"
        raise ConfigError([files[-1].problem(_CODE_CIRCLE, (KEY,), fact, "write what they say into fewer files")])
    seen.add(identity)


def _identity(document: Document) -> object:
    """Return what tells files apart, whatever path or link leads to them."""
    try:
        found = os.stat(document.real)  # noqa: PTH116 - the path may be anything
    except (OSError, ValueError):
        return document.real
    return found.st_dev, found.st_ino


def _beside(path: str, named: str, *, piped: bool = False) -> str:
    """Return a path that a file names: from its folder on, or from the working folder on for what a shell passes."""
    return os.path.join("" if piped else os.path.dirname(path), named)  # noqa: PTH118, PTH120 - as it was given


def _over(top: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Merge two tables key by key, with the keys of the first in front; arrays are not merged."""
    made = dict(top)
    for key, below in base.items():
        here = made.get(key)
        if key not in made:
            made[key] = below
        elif isinstance(here, dict) and isinstance(below, dict):
            made[key] = _over(here, below)
    return made
