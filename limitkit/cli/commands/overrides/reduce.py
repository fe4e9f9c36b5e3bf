"""``limitkit reduce``: sets all limits to a part of their declared rates."""

from __future__ import annotations

import click

from limitkit.cli.change_summary import how_soon, look, show
from limitkit.cli.manager_command import managed, number, signed
from limitkit.cli.options import common, examples
from limitkit.cli.output import say


@click.command(
    "reduce",
    short_help="Set all limits to a part of their declared rates.",
    epilog=examples(
        "limitkit reduce 0.5 --for 1h -A shop",
    ),
)
@click.argument("factor")
@signed
@common
@click.pass_context
def command(
    ctx: click.Context,
    factor: str,
    *,
    for_: str | None,
    reason: str | None,
    by: str | None,
    app: str | None,
    config: str | None,
) -> None:
    """Set every limit to its declared rate times FACTOR, e.g. 0.5, until it is restored, or for a while.

    FACTOR is above 0 and at most 1. Bursts stay as declared. The declared rate is multiplied, so doing it twice changes
    nothing more. Rates that were set before are replaced, and what is paused stays paused.

    Exit status: 0 done, 1 the file has problems, 2 it can't be done, or the store or the broker can't be asked.
    """
    with managed(ctx, app, config) as manager:
        before = look(manager)
        made = manager.reduce_for_high_load(number(factor, float), for_=for_, reason=reason, by=by)
        if show(before, look(manager), *(each.target for each in made)):
            say(how_soon(manager))
        else:
            say("The file has no limit in force: there is nothing to reduce.")
