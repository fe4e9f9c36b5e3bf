"""``limitkit test``: plays the tests of ``*.limits.toml`` files on a virtual clock."""

from __future__ import annotations

import os
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from limitkit.cli.config_in_use import path_in_use
from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.output import Unusable, say, show_problems
from limitkit.cli.progress import progress_line
from limitkit.cli.stopped import stopped_with
from limitkit.cli.test_reports import json_report, junit_report, text_report
from limitkit.cli.test_reports.report import FileReport, Report
from limitkit.config.test_file.load import SUFFIX
from limitkit.config.wording import count, quote
from limitkit.errors import ConfigError
from limitkit.trial.test_file.find_files import find
from limitkit.trial.test_file.read import read_tests
from limitkit.trial.test_file.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from limitkit.trial.outcome import Outcome
    from limitkit.trial.test_file.read import Case


def _pattern(_ctx: click.Context, _param: click.Parameter, value: str | None) -> re.Pattern[str] | None:
    """Read a regular expression."""
    try:
        return None if value is None else re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise click.BadParameter(f"{quote(value or '')} is not a regular expression: {error}") from None


@click.command(
    "test",
    short_help="Play the tests of *.limits.toml files on a virtual clock.",
    epilog=examples(
        "limitkit test",
        "limitkit test emails.limits.toml --run receipt",
        "limitkit test --config staging.toml",
        "limitkit test --output-format junit > limits.xml",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--run", "wanted", callback=_pattern, metavar="REGEX", help="Only tests in whose names this is found.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="In place of the tests' own seeds.")
@click.option("--output-format", type=click.Choice(["text", "json", "junit"]), default="text", help="text by default.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    files: Sequence[str],
    *,
    wanted: re.Pattern[str] | None,
    seed: int | None,
    output_format: str,
    app: str | None,
    config: str | None,
) -> None:
    """Play the [[test]] tables of *.limits.toml files on a virtual clock, with the code that runs in workers.

    FILE may be a folder, and is searched with those below it. Without a FILE, the folder of the config is. --config
    takes the place of the config that the files name. With --app, tasks have their own arguments, with defaults.

    Exit status: 0 all tests hold, 1 some do not, or none was chosen, 2 a test file or its config can't be used.
    """
    found = app_given(ctx, app)
    began, report = time.monotonic(), Report()
    paths = _paths(files, found, config)
    text = output_format == "text"
    tasks = tasks_of(found) if found is not None else ()
    with (
        stopped_with(ctx, lambda: f"stopped after {count(len(report.results), 'test')}; the others were not played"),
        progress_line() as line,
    ):
        for path in paths:
            report.files.append(file := FileReport(path))
            for case in _chosen(file, wanted, lambda path: read_tests(path, config, tasks), shown=text):
                file.results.append(run(case, partial(_engine(), progress=line), seed=seed, app=found))
                if text:
                    line.remove()
                    text_report.show_result(file.results[-1])
    if text:
        text_report.show_end(report, time.monotonic() - began)
    else:
        (json_report if output_format == "json" else junit_report).show(report)
    if not report.results and not report.unusable and wanted is not None:
        say(f"limitkit: no test has a name in which {quote(wanted.pattern)} is found; nothing was played", err=True)
    ctx.exit(report.status)


def _paths(files: Sequence[str], app: Any, config: str | None) -> list[str]:
    """Find all test files. Raises Unusable when there are none."""
    try:
        found, empty = find(files or [_folder_of(config or path_in_use(app))])
    except ConfigError as error:
        raise Unusable(f"{error.problems[0].message}; or name a test file: limitkit test FILE") from None
    if empty:
        hint = f"write one, e.g. {os.path.join(empty[0], 'emails' + SUFFIX)}, or name another folder"  # noqa: PTH118
        raise Unusable(f"there is no test file (*{SUFFIX}) in {quote(empty[0])} or the folders below; {hint}")
    return found


def _folder_of(path: str) -> str:
    return os.path.dirname(path) or "."  # noqa: PTH120 - as it was given


def _chosen(
    file: FileReport, wanted: re.Pattern[str] | None, read: Callable[[str], list[Case]], *, shown: bool
) -> Iterator[Case]:
    """Go through the tests of a file that are to be played; when it can't be used, note why."""
    try:
        cases = read(file.path)
    except ConfigError as error:
        file.problems = error.problems
        if shown:
            show_problems(error.problems)
        return
    for case in cases:
        if wanted is None or wanted.search(case.name):
            yield case


def _engine() -> Callable[..., Outcome]:
    """Import what plays: it needs Celery, and most of a second."""
    from limitkit.trial.play import play  # noqa: PLC0415

    return play
