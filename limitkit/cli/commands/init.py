"""``limitkit init``: writes a first ratelimits.toml, with all tasks of the app."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.output import Drawn, Unusable, say
from limitkit.config.load import CONFIG_VARIABLE, FILE, nearest
from limitkit.config.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA: Final = "ratelimits.schema.json"


@click.command(
    "init",
    short_help="Write a first ratelimits.toml, with the app's tasks.",
    epilog=examples(
        "limitkit init -A shop",
        "limitkit init",
        "limitkit init -A shop -o deploy/ratelimits.toml",
        "limitkit init -A shop -o -",
    ),
)
@click.option("-o", "output", metavar="FILE", help=f"Write FILE in place of {FILE}; - prints it.")
@common
@click.pass_context
def command(ctx: click.Context, *, output: str | None, app: str | None, config: str | None) -> None:
    """Write a first ratelimits.toml, with comments, in which nothing is limited yet.

    With --app it has a block for each task of the app, ready to be used. Beside it comes ratelimits.schema.json, by
    which editors complete and check the file. A file that is there already is kept. --config FILE is as -o FILE.

    Exit status: 0 fine, 2 there is such a file, it can't be written, or the app can't be imported.
    """
    if output is not None and config is not None:
        raise click.UsageError("name the file by -o or by --config, not both")
    file = output or config or FILE
    if file != "-" and os.path.lexists(file):
        raise Unusable(f"{file} is there already and is kept; write another, limitkit init -o FILE, or print it: -o -")
    found = app_given(ctx, app)
    made = _text(found, beside=file != "-")
    if file == "-":
        say(Drawn(made.rstrip("\n")))
        return
    above = _above(file)
    schema = Path(file).with_name(_SCHEMA)
    from limitkit.cli.commands.schema import text_for  # noqa: PLC0415 (imports the model, which takes time)
    from limitkit.config.task_words import own_tasks  # noqa: PLC0415 (likewise)

    kept = os.path.lexists(schema)
    if not kept:
        _write(schema, text_for(found))
    _write(Path(file), made)
    tasks = f", with {count(len(own_tasks(tasks_of(found))), 'task')}" if found is not None else ""
    say(f"{file}: written{tasks}; nothing is limited yet", err=True)
    say(f"{schema}: {'was there already, and is kept' if kept else 'written, for editors'}", err=True)
    if above is not None:
        say(f"{above} is in a folder above: what starts in this folder now goes by {file} instead", err=True)
    say(*_next_steps(ctx, file, app, found), err=True)


def _text(app: Any, *, beside: bool) -> str:
    from limitkit.config import starter_file  # noqa: PLC0415 (imports what the listing of commands does without)

    if app is None:
        return starter_file.text(_SCHEMA, beside=beside)
    from limitkit.config.declared import StoreSettings  # noqa: PLC0415 (likewise)
    from limitkit.stores.choice import store_shown  # noqa: PLC0415 (likewise)

    store = store_shown(app, StoreSettings(url=None, prefix="limitkit", timeout=0.25, on_error="allow"))
    return starter_file.text(_SCHEMA, beside=beside, tasks=tasks_of(app), store=store)


def _above(file: str) -> Path | None:
    """Return the file that is used in the new one's folder until now, which is in one above."""
    if Path(file).name != FILE:
        return None
    return nearest(Path(file).absolute().parent)


def _write(file: Path, made: str) -> None:
    """Write a file that is not there yet. Raises Unusable."""
    try:
        with file.open("x", encoding="utf-8", newline="\n") as opened:
            opened.write(made)
    except OSError as error:
        raise Unusable(f"{file} can't be written: {error.strerror or error}") from None


def _next_steps(ctx: click.Context, file: str, app: str | None, found: Any) -> Iterator[str]:
    """Say what to do now, until the first limit is in force."""
    name = app or ctx.find_root().params.get("app")
    is_found = Path(file) == Path(FILE) and not os.environ.get(CONFIG_VARIABLE)
    words = ["limitkit", "validate", *(["-A", str(name)] if name else []), *([] if is_found else ["--config", file])]
    yield "Next:"
    yield '  take the "# " from the lines of a block, and write the rate that you need'
    yield f"  {shlex.join(words)}"
    if found is None or not _is_installed(found):
        yield "  where the app is made: import limitkit; limitkit.install(app)"
    if not is_found:
        yield f"  tell workers where the file is: {CONFIG_VARIABLE}={shlex.quote(file)}"


def _is_installed(app: Any) -> bool:
    from limitkit.worker.installation import installation_of  # noqa: PLC0415 (imports Celery)

    return installation_of(app) is not None
