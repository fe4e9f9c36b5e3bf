"""What every command takes: ``--config`` and ``--app``, and how the app is found."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, TypeVar

import click

from limitkit.cli.output import Unusable
from limitkit.wording import one_line, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Function = TypeVar("Function", bound="Callable[..., Any]")


def common(function: Function) -> Function:
    """Add the options that every command takes."""
    app = click.option("-A", "--app", metavar="APP", help="The Celery app, as celery -A takes it.")
    config = click.option("--config", metavar="FILE", help="The file, in place of the one found from here.")
    return app(config(function))


def examples(*lines: str, first: str = "Examples:") -> str:
    """Write the end of a command's help: lines that can be copied as they are."""
    return "\n".join(["\b", first, *(f"  {line}" for line in lines)])


def app_given(ctx: click.Context, app: str | None) -> Any:
    """Return the app that the command, or ``celery -A`` around it, was given; None when there is none.

    The app comes with all its tasks: autodiscovery has run, and it is finalized. Exits with status 2, and no
    traceback, when it can't be had.
    """
    around = ctx.find_root()
    if app is None and around.params.get("app") is None:
        return None
    try:
        found = _find(app) if app is not None else around.obj.app
        found.loader.import_default_modules()
        found.finalize()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - importing an app runs anybody's code
        name = quote(app if app is not None else str(around.params["app"]))
        raise Unusable(f"the app {name} can't be imported: {_reason(error)}") from None
    return found


def tasks_of(app: Any) -> Mapping[str, Any]:
    """Return the app's registered tasks by name."""
    return dict(app.tasks)


def _find(app: str) -> Any:
    from celery.app.utils import find_app  # noqa: PLC0415 - seconds of import that most calls do without

    found: Any = find_app(app)
    if not hasattr(found, "finalize") or not hasattr(found, "loader"):
        raise TypeError(f"{quote(app)} is not a Celery app")
    return found


def _reason(error: BaseException) -> str:
    said = one_line("".join(traceback.format_exception_only(error)).strip())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    ours = isinstance(error, TypeError) and frames and frames[-1].filename == __file__
    if not frames or ours or "importlib" in frames[-1].filename:
        return said
    return f"{said} ({frames[-1].filename}:{frames[-1].lineno})"
