"""``limitkit status``: what is in force for each limit, and what waits for it."""

from __future__ import annotations

import click

from limitkit.cli.options import common, examples
from limitkit.cli.output import say, say_json
from limitkit.cli.status_source import status_source


@click.command(
    "status",
    short_help="Show what is in force for each limit, and what waits.",
    epilog=examples(
        "limitkit status -A shop",
        "limitkit status stripe_api -A shop",
        "limitkit status --all --output-format json -A shop",
    ),
)
@click.argument("limit", required=False)
@click.option("--all", "every", is_flag=True, help="Show all limits, also idle ones.")
@click.option("--output-format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@common
@click.pass_context
def command(
    ctx: click.Context, limit: str | None, *, every: bool, form: str, app: str | None, config: str | None
) -> None:
    """Show what is in force for each limit and why, how many tokens it has, and what waits for it.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern in the file: then with its busiest
    partitions. Idle limits come last, and when there are many they are only counted. Without an app, only the store is
    asked.

    Exit status: 0 fine, 1 the file has problems, 2 there is no such limit, or the store or the broker can't be asked.
    """
    with status_source(ctx, app, config) as look:
        from limitkit.cli.status_view import as_values, head, limits, partitions  # noqa: PLC0415 (imports kombu)
        from limitkit.cli.table_width import width_of_terminal  # noqa: PLC0415 (quick to start without)

        snapshot = look.snapshot()
        top = head(snapshot)
        if limit is not None:
            snapshot = look.only(snapshot, limit)
        status = 2 if snapshot.gone else look.exit_status
        if form == "json":
            say_json(as_values(snapshot))
            ctx.exit(status)
        width = width_of_terminal()
        lines = [*top, "", *limits(snapshot, every=every or limit is not None, width=width)]
        for row in snapshot.rows if limit is not None else ():
            lines += partitions(row, snapshot, width)
        say(*lines)
        ctx.exit(status)
