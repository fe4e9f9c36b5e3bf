"""``limitkit top``: status, again and again."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from limitkit.cli.manager_command import reported_errors
from limitkit.cli.options import common, examples
from limitkit.cli.output import Drawn, Unusable, say
from limitkit.cli.status_source import status_source
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.control.status.snapshot import Snapshot

_EVERY: Final = 1.0
"""Seconds between two screens."""
_PATIENCE: Final = 0.5
"""Seconds for workers to answer."""


@click.command(
    "top",
    short_help="Show status live, until q or Ctrl-C.",
    epilog=examples(
        "limitkit top -A shop",
        "limitkit top tenant -A shop",
    ),
)
@click.argument("limit", required=False)
@common
@click.pass_context
def command(ctx: click.Context, limit: str | None, *, app: str | None, config: str | None) -> None:
    """Show status live, again each second, until q or Ctrl-C. Without a terminal, it is shown once.

    With a LIMIT, only that is shown, and its busiest partitions.

    Exit status: 0 fine, 1 the file has problems, 2 there is no such limit, or the store or the broker can't be asked
    at the start.
    """
    with status_source(ctx, app, config) as look:

        def seen() -> Snapshot:
            snapshot = look.snapshot(_PATIENCE)
            return look.only(snapshot, limit) if limit is not None else snapshot

        snapshot = seen()
        one = limit is not None
        if not (sys.stdout.isatty() and sys.stdin.isatty()):
            say(*_lines(snapshot, one=one))
            ctx.exit(look.exit_status)
        console = Console(no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
        failure = ""
        with (
            _keys(),
            Live(console=console, screen=True, auto_refresh=False) as live,
            suppress(KeyboardInterrupt),
        ):
            while True:
                at = time.monotonic()
                live.update(_page(snapshot, failure, *console.size, one=one), refresh=True)
                if _is_over(at + _EVERY):
                    return
                try:
                    with reported_errors():
                        snapshot, failure = seen(), ""
                except Unusable as error:
                    failure = f"{error.format_message()} It is tried again each second."


def _lines(snapshot: Snapshot, failure: str = "", width: int | None = None, *, one: bool) -> list[str]:
    from limitkit.cli.status_view import head, limits, partitions  # noqa: PLC0415 (likewise)
    from limitkit.cli.table_width import wrapped  # noqa: PLC0415 (quick to start without)

    said = [failure, *head(snapshot)[1:]] if failure else head(snapshot)
    lines = [line for each in said for line in wrapped(each, width, "  ")]
    lines += ["", *limits(snapshot, every=one, width=width)]
    return [*lines, *(line for row in snapshot.rows if one for line in partitions(row, snapshot, width))]


def _page(snapshot: Snapshot, failure: str, width: int, height: int, *, one: bool) -> Text:
    """Fill the terminal; if it is too small, a line says how much is left out."""
    from limitkit.cli.table_width import cut_to  # noqa: PLC0415 (quick to start without)

    page = cut_to([f"{time.strftime('%H:%M:%S')}  q ends", *_lines(snapshot, failure, width, one=one)], width, height)
    fit = (line if isinstance(line, Drawn) else one_line(line) for line in page)
    return Text.from_ansi("\n".join(fit), no_wrap=True, overflow="crop")


@contextmanager
def _keys() -> Iterator[None]:
    """Read each key at once, without showing it."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _is_over(end: float) -> bool:
    """Wait until ``end`` of the monotonic clock; returns whether q was pressed, or standard input was closed."""
    while (left := end - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left)[0] and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b""):
            return True
    return False
