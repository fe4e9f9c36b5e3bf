"""``limitkit reset``: fills a bucket again."""

from __future__ import annotations

import click

from limitkit.cli.manager_command import managed, of_partition
from limitkit.cli.options import common, examples
from limitkit.cli.output import say
from limitkit.config.wording import count, one_line
from limitkit.control.targets import find


@click.command(
    "reset",
    short_help="Make a bucket full again, so that a burst may start.",
    epilog=examples(
        "limitkit reset stripe_api -A shop",
        "limitkit reset shop.user_api_request --partition 42 -A shop",
    ),
)
@click.argument("limit")
@of_partition
@common
@click.pass_context
def command(ctx: click.Context, limit: str, *, partition: str | None, app: str | None, config: str | None) -> None:
    """Make the bucket of LIMIT full again, so that its burst may start at once; its rate stays.

    A window is empty again: its whole number may start. What is parked comes back at once. A concurrency limit can't
    be reset.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern in the file. Of a limit with a
    key, all partitions' buckets are filled, or with --partition that of one: P is the value of the key as text, as in a
    message ("42" and 42 are one).

    Exit status: 0 done, 1 the file has problems, 2 it can't be done, or the store or the broker can't be asked.
    """
    with managed(ctx, app, config) as manager:
        filled = manager.reset(limit, partition)
        tasks = manager.app.tasks if manager.app is not None else ()
        target, found = find(manager.config.rules, limit, tasks)
        what = f"{target}{f' of partition {one_line(partition)}' if partition is not None else ''}"
        if not filled:
            say(f"{what} was full already.")
        elif found.local:
            say(f"{what} is full again in each worker that runs, and may start a burst at once.")
        else:
            had = f"{count(filled, 'bucket')} had been taken from"
            again = "is empty again" if found.strategy == "window" else "is full again"
            may = "its whole number" if found.strategy == "window" else "a burst"
            say(f"{what} {again}; {had}, and may start {may} at once.")
