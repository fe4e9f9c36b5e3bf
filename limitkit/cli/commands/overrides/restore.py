"""``limitkit restore``: removes overrides, so that limits are as in the file again."""

from __future__ import annotations

import click

from limitkit.cli.change_summary import how_soon, look, show
from limitkit.cli.manager_command import managed, of, of_partition
from limitkit.cli.options import common, examples
from limitkit.cli.output import Unusable, say
from limitkit.control.targets import all_of


@click.command(
    "restore",
    short_help="End overrides: limits are as in the file again.",
    epilog=examples(
        "limitkit restore stripe_api -A shop",
        "limitkit restore tenant --partition acme -A shop",
        "limitkit restore -A shop",
    ),
)
@click.argument("limit", required=False)
@of_partition
@common
@click.pass_context
def command(
    ctx: click.Context, limit: str | None, *, partition: str | None, app: str | None, config: str | None
) -> None:
    """End the overrides of LIMIT, or of all limits: rates that were set, and pauses. Then they are as in the file.

    With LIMIT, those of its partitions end, too, and its weights; with --partition those of one partition alone.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern. It need not be in the file any more.

    Exit status: 0 done, or there was nothing to restore, 1 the file has problems, 2 there is no such limit, or the
    store or the broker can't be asked.
    """
    with managed(ctx, app, config) as manager:
        before = look(manager)
        if limit is None:
            if partition is not None:
                raise Unusable("whose partition? name the limit, too: limitkit restore LIMIT --partition P")
            manager.restore_defaults()
        else:
            manager.restore(limit, partition)
        if show(before, look(manager)):
            say(how_soon(manager) if manager.override_store is not None else "These workers use the file's rates now.")
        else:
            # It may have had one in single workers, which the store doesn't know of.
            say(
                f"{limit}{of(partition)} has no override now." if limit is not None else "No limit has an override now."
            )
        concerned = [each for target, each in all_of(manager.config.rules) if limit in (None, target.name)]
        if manager.app is None and any(each.local for each in concerned):
            say("Overrides of static limits in single workers stay: to reach them, name the app.", err=True)
