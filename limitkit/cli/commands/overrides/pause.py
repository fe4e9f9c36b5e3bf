"""``limitkit pause``: lets no task start under a limit."""

from __future__ import annotations

import click

from limitkit.cli.change_summary import how_soon, look, show
from limitkit.cli.manager_command import managed, of_partition, signed
from limitkit.cli.options import common, examples
from limitkit.cli.output import say


@click.command(
    "pause",
    short_help="Let no task start under a limit; they wait.",
    epilog=examples(
        "limitkit pause stripe_api --for 30m --reason 'maintenance' -A shop",
        "limitkit pause tenant --partition acme -A shop",
    ),
)
@click.argument("limit")
@of_partition
@signed
@common
@click.pass_context
def command(
    ctx: click.Context,
    limit: str,
    *,
    partition: str | None,
    for_: str | None,
    reason: str | None,
    by: str | None,
    app: str | None,
    config: str | None,
) -> None:
    """Let no task start under LIMIT, until it is resumed, or for a while; they wait meanwhile.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern in the file. A rate that was set before
    holds again afterwards.

    Exit status: 0 done, 1 the file has problems, 2 it can't be done, or the store or the broker can't be asked.
    """
    with managed(ctx, app, config) as manager:
        before = look(manager)
        made = manager.pause(limit, partition=partition, for_=for_, reason=reason, by=by)
        show(before, look(manager), made.target)
        say(how_soon(manager))
