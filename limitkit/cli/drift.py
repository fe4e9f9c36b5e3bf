"""``limitkit drift``: whether what runs is what the file says."""

from __future__ import annotations

from dataclasses import asdict

import click

from limitkit.cli.managed import managed
from limitkit.cli.options import common, examples
from limitkit.cli.output import Unusable, count, say, say_json


@click.command(
    "drift",
    short_help="Show where what runs is not what the file says.",
    epilog=examples(
        "limitkit drift -A shop",
        "limitkit drift --output-format json -A shop",
    ),
)
@click.option("--output-format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@common
@click.pass_context
def command(ctx: click.Context, *, form: str, app: str | None, config: str | None) -> None:
    """Say what runs otherwise than the file says: rates that were set or dialled, pauses, workers with another file.

    Exit status: 0 all is as the file says, 1 something is not, or the file has problems, 2 no worker answered, or the
    store or the broker can't be asked.
    """
    with managed(ctx, app, config, needs_app=True) as manager:
        from limitkit.cli.deviations import lost, of_limits, of_workers, the_store  # noqa: PLC0415 (quick to start without)
        from limitkit.cli.gather import gather  # noqa: PLC0415 (imports kombu)

        survey = gather(manager)
        if not survey.workers:
            raise Unusable("no worker answered, so it is not known what runs; start one")
        found = [*the_store(survey), *of_workers(survey), *of_limits(survey), *lost(survey)]
        workers = count(len(survey.workers), "worker")
        if form == "json":
            drift = [asdict(each) for each in found]
            head = {"version": 1, "path": survey.path, "digest": survey.digest, "workers": sorted(survey.workers)}
            say_json({**head, "drift": drift})
        elif found:
            for each in found:
                say(f"{each.subject}: {each.fact}; {each.hint}")
            say(f"{survey.path} ({survey.digest}), {workers}: {count(len(found), 'deviation')}", err=True)
        else:
            say(f"{survey.path} ({survey.digest}), {workers}: all is as the file says.")
        ctx.exit(2 if survey.gone else 1 if found else 0)
