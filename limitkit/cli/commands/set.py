"""``limitkit set``: sets another rate for a limit than the file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from limitkit.cli.change_summary import how_soon, look, show
from limitkit.cli.manager_command import managed, number, signed
from limitkit.cli.options import common, examples
from limitkit.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(
    "set",
    short_help="Set another rate for a limit, for a while or until restored.",
    epilog=examples(
        "limitkit set stripe_api 10/s --for 2h --reason 'they answer 429' -A shop",
        "limitkit set stripe_api 10/s --burst 20 -A shop",
        "limitkit set 'push.*' 1/s --worker w1@host -A shop",
    ),
)
@click.argument("limit")
@click.argument("rate")
@click.option("--burst", metavar="N", help="The burst; without it, the declared one stays.")
@click.option(
    "--worker",
    "workers",
    multiple=True,
    metavar="NAME",
    help="Only in this worker, and until it stops; for static limits. May be given several times.",
)
@signed
@common
@click.pass_context
def command(
    ctx: click.Context,
    limit: str,
    rate: str,
    *,
    burst: str | None,
    workers: Sequence[str],
    for_: str | None,
    reason: str | None,
    by: str | None,
    app: str | None,
    config: str | None,
) -> None:
    """Set the rate of LIMIT on all workers, until it is restored, or for a while.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern in the file. RATE is written as in the
    file: 10/s, 20/m, 10/15m.

    Exit status: 0 done, 1 the file has problems, 2 it can't be done, or the store or the broker can't be asked.
    """
    with managed(ctx, app, config, needs_app=bool(workers)) as manager:
        before = look(manager, workers)
        made = manager.adjust_rate(
            limit, rate, workers or None, burst=number(burst, int), for_=for_, reason=reason, by=by
        )
        show(before, look(manager, workers), made.target)
        say(how_soon(manager, workers))
