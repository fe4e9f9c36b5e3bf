"""Fits tables into a terminal: the most important columns stay, and the others are left out and named."""

from __future__ import annotations

import io
import shutil
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from limitkit.cli.output import is_terminal, table
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GAP: Final = 2
_SHORTEST: Final = 8
"""The least cells that are left of a name."""
_LEAST: Final = 20
"""Cells: a narrower terminal counts as this wide."""
_INDENT: Final = "    "


def width_of_terminal() -> int | None:
    """Return how wide a line may be; None if standard output is not a terminal."""
    return max(_LEAST, shutil.get_terminal_size().columns) if is_terminal() else None


def as_wide_as_the_terminal(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    first: Sequence[str] = (),
) -> list[str]:
    """Draw a table with all its columns, or with those that fit the terminal: by ``first``, else in their order."""
    return fitted(headings, rows, width=width_of_terminal(), first=first or headings, numbers=numbers, always=headings)


def fitted(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int | None,
    first: Sequence[str],
    numbers: Sequence[str] = (),
    below: str = "",
    always: Sequence[str] = (),
) -> list[str]:
    """Draw a table in lines of at most ``width`` cells; None is as wide as need be.

    Columns with nothing in them are left out, but for those that are shown ``always``.
    If it is too wide, the column ``below`` goes under its rows. Then columns are left out, beginning with the last of
    ``first``, and a line below says which. At last the texts of the first column are cut, and end with an …
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    filled = [any(row[at] not in ("", "-") for row in cells) for at in range(len(headings))]
    kept = [at for at, heading in enumerate(headings) if filled[at] or heading in always or not at]
    if not cells:
        return []
    widest = {at: max(cell_len(text) for text in (headings[at], *(row[at] for row in cells))) for at in kept}
    under, hidden = None, []
    if width is not None:
        if _total(widest, kept) > width and below in headings and headings.index(below) in kept:
            under = headings.index(below)
            kept.remove(under)
        while _total(widest, kept) > width and len(kept) > 2:  # noqa: PLR2004 (a name, and one more column)
            last = max(kept, key=lambda at: first.index(headings[at]))
            kept.remove(last)
            hidden.append(headings[last])
        _cut(cells, kept, width, widest)
    drawn = table([headings[at] for at in kept], [[row[at] for at in kept] for row in cells], numbers=numbers)
    lines = drawn.splitlines()
    if under is not None:
        pairs = zip_longest(lines[1:], cells, fillvalue="")  # a last row of blanks has no line
        lines = [lines[0], *(line for drawn, row in pairs for line in (drawn, *_under(row[under], width)))]
    if hidden:
        names = [heading for heading in headings if heading in hidden]
        sign = f"Not shown, since this window is too narrow: {', '.join(names)}."
        lines += wrapped(sign, width)
    return lines


def wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """Break a line where it is too long; None is as long as need be."""
    text = one_line(text)
    if width is None or cell_len(text) <= width:
        return [text]
    first, *rest = _folded(text, width)
    return [first, *(indent + line for line in _folded(" ".join(rest), width - cell_len(indent)))] if rest else [first]


def _folded(text: str, width: int) -> list[str]:
    """Break a text at its blanks, by cells: some characters take two."""
    console = Console(file=io.StringIO(), width=width)
    return [line.plain.rstrip() for line in Text(text).wrap(console, width, overflow="fold")]


def cut_to(lines: Sequence[str], width: int, height: int) -> list[str]:
    """Leave out the lines that don't fit into the terminal's height; the last line says how many."""
    if len(lines) <= height:
        return list(lines)
    shown = lines[: max(0, height - 1)]
    return [*shown, shortened(f"{len(lines) - len(shown)} more lines: a higher window shows them", width)]


def shortened(text: str, width: int) -> str:
    """Cut a text that is too long in its middle: similar names mostly differ at their ends."""
    if cell_len(text) <= width:
        return text
    end, left = 0, (width - 1) // 2
    while (size := cell_len(text[-end - 1])) <= left:
        end, left = end + 1, left - size
    tail = text[len(text) - end :]
    return f"{set_cell_size(text, width - 1 - cell_len(tail)).rstrip()}…{tail}"


def _total(widest: dict[int, int], kept: Sequence[int]) -> int:
    return sum(widest[at] for at in kept) + _GAP * (len(kept) - 1)


def _cut(cells: list[list[str]], kept: Sequence[int], width: int, widest: dict[int, int]) -> None:
    """Cut the first column's texts, and if that is not enough, the others'."""
    left = width - _total(widest, kept)
    for at in kept:
        if left >= 0:
            return
        size = min(widest[at], max(_SHORTEST, widest[at] + left))
        left += widest[at] - size
        for row in cells:
            row[at] = shortened(row[at], size)


def _under(text: str, width: int | None) -> list[str]:
    if not text or width is None:
        return []
    return [_INDENT + line for line in _folded(text, width - len(_INDENT))]
