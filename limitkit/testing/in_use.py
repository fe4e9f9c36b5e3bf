"""Finds the config whose limits are played, and the apps of this process that have limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limitkit.config.load import CONFIG_VARIABLE, load, locate, nearest
from limitkit.worker.installation import INSTALLED, installation_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.load import Config


def config_in_use(
    given: str | os.PathLike[str] | Config | None, apps: Iterable[Any], folder: str | os.PathLike[str]
) -> Config:
    """Return the config that is given, else the one installed for the first of the apps that has one.

    Else it is the one of ``LIMITKIT_CONFIG``, else the nearest ratelimits.toml from ``folder`` up. Raises ConfigError.
    """
    if given is not None:
        return load(given) if isinstance(given, (str, os.PathLike)) else given
    for app in apps:
        installation = installation_of(app)
        if installation is not None:
            return installation.usable()
    found = None if os.environ.get(CONFIG_VARIABLE) else nearest(Path(folder).resolve())
    return load(locate() if found is None else _as_seen_from_here(found))


def _as_seen_from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def installed_apps() -> list[Any]:
    """Return the apps of this process for which limitkit is installed, the newest first."""
    return list(INSTALLED)[::-1]
