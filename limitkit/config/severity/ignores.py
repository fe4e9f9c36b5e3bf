"""Reads the comments that ignore problems: ``# limitkit: ignore[LK030]`` on a line, or alone on the line before it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from limitkit.config.severity.codes import CHANGEABLE, MALFORMED, cant_change
from limitkit.config.wording import quote, sentence
from limitkit.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.source.toml import Document

_MARK: Final = "limitkit:"
_IGNORE: Final = re.compile(r"limitkit:[ \t]*ignore(?![A-Za-z0-9_-])[ \t]*(?P<codes>\[[^\]]*\])?", re.IGNORECASE)
_CODE: Final = re.compile(r"[^\s,\[\]]+")
_EXAMPLE: Final = "write # limitkit: ignore[LK030]"


@dataclass(frozen=True, slots=True)
class Ignore:
    """One code that a comment ignores on a line."""

    code: str
    path: str
    line: int
    """The line whose problems are ignored."""
    at: tuple[int, int]
    """Line and column of the code in the comment."""


def of(document: Document) -> tuple[list[Ignore], list[Problem]]:
    """Return what the comments of a document, and of the files that it extends, ignore; and what is wrong with them."""
    ignores: list[Ignore] = []
    problems: list[Problem] = []
    for file in document.layers:
        if _MARK in file.text.lower():
            for line, column, text, target in _comments(file):
                for found in _IGNORE.finditer(text):
                    _read(found, file, (line, column, target), ignores, problems)
    return ignores, problems


def _read(
    found: re.Match[str],
    file: Document,
    where: tuple[int, int, int],
    ignores: list[Ignore],
    problems: list[Problem],
) -> None:
    line, column, target = where
    codes = list(_CODE.finditer(found["codes"] or ""))
    if not codes:
        fact = "this comment names no problem, so it ignores none"
        problems.append(_problem(file, line, column + found.start(), fact, _EXAMPLE))
    for each in codes:
        code, at = each[0].upper(), column + found.start("codes") + each.start()
        if code in CHANGEABLE:
            ignores.append(Ignore(code, file.path, target, (line, at)))
        else:
            fact, hint = cant_change(code)
            shown = "" if fact.startswith(code) else f"{quote(each[0])}: "
            problems.append(_problem(file, line, at, f"{shown}{fact}", hint))


def _comments(file: Document) -> Iterator[tuple[int, int, str, int]]:
    """Go through the comments: line and column, text, and the line that each is about."""
    lines = file.text.split("\n")
    alone = {row for row, _, text in file.places.comments if lines[row].strip() == text.strip()}
    for row, column, text in file.places.comments:
        about = row
        if row in alone:
            after = (each for each in range(row + 1, len(lines)) if each not in alone and lines[each].strip())
            about = next(after, row)
        yield row + 1, column + 1, text, about + 1


def _problem(file: Document, line: int, column: int, fact: str, hint: str) -> Problem:
    fact = sentence(fact)
    return Problem(file.path, line, column, MALFORMED, f"{fact}; {hint}", hint, "warning")
