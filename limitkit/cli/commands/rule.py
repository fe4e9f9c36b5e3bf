"""``limitkit rule``: prints the page of a problem code, which says what it means and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from limitkit.cli.options import examples
from limitkit.cli.output import Drawn, Unusable, is_terminal, say
from limitkit.cli.problem_pages import find
from limitkit.cli.table_width import width_of_terminal
from limitkit.config.wording import quote, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.cli.problem_pages.page import Page


@click.command(
    "rule",
    short_help="Say what a problem code means, and what to do.",
    epilog=examples("limitkit rule LK012", "limitkit rule 12 22", "limitkit rule --list"),
)
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@click.option("--list", "listed", is_flag=True, help="Print all codes, each with its title.")
@click.pass_context
def command(ctx: click.Context, codes: Sequence[str], *, listed: bool) -> None:
    """Say what problem codes mean, and what to do; with examples.

    A code may be written short: LK012, lk012 and 12 are the same.

    Exit status: 0 fine, 2 there is no such code.
    """
    if bool(codes) == listed:
        raise click.UsageError("name one code or more, e.g. LK012, or give --list", ctx)
    if listed:
        say(*(f"{page.code} {page.title}" for code in find.codes() if (page := find.find(code))))
        return
    pages = [_page(word) for word in dict.fromkeys(map(find.code_of, codes))]
    for number, page in enumerate(pages):
        say(*([""] if number else []), Drawn(_drawn(page) if is_terminal() else page.text.rstrip("\n")))


def _page(code: str) -> Page:
    page = find.find(code)
    if page is None:
        hint = suggest(code, find.codes()) or "limitkit rule --list has all of them"
        raise Unusable(f"there is no problem {quote(code)}; {hint}")
    return page


def _drawn(page: Page) -> str:
    """Draw a page for a terminal."""
    from rich.console import Console  # noqa: PLC0415 (as below)
    from rich.markdown import Markdown  # noqa: PLC0415 (a tenth of a second, which no other command needs)

    plain = bool(os.environ.get("NO_COLOR"))
    console = Console(width=width_of_terminal(), force_terminal=True, no_color=plain, highlight=False)
    with console.capture() as drawn:
        console.print(Markdown(page.text, code_theme="ansi_dark", hyperlinks=not plain))
    return drawn.get().rstrip("\n")
