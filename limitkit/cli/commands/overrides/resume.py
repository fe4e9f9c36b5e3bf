"""``limitkit resume``: ends a pause."""

from __future__ import annotations

import click

from limitkit.cli.change_summary import how_soon, look, show
from limitkit.cli.manager_command import managed, of, of_partition
from limitkit.cli.options import common, examples
from limitkit.cli.output import say


@click.command(
    "resume",
    short_help="End a pause.",
    epilog=examples(
        "limitkit resume stripe_api -A shop",
        "limitkit resume tenant --partition acme -A shop",
    ),
)
@click.argument("limit")
@of_partition
@common
@click.pass_context
def command(ctx: click.Context, limit: str, *, partition: str | None, app: str | None, config: str | None) -> None:
    """Let tasks start under LIMIT again; a rate that was set before the pause holds again, until it is restored.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern. It need not be in the file any more.

    Exit status: 0 done, or it was not paused, 1 the file has problems, 2 there is no such limit, or the store or the
    broker can't be asked.
    """
    with managed(ctx, app, config) as manager:
        before = look(manager)
        manager.resume(limit, partition=partition)
        if show(before, look(manager)):
            say(how_soon(manager) if manager.override_store is not None else "These workers start them again now.")
        else:
            say(f"{limit}{of(partition)} was not paused.")
