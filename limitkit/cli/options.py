"""The options of every command: ``--config`` and ``--app``, and how the app is found."""

from __future__ import annotations

import re
import sys
import traceback
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, TypeVar

import click

from limitkit.cli.output import Unusable
from limitkit.config.wording import listed, one_line, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Function = TypeVar("Function", bound="Callable[..., Any]")


def common(function: Function) -> Function:
    """Add the options that every command takes."""
    config = click.option("--config", metavar="FILE", help="The file, in place of the one found from here.")
    return of_app(config(function))


def of_app(function: Function) -> Function:
    """Add the option that names the app."""
    return click.option("-A", "--app", metavar="APP", help="The Celery app, as celery -A takes it.")(function)


def examples(*lines: str, first: str = "Examples:") -> str:
    """Write the end of a command's help: lines that can be copied as they are."""
    return "\n".join(["\b", first, *(f"  {line}" for line in lines)])


def app_given(ctx: click.Context, app: str | None) -> Any:
    """Return the app that the command, or ``celery -A`` around it, was given; None when there is none.

    The app comes with all its tasks: autodiscovery has run, and it is finalized. What its modules print goes to
    standard error. Exits with status 2, and no traceback, when it can't be imported.
    """
    around = ctx.find_root()
    if app is None and around.params.get("app") is None:
        return None
    name = app if app is not None else str(around.params["app"])
    try:
        with redirect_stdout(sys.stderr):
            found = _find(app) if app is not None else around.obj.app
            found.loader.import_default_modules()
            found.finalize()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - importing an app runs its code, and that may call sys.exit
        raise Unusable(f"the app {quote(name)} can't be imported: {_reason(error, name)}") from None
    return found


def tasks_of(app: Any) -> Mapping[str, Any]:
    """Return the app's registered tasks by name."""
    return dict(app.tasks)


def queues_of(app: Any) -> frozenset[str]:
    """Name the queues that the app's settings name: those it has, and those to which tasks are routed."""
    routes = app.conf.task_routes
    tables = [each for each in (routes if isinstance(routes, (list, tuple)) else [routes]) if isinstance(each, dict)]
    targets = [route for table in tables for route in table.values()]
    routed = [route.get("queue") if isinstance(route, dict) else route for route in targets]
    named = [getattr(queue, "name", queue) for queue in routed]
    return frozenset(str(name) for name in (*app.amqp.queues, *named) if name)


def _find(app: str) -> Any:
    from celery.app.utils import find_app  # noqa: PLC0415 - seconds of import that most calls do without

    found: Any = find_app(app)
    if not hasattr(found, "finalize") or not hasattr(found, "loader"):
        raise TypeError(f"{quote(app)} is not a Celery app")
    return found


def _reason(error: BaseException, app: str) -> str:
    before = error.__context__
    if isinstance(error, ModuleNotFoundError) and error.name == app and isinstance(before, AttributeError):
        # Celery treats a missing attribute as a module's name; the error before this one has the reason.
        module, _, name = app.partition(":") if ":" in app else app.rpartition(".")
        if module in sys.modules:
            return _not_in(sys.modules[module], name)
        error = before
    if isinstance(error, AttributeError) and app in sys.modules and _is_of(error, sys.modules[app]):
        return _not_in(sys.modules[app], "app")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    said = one_line("".join(traceback.format_exception_only(error)).strip())
    if isinstance(error, SystemExit):
        said = f"a module of it ends the program: {said}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    ours = isinstance(error, TypeError) and frames and frames[-1].filename == __file__
    if isinstance(error, ModuleNotFoundError) and error.name == re.split("[.:]", app)[0]:
        return f"{said}; run this in the folder of that module, or fix the name"
    if not frames or ours or "importlib" in frames[-1].filename:
        return said
    return f"{said} ({frames[-1].filename}:{frames[-1].lineno})"


def _is_of(error: AttributeError, module: Any) -> bool:
    """Whether the attribute was missing in the module itself, not somewhere in its code."""
    return error.obj is module and error.name == "celery"


def _not_in(module: Any, name: str) -> str:
    """Say that a module has nothing of this name, and which apps it has."""
    from celery import Celery  # noqa: PLC0415 - as above

    apps = [each for each, value in vars(module).items() if isinstance(value, Celery)]
    whole = [f"{module.__name__}:{each}" for each in apps]
    hint = f"the app is there as {listed(whole)}" if whole else "and there is no Celery app in it"
    return f"the module {module.__name__} has no {quote(name)}; {hint}"
