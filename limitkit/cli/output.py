"""How commands write: data on standard output, one problem a line, tables as wide as they need to be."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from limitkit.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.errors import Problem

_WIDEST = 10_000  # rich would fold at the terminal's width, or at 80 in a pipe


def say(text: str, *, err: bool = False) -> None:
    """Write a line; what the stream's encoding can't say is escaped."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


def show_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """Write problems, each on a line of its own."""
    for problem in problems:
        place = click.style(f"{problem.path}:{problem.line}:{problem.column}:", bold=True)
        code = click.style(problem.code, fg="red" if problem.severity == "error" else "yellow")
        say(f"{place} {code} {problem.message}", err=err)


def count(number: int, thing: str) -> str:
    """Count things: ``1 error``, ``2 errors``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """Write a length of time for people, in two units: ``4m 10s``."""
    if seconds < 1:
        return f"{seconds:.1f}s"
    left = round(seconds)
    told: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or told:
            told.append(f"{number}{unit}")
    return " ".join(part for part in told[:2] if not part.startswith("0"))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> str:
    """Align rows under their headings; the columns in ``numbers`` to the right."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(heading, no_wrap=True, justify="right" if heading in numbers else "left")
    for row in rows:
        grid.add_row(*(escape(one_line(cell)) for cell in row))
    colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    page = io.StringIO()
    console = Console(file=page, width=_WIDEST, force_terminal=colored, no_color=not colored, highlight=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())
