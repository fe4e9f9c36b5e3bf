"""What a command says that ctrl-C stops while it plays something."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from limitkit.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import click

STOPPED: Final = 130
"""The exit status after ctrl-C, as shells have it."""


@contextmanager
def stopped_with(ctx: click.Context, said: Callable[[], str]) -> Iterator[None]:
    """Exit with ``STOPPED`` on ctrl-C, after one line on standard error in place of a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"limitkit: {said()}", err=True)
        ctx.exit(STOPPED)
