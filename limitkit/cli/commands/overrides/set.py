"""``limitkit set``: sets another rate for a limit than the file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from limitkit.cli.change_summary import how_soon, look, show
from limitkit.cli.manager_command import managed, number, of_partition, signed
from limitkit.cli.options import common, examples
from limitkit.cli.output import Unusable, say
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(
    "set",
    short_help="Set another rate for a limit, for a while or until restored.",
    epilog=examples(
        "limitkit set stripe_api 10/s --for 2h --reason 'they answer 429' -A shop",
        "limitkit set stripe_api 10/s --burst 20 -A shop",
        "limitkit set reports 5 -A shop",
        "limitkit set tenant 50/s --partition acme -A shop",
        "limitkit set campaigns --weight acme=3 -A shop",
        "limitkit set 'push.*' 1/s --worker w1@host -A shop",
    ),
)
@click.argument("limit")
@click.argument("rate", required=False)
@click.option("--burst", metavar="N", help="The burst; without it, the declared one stays.")
@of_partition
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="VALUE=N",
    help="In place of a rate: the weight of one value of fair_by. May be given several times.",
)
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
    rate: str | None,
    *,
    burst: str | None,
    partition: str | None,
    weights: Sequence[str],
    workers: Sequence[str],
    for_: str | None,
    reason: str | None,
    by: str | None,
    app: str | None,
    config: str | None,
) -> None:
    """Set the rate of LIMIT on all workers, until it is restored, or for a while.

    LIMIT is a limit's name, the name of a task that has one limit, or a pattern in the file. RATE is written as in the
    file: 10/s, 20/m, 10/15m. For a concurrency limit it is how many may run: 5. With --partition it holds for one value
    of the limit's key. With --weight, a value of fair_by gets so many turns for each one of others, also what waits
    already.

    Exit status: 0 done, 1 the file has problems, 2 it can't be done, or the store or the broker can't be asked.
    """
    if (rate is None) == (not weights):
        fact = "both a rate and a weight are given" if weights else "neither a rate nor a weight is given"
        raise Unusable(f"{fact}; write limitkit set LIMIT RATE, or limitkit set LIMIT --weight VALUE=N")
    if weights and (burst or partition or workers):
        raise Unusable("a weight is that of a value, for all workers; leave --burst, --partition and --worker out")
    with managed(ctx, app, config, needs_app=bool(workers)) as manager:
        before = look(manager, workers)
        if rate is None:
            wanted = dict(map(_weight, weights))
            targets = [made.target for made in manager.set_weights(limit, wanted, for_=for_, reason=reason, by=by)]
        else:
            made = manager.adjust_rate(
                limit,
                rate,
                workers or None,
                burst=number(burst, int),
                partition=partition,
                for_=for_,
                reason=reason,
                by=by,
            )
            targets = [made.target]
        show(before, look(manager, workers), *targets)
        say(how_soon(manager, workers))


def _weight(said: str) -> tuple[str, float]:
    """Read ``acme=3``; the value may have an equals sign itself."""
    value, equals, weight = said.rpartition("=")
    if not equals:
        raise Unusable(f"{quote(said)} is no weight of a value; write VALUE=N, e.g. --weight acme=3")
    return value, number(weight, float)
