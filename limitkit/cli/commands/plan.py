"""``limitkit plan``: what changes between two files, and what that does."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NoReturn

import click

from limitkit.cli.config_in_use import path_in_use
from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.output import Drawn, say, say_json, show_problems
from limitkit.cli.plan_markdown import markdown
from limitkit.cli.plan_text import as_json, lines
from limitkit.cli.plan_waits import of_scenario, of_trace, waits_under
from limitkit.cli.stopped import stopped_with
from limitkit.config.load import MODE_VARIABLE, Config, judge, load
from limitkit.config.source import toml
from limitkit.errors import ConfigError
from limitkit.trial.plan.compare import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

_DETAILED = "--detailed-exitcode"
_CHANGED = 2
_STOPPED = (
    "stopped before both files were played, so nothing is shown; without --scenario and --trace, changes are shown at "
    "once"
)


class PlanCommand(click.Command):
    """A command whose errors have exit status 1 where 2 means that something changes."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments."""
        detailed = _DETAILED in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            error.exit_code = 1 if detailed else error.exit_code  # type: ignore[misc] # click reads it of the error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.exit_code = 1 if ctx.params["detailed"] else error.exit_code  # type: ignore[misc] # as above
            raise


@click.command(
    "plan",
    cls=PlanCommand,
    short_help="Show what changes between two files, and what that does.",
    epilog=examples(
        "limitkit plan before.toml ratelimits.toml",
        "git show main:ratelimits.toml | limitkit plan - ratelimits.toml",
        "limitkit plan before.toml -A shop --output-format github",
    ),
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False)
@click.option(
    "--output-format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How to print it; github: a table in Markdown, for a pull request's comment.",
)
@click.option("--scenario", metavar="FILE", help="Also play a scenario, as simulate does: what each task waits.")
@click.option("--trace", metavar="FILE", help="Likewise, what limitkit record has written.")
@click.option("--seed", type=int, metavar="N", help="Of the play: another order of what comes at once.")
@click.option(_DETAILED, "detailed", is_flag=True, help="Exit status 2 when something changes, 1 for all errors.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    *,
    old: str,
    new: str | None,
    form: str,
    scenario: str | None,
    trace: str | None,
    seed: int | None,
    detailed: bool,
    app: str | None,
    config: str | None,
) -> None:
    """Show what changes from the file OLD to the file NEW, by what they mean, and what that does.

    What lets more through comes first. Comments, order and units do not count: "60/m" is "1/s". OLD or NEW may be - for
    standard input. Without NEW, it is the file that a worker started here would use. With --app, the app's tasks are
    named that get other limits. With --scenario or --trace, the same messages are played under both files.

    Exit status: 0 fine, with changes or without, 1 a file has problems, 2 a file can't be read or the app can't be
    imported. With --detailed-exitcode: 0 nothing changes, 1 any error, 2 something changes. 130 when ctrl-C stops it.
    """
    _judge_usage(old, new, config, scenario, trace)
    found = app_given(ctx, app)
    before, after = _load(old, found), _load(new or config, found)
    if isinstance(before, ConfigError) or isinstance(after, ConfigError):
        _refuse(ctx, [each for each in (before, after) if isinstance(each, ConfigError)], form, detailed=detailed)
    if os.environ.get(MODE_VARIABLE):
        say(f"limitkit: {MODE_VARIABLE} is set, so both files have that mode here; unset it to see theirs", err=True)
    plan = compare(before, after, tasks_of(found) if found is not None else ())
    if scenario is not None or trace is not None:
        with stopped_with(ctx, lambda: _STOPPED):
            try:
                played = of_scenario(scenario, before, after, found) if scenario is not None else of_trace(str(trace))
            except ConfigError as error:
                _refuse(ctx, [error], form, detailed=detailed)
            plan = replace(plan, waits=waits_under(before, after, played, seed, found) if plan.changes else ())
    if form == "json":
        say_json(as_json(plan))
    elif form == "github":
        say(*(Drawn(line) for line in markdown(plan)))
    else:
        say(*lines(plan))
    ctx.exit(_CHANGED if detailed and plan.changes else 0)


def _judge_usage(old: str, new: str | None, config: str | None, scenario: str | None, trace: str | None) -> None:
    """Raise UsageError for arguments that don't fit together."""
    if new is not None and config is not None:
        raise click.UsageError("name the new file as NEW or by --config, not both")
    if [old, new, scenario].count("-") > 1:
        raise click.UsageError("only one of the files can be standard input; name the other one")
    if scenario is not None and trace is not None:
        raise click.UsageError("name a scenario or a trace, not both")


def _refuse(ctx: click.Context, errors: Sequence[ConfigError], form: str, *, detailed: bool) -> NoReturn:
    """Show what is wrong with files, and exit."""
    problems = [problem for each in errors for problem in each.problems]
    if form == "json":
        say_json({"version": 1, "problems": [asdict(each) for each in problems]})
    else:
        show_problems(problems, err=True)
    ctx.exit(2 if any(each.unreadable for each in errors) and not detailed else 1)


def _load(path: str | None, app: Any) -> Config | ConfigError:
    """Load a file, or what a shell passes; without a path, the file in use. Returns what is wrong with it."""
    try:
        path = path if path is not None else path_in_use(app)
        piped = toml.read_pipe(path)
        return judge(piped) if piped is not None else load(path)
    except ConfigError as error:
        return error
