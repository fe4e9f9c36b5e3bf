"""``limitkit validate``: prints all that is wrong with a file, at once."""

from __future__ import annotations

import gc
import re
from typing import TYPE_CHECKING, Any, Final

import click

from limitkit.cli.config_in_use import path_in_use
from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.problem_formats.report import FileReport, Report
from limitkit.cli.problem_formats.show import FORMATS, format_for, show_end, show_file
from limitkit.cli.workers_table import add_up
from limitkit.config import app_check
from limitkit.config.lints.findings import findings
from limitkit.config.load import Config, judge, load
from limitkit.config.source import toml
from limitkit.config.wording import quote
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.errors import Problem


_WORKERS: Final = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


def _workers(_: click.Context, __: click.Parameter, said: str | None) -> tuple[int, int] | None:
    """Read a number of workers, or the least and the greatest number of a fleet: ``4``, ``2-20``."""
    if said is None:
        return None
    match = _WORKERS.fullmatch(said)
    if match is None:
        raise click.BadParameter(f"{quote(said)} is neither a number of workers nor a range such as 2-20.")
    found = int(match[1]), int(match[2] or match[1])
    if not 1 <= found[0] <= found[1]:
        raise click.BadParameter(f"{quote(said)} is no number of workers; write one from 1, or a range such as 2-20.")
    return found


@click.command(
    "validate",
    short_help="Check config files; print all problems at once.",
    epilog=examples(
        "limitkit validate",
        "limitkit validate -A shop --strict",
        "limitkit validate staging.toml production.toml",
        "limitkit validate --workers 2-20",
        "git show HEAD:ratelimits.toml | limitkit validate -",
        "limitkit validate --output-format sarif > limitkit.sarif",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--strict", is_flag=True, help="Make warnings count: exit status 1 for them, too.")
@click.option(
    "--workers",
    callback=_workers,
    metavar="N|N-M",
    help="Add up what static limits allow N workers; for a fleet that grows from N to M, warn of them, too.",
)
@click.option(
    "--output-format",
    type=click.Choice(FORMATS),
    help="Print problems as text, as JSON, as annotations of GitHub Actions (the default there), or as SARIF.",
)
@common
@click.pass_context
def command(
    ctx: click.Context,
    files: Sequence[str],
    *,
    strict: bool,
    workers: tuple[int, int] | None,
    output_format: str | None,
    app: str | None,
    config: str | None,
) -> None:
    """Check config files, and print all their problems at once, one a line.

    FILE may be - for standard input. Without a FILE, the one that a worker started here would use. With --app, the
    file is checked against the app's tasks and settings, too: whether a worker would start.

    Exit status: 0 fine, 1 problems were found, 2 a file can't be read or the app can't be imported.
    """
    if files and config:
        raise click.UsageError("name the file as FILE or by --config, not both")
    found = app_given(ctx, app)
    output_format = format_for(output_format)
    report = Report(strict)
    # All objects stay until the end, so the garbage collector would take a third of a large file's time for nothing.
    gc.disable()
    try:
        chosen: list[str | None] = [*files] or [config]
        for name in chosen:
            file, used = _checked(name, found, workers)
            report.files.append(file)
            show_file(file, output_format)
            if workers and used is not None and not file.errors:
                add_up(used, workers, err=output_format != "text")
        show_end(report, output_format)
    finally:
        gc.enable()
    ctx.exit(report.status)


def _checked(name: str | None, app: Any, workers: tuple[int, int] | None) -> tuple[FileReport, Config | None]:
    """Check one file; returns what was found, and the config if it can be used."""
    try:
        path = name or path_in_use(app)
        config = judge(piped) if (piped := toml.read_pipe(path)) is not None else load(path)
    except ConfigError as error:
        return FileReport(error.problems[0].path, error.problems, error.unreadable), None
    lints = findings(config, None if app is None else tasks_of(app), workers)
    found = [*config.found, *(_against(app, config) if app is not None else ()), *lints]
    problems = config.document.in_order(config.severities.settled(found, with_app=app is not None))
    return FileReport(config.path, problems), config


def _against(app: Any, config: Config) -> Iterable[Problem]:
    """Find what the app and the file disagree on, and what a worker of this app would refuse to start with."""
    from limitkit.install_check import problems as of_installation  # noqa: PLC0415 (imports Celery)
    from limitkit.worker.startup_checks import BySettings, refusals  # noqa: PLC0415 (likewise)

    by_settings = refusals(config, BySettings(app))
    found = (*of_installation(config, app), *app_check.problems(config, tasks_of(app)), *by_settings)
    return dict.fromkeys(found)  # a key that a task does not have is reported by both
