"""``limitkit schema``: the JSON Schema of ratelimits.toml, or of test files, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from limitkit.cli.options import examples
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
@click.pass_context
def command(ctx: click.Context, *, whose: str, output: str | None, check: str | None) -> None:
    """Print the JSON Schema of ratelimits.toml, or of test files (Draft 4, which TOML editors read)."""
    text = test_schema.text() if whose == "test" else json_schema.text()
    try:
        if check is not None:
            ctx.exit(_check(check, text, "" if whose == "config" else f" --of {whose}"))
        if output is not None:
            Path(output).write_text(text, encoding="utf-8", newline="\n")
        else:
            say(Drawn(text.rstrip("\n")))
    except OSError as error:
        raise Unusable(f"{check if check is not None else output}: {error.strerror or error}") from None


def _check(file: str, text: str, option: str) -> int:
    try:
        fresh = read_file.of_file(file) == text.encode()
    except read_file.UnreadableError as error:
        raise Unusable(f"{file} {error}") from None
    remedy = f"; write it again: limitkit schema{option} -o {file}"
    say(f"{file}: {'fresh' if fresh else 'stale' + remedy}", err=True)
    return 0 if fresh else 1
