"""Finds the config that is in use: the one that the app's workers use, unless another is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.cli.output import show_problems
from limitkit.config.load import load, locate
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    import click

    from limitkit.config.load import Config


def path_in_use(app: Any) -> str:
    """Return the path of the file that a worker started here would use. Raises ConfigError when there is none."""
    if app is None:
        return locate()
    from limitkit.worker.installation import installation_of  # noqa: PLC0415 (imports Celery)

    installation = installation_of(app)
    return installation.path() if installation is not None else locate()


def config_in_use(ctx: click.Context, app: Any, config: str | None) -> Config:
    """Return the config; without an app, the one found from here. Exits as ``validate`` does when it is wrong."""
    try:
        return usable_config(app, config)
    except ConfigError as error:
        show_problems(error.problems, err=True)
        ctx.exit(2 if error.unreadable else 1)


def usable_config(app: Any, config: str | None) -> Config:
    """Return the same config. Raises ConfigError when it is wrong."""
    if config is not None or app is None:
        return load(config or locate())
    from limitkit.worker.installation import installation_of  # noqa: PLC0415 (imports Celery)

    installation = installation_of(app)
    return installation.usable() if installation is not None else load(locate())
