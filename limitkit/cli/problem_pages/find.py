"""Finds pages by their codes: in the installed package, or in ``docs/problems`` of a checkout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from limitkit.cli.problem_pages.page import Page, parse

_PLACES: Final = (Path(__file__).parents[2] / "problems", Path(__file__).parents[3] / "docs" / "problems")
_CODE: Final = re.compile(r"(?:LK)?0*([0-9]{1,3})", re.IGNORECASE)


def folder() -> Path:
    """Return the folder of the pages; that of a wheel comes first."""
    return next((place for place in _PLACES if place.is_dir()), _PLACES[-1])


def codes() -> list[str]:
    """Name all codes that have a page, in their order."""
    return sorted(file.stem for file in folder().glob("LK[0-9][0-9][0-9].md"))


def code_of(word: str) -> str:
    """Write a code as limitkit does: ``lk012`` and ``12`` are LK012. What can be no code stays as it is."""
    number = _CODE.fullmatch(word)
    return f"LK{int(number[1]):03}" if number else word


def find(code: str) -> Page | None:
    """Return the page of a code as limitkit writes it; None when it has none."""
    if not re.fullmatch(r"LK[0-9]{3}", code):
        return None
    file = folder() / f"{code}.md"
    return parse(file.read_text(encoding="utf-8")) if file.is_file() else None
