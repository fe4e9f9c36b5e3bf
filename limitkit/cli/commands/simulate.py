"""``limitkit simulate``: what starts when, for what a scenario sends or a recording has, on a virtual clock."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from limitkit.cli.options import app_given, common, examples
from limitkit.cli.output import say, say_json, show_problems
from limitkit.cli.progress import progress_line
from limitkit.cli.stopped import stopped_with
from limitkit.config.load import MODE_VARIABLE
from limitkit.config.wording import listed
from limitkit.errors import ConfigError

_MOST_WORKERS = 10_000
_KINDS = (".svg", ".png")


def _picture(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and Path(value).suffix not in _KINDS:
        raise click.BadParameter(f"the picture's name must end with {listed(_KINDS)}")
    return value


@click.command(
    "simulate",
    short_help="Show what starts when, for a scenario or a recording.",
    epilog=examples(
        "limitkit simulate campaign.toml",
        "limitkit simulate campaign.toml --workers 10 --plot campaign.svg",
        "limitkit simulate shop.limits.toml --test 'a campaign holds up no receipt'",
        "limitkit simulate --trace monday.jsonl.gz --config new.toml",
    ),
)
@click.argument("scenario", required=False)
@click.option("--trace", metavar="FILE", help="Play what limitkit record has written, in place of SCENARIO.")
@click.option("--test", metavar="NAME", help="Which test of a test file is played; else the first.")
@click.option("--workers", type=click.IntRange(1, _MOST_WORKERS), help="How many workers, in place of the scenario's.")
@click.option("--processes", type=click.IntRange(1, 1000), help="The pool processes of each worker, likewise.")
@click.option("--seed", type=click.IntRange(0), help="Decides what is left to chance; the same seed, the same output.")
@click.option("--plot", callback=_picture, metavar="FILE", help="Draw a picture too: a .svg or a .png.")
@click.option("--no-chart", is_flag=True, help="Draw no charts in the terminal.")
@click.option("--output-format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    scenario: str | None,
    *,
    trace: str | None,
    test: str | None,
    workers: int | None,
    processes: int | None,
    seed: int | None,
    plot: str | None,
    no_chart: bool,
    form: str,
    app: str | None,
    config: str | None,
) -> None:
    """Play what SCENARIO sends on a virtual clock, with the code that paces tasks in production.

    Shown are, for each limit and task, how many started and how long they waited, the longest backlog, when it was
    drained, what workers need for it, and what this can't know. SCENARIO is a file with [[send]] tables, or a test
    file, or - for standard input. With --app, keys and costs are read by the tasks' signatures; without, from arguments
    that are sent by name.

    Exit status: 0 fine, 1 a file has problems, 2 a file can't be read, the picture can't be drawn, or the app can't be
    imported, 130 ctrl-C stopped it.
    """
    if scenario is None and trace is None:
        raise click.UsageError("nothing is named that could be played; name a scenario file, or a recording by --trace")
    if scenario is not None and trace is not None:
        raise click.UsageError("a scenario file and a recording are both named; name only one of the two")
    if trace is not None and test is not None:
        raise click.UsageError("--test is of a test file, and a recording has no tests; name only one of the two")
    from limitkit.cli.simulate.picture import draw, matplotlib_there  # noqa: PLC0415 (quick to start without)
    from limitkit.cli.simulate.played import played  # noqa: PLC0415 (likewise)
    from limitkit.cli.simulate.source import source_of  # noqa: PLC0415 (likewise)
    from limitkit.trial.play import play  # noqa: PLC0415 (imports Celery)

    if plot is not None:
        matplotlib_there()
    found = app_given(ctx, app)
    try:
        with (
            stopped_with(ctx, lambda: "stopped before all was played; nothing is shown"),
            source_of(scenario, trace, test=test, config=config, app=found) as given,
            progress_line() as line,
        ):
            source = given.with_workers(workers, processes)
            chosen = source.seed if seed is None else seed
            outcome = play(source.rules, source.scenario, seed=chosen, app=found, progress=line)
            shown = played(
                outcome, source.rules, source.scenario, source=source.name, traced=source.traced, seed=chosen
            )
    except ConfigError as error:
        if form == "json":
            say_json({"version": 1, "problems": [asdict(each) for each in error.problems]})
        show_problems(error.problems, err=True)
        ctx.exit(2 if error.unreadable else 1)
    if os.environ.get(MODE_VARIABLE):
        say(f"limitkit: {MODE_VARIABLE} is set, so limits have that mode here; unset it to play the file's", err=True)
    if plot is not None:
        draw(shown, plot)
    if form == "json":
        from limitkit.cli.simulate.values import as_values  # noqa: PLC0415 (likewise)

        say_json(as_values(shown))
        return
    from limitkit.cli.simulate.charts import charts  # noqa: PLC0415 (likewise)
    from limitkit.cli.simulate.report import below, report  # noqa: PLC0415 (likewise)
    from limitkit.cli.table_width import width_of_terminal  # noqa: PLC0415 (likewise)

    width = width_of_terminal()
    say(*report(shown, width), *([] if no_chart else charts(shown)), *below(shown, width))
