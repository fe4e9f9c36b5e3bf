"""Writes the output of commands: data on standard output, one problem a line, tables as wide as they need to be.

Some of it comes from outside: names in the file, reasons, what workers and stores answer. ``say`` escapes whatever
could break a line or control a terminal, except ``Drawn`` text, whose parts were escaped before.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from limitkit.cli.github_log import harmless, no_command, on_github
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from limitkit.errors import Problem

_WIDEST = 10_000  # rich would fold at the terminal's width, or at 80 in a pipe


class Drawn(str):
    """Text that is written as it is, with colors and line ends: its parts were escaped when it was made."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> list[str]:  # noqa: FBT001, FBT002 (as str has it)
        """Return the lines, which may be written as they are, too."""
        return [Drawn(line) for line in super().splitlines(keepends)]


class Command(Drawn):
    """A command for the log of GitHub Actions, or a document: there, nothing else is taken for one."""

    __slots__ = ()


class Unusable(click.ClickException):
    """Something outside of the config can't be used: exit status 2, one line on standard error."""

    exit_code = 2

    def show(self, file: Any = None) -> None:  # noqa: ARG002 (click passes it)
        """Write the error to standard error."""
        say(f"limitkit: {self.format_message()}", err=True)


def say(*lines: str, err: bool = False) -> None:
    """Write lines; characters that the stream's encoding does not have are escaped, too.

    Raises Unusable when standard output can't be written. A reader that has closed the pipe is no error: it has what it
    wanted, and the exit status still counts.
    """
    if not lines:
        return
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = "\n".join(map(_safe, lines))
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    if stream is None:  # it was closed: >&-
        unwritable(OSError(errno.EBADF, os.strerror(errno.EBADF)), err=err)
    try:
        click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)
    except OSError as error:
        unwritable(error, err=err)


def _safe(line: str) -> str:
    """Escape what could control a terminal; for GitHub Actions, which reads both streams, what could be a command."""
    if isinstance(line, Command):
        return line
    if not on_github():
        return line if isinstance(line, Drawn) else one_line(line)
    if not isinstance(line, Drawn):
        return harmless(line)
    return "\n".join(map(no_command, click.unstyle(line).split("\n")))  # colors would hide how a line begins


def unwritable(error: OSError, *, err: bool = False) -> None:
    """Stop writing to a stream. Raises Unusable when it is standard output, and its reader has not closed it."""
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # else Python would try to write the rest at exit, and print a traceback
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    if not err and error.errno != errno.EPIPE:
        raise Unusable(f"standard output can't be written ({error.strerror or error}); send it where it can")


@contextmanager
def written() -> Iterator[None]:
    """Have click's own output, help and wrong usage, escaped and written as everything else."""
    try:
        yield
    except click.UsageError as error:
        said = error.format_message()
        if said.isprintable() or isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            raise
        raise click.UsageError(one_line(said), error.ctx) from None
    except OSError as error:
        if not (_is_stuck(sys.stdout) or _was_written_by_click(error)):
            raise
        unwritable(error)
        raise click.exceptions.Exit(0) from None


def _is_stuck(stream: Any) -> bool:
    """Whether a stream has buffered output that can't be written."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def _was_written_by_click(error: OSError) -> bool:
    """Whether click's own writing has failed: without buffering (PYTHONUNBUFFERED), no stream is stuck then."""
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    return frame.f_code is click.echo.__code__


def say_json(value: Any) -> None:
    """Write a value as JSON, for programs. In a log of GitHub Actions, ``##[`` would begin a command."""
    say(Command(json.dumps(value, indent=2).replace("##[", "\\u0023#[")))


def show_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """Write problems, each on a line of its own."""
    for problem in problems:
        place = styled(f"{problem.path}:{problem.line}:{problem.column}:", bold=True)
        code = styled(problem.code, fg="red" if problem.severity == "error" else "yellow")
        say(Drawn(f"{place} {code} {one_line(problem.message)}"), err=err)


def styled(text: str, **how: Any) -> Drawn:
    """Give a text colors and the like, as ``click.style`` does."""
    return Drawn(click.style(one_line(text), **how))


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = (), plain: bool = False
) -> Drawn:
    """Align rows under their headings; the columns in ``numbers`` to the right. With ``plain`` it has no colors."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(heading, no_wrap=True, justify="right" if heading in numbers else "left")
    for row in rows:
        grid.add_row(*(Text(one_line(cell)) for cell in row))  # rich would read a plain string's [red] and :bomb:
    colored = is_terminal() and not plain and not os.environ.get("NO_COLOR")
    page = io.StringIO()
    console = Console(file=page, width=_WIDEST, force_terminal=colored, no_color=not colored, highlight=False)
    console.print(grid)
    return Drawn("\n".join(line.rstrip() for line in page.getvalue().split("\n")).rstrip("\n"))


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()
