"""``limitkit adopt``: lifts rate limits out of code into ratelimits.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from limitkit.cli.diff_view import diff
from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.output import Unusable, say, show_problems
from limitkit.config.load import FILE, Config, load, nearest
from limitkit.config.wording import count, one_line
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.adopt.found import Names
    from limitkit.adopt.lift import Lifted


@click.command(
    "adopt",
    short_help="Lift rate limits out of code into ratelimits.toml.",
    epilog=examples(
        "limitkit adopt shop/",
        "limitkit adopt -A shop --write shop/ settings.py",
        "limitkit adopt --check .",
    ),
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--write", "writes", is_flag=True, help="Write the files. Without it nothing is touched.")
@click.option("--check", "checks", is_flag=True, help="Exit status 1 if there is something to lift, for CI.")
@common
@click.pass_context
def command(
    ctx: click.Context, paths: Sequence[str], *, writes: bool, checks: bool, app: str | None, config: str | None
) -> None:
    """Find rate limits in Python files at and below PATH, and move them into ratelimits.toml in this folder.

    It lifts rate_limit of tasks, task_annotations, task_default_rate_limit, base classes that limit (token bucket, per
    user), celery-heimdall and celery-throttle. The rest of the code stays as it is written. What can't be lifted is
    listed, with its place and the reason. It shows all changes as a diff, and writes them only with --write.

    Tasks are named as Celery names them, from the module's place. With --app, the names are those that the app has.

    Exit status: 0 fine, 1 there is something to lift (--check), the file has problems, or a file can't be searched, 2 a
    path can't be read, a file can't be written, or the app can't be imported.
    """
    if writes and checks:
        raise click.UsageError("--check writes nothing; give --check or --write, not both", ctx)
    from limitkit.adopt.lift import lift  # noqa: PLC0415 (LibCST: other commands do without)

    target = config or FILE
    found = app_given(ctx, app)
    present = _present(ctx, target)
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise Unusable(f"{missing[0]} does not exist; name files or folders with Python code")
    try:
        lifted = lift([Path(path) for path in paths], target, present, _names(found))
    except OSError as error:
        raise Unusable(f"{error.filename or 'a file'} can't be read ({error.strerror or error})") from None
    except ConfigError as error:
        fact = f"the limits of the code can't be added to {target}: {error.problems[0].message}"
        say(f"limitkit: {fact}; nothing was changed", err=True)
        ctx.exit(1)
    for change in lifted.changes:
        say(*diff(os.fspath(change.path), change.before, change.after))
    if writes:
        _write(lifted)
    say(*(one_line(str(line)) for line in [*lifted.unread, *lifted.lines]), err=True)
    _sum_up(lifted, target, writes=writes, is_new=present is None)
    ctx.exit(1 if lifted.unread or (checks and lifted.changes) else 0)


def _present(ctx: click.Context, target: str) -> Config | None:
    """Load the file that is there already; exit if it has problems."""
    if not os.path.lexists(target):
        return None
    try:
        return load(target)
    except ConfigError as error:
        show_problems(error.problems, err=True)
        say(f"limitkit: {target} can't be used, so nothing can be added to it; correct it first", err=True)
        ctx.exit(2 if error.unreadable else 1)


def _names(app: object) -> Names | None:
    from limitkit.adopt.registered import registered_names  # noqa: PLC0415 (as lift)

    return registered_names(tasks_of(app)) if app is not None else None


def _write(lifted: Lifted) -> None:
    from limitkit.adopt.write import write  # noqa: PLC0415 (likewise)

    try:
        write(lifted.changes)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise Unusable(f"the files can't be written ({name}{error.strerror or error}); run it again") from None


def _sum_up(lifted: Lifted, target: str, *, writes: bool, is_new: bool) -> None:
    looked = f"{count(lifted.files, 'Python file')} searched"
    left = f", {count(len(lifted.lines), 'place')} to look at" if lifted.lines else ""
    if not lifted.changes:
        say(f"limitkit: {looked}{left}; there is nothing to lift", err=True)
        return
    done = "were lifted" if writes else "can be lifted"
    done = done.replace("were", "was") if lifted.tasks == 1 else done
    then = "" if writes else "; nothing is written without --write"
    say(f"limitkit: {looked}{left}; {count(lifted.tasks, 'limit')} {done} into {target}{then}", err=True)
    above = nearest(Path.cwd().parent) if is_new and target == FILE else None
    if above is not None and lifted.changes[0].path == Path(target):
        say(f"limitkit: {above} does not hold in this folder any more then; to add to it: --config {above}", err=True)
