"""``limitkit schema``: the JSON Schema of ratelimits.toml, or of test files, for editors."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from limitkit.cli.options import app_given, examples, of_app, queues_of, tasks_of
from limitkit.cli.output import Drawn, Unusable, say
from limitkit.config.checks import json_schema
from limitkit.config.source import read_file
from limitkit.config.test_file import schema as test_schema


@click.command(
    "schema",
    short_help="Print the JSON Schema of ratelimits.toml, for editors.",
    epilog=examples(
        "limitkit schema -o schemas/ratelimits.schema.json",
        "limitkit schema --check schemas/ratelimits.schema.json",
        "limitkit schema -A shop -o ratelimits.schema.json",
        "limitkit schema --of test -o schemas/limits-test.schema.json",
    ),
)
@click.option(
    "--of",
    "whose",
    type=click.Choice(["config", "test"]),
    default="config",
    help="The schema of ratelimits.toml (config, the default) or of *.limits.toml (test).",
)
@click.option("-o", "output", metavar="FILE", help="Write the schema to FILE.")
@click.option("--check", metavar="FILE", help="Say whether FILE is stale: exit status 1 when it is.")
@of_app
@click.pass_context
def command(ctx: click.Context, *, whose: str, output: str | None, check: str | None, app: str | None) -> None:
    """Print the JSON Schema of ratelimits.toml, or of test files (Draft 4, which TOML editors read).

    With --app, editors also complete the app's tasks, their arguments, and its queues.

    Exit status: 0 fine, 1 the file of --check is stale, 2 it can't be read or written, or the app can't be imported.
    """
    if whose == "test" and app is not None:
        raise click.UsageError("the schema of test files is the same for each app; leave out --app, or --of test")
    found = app_given(ctx, app) if whose == "config" else None
    text = test_schema.text() if whose == "test" else text_for(found)
    name = app or ctx.find_root().params.get("app")
    options = ["--of", "test"] if whose == "test" else ["-A", str(name)] if found is not None else []
    try:
        if check is not None:
            ctx.exit(_check(check, text, options))
        if output is not None:
            Path(output).write_text(text, encoding="utf-8", newline="\n")
        else:
            say(Drawn(text.rstrip("\n")))
    except OSError as error:
        raise Unusable(f"{check if check is not None else output}: {error.strerror or error}") from None


def text_for(app: Any) -> str:
    """Make the schema of ratelimits.toml, with the names of an app if there is one."""
    if app is None:
        return json_schema.text()
    from limitkit.config import app_schema  # noqa: PLC0415 (most calls do without)

    return app_schema.text(tasks_of(app), queues_of(app))


def _check(file: str, text: str, options: list[str]) -> int:
    try:
        fresh = read_file.of_file(file) == text.encode()
    except read_file.UnreadableError as error:
        raise Unusable(f"{file} {error}") from None
    remedy = f"; write it again: {shlex.join(['limitkit', 'schema', *options, '-o', file])}"
    say(f"{file}: {'fresh' if fresh else 'stale' + remedy}", err=True)
    return 0 if fresh else 1
