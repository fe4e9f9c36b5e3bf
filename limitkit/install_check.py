"""Checks that an app has limitkit installed, with the config that is being validated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import one_line
from limitkit.errors import ConfigError
from limitkit.worker.installation import installation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.load import Config
    from limitkit.errors import Problem

NOT_INSTALLED: Final = "LK045"
OTHER_CONFIG: Final = "LK046"


def problems(config: Config, app: Any) -> Iterator[Problem]:
    """Warn where an app's workers would not use this config."""
    installation = installation_of(app)
    if installation is None:
        fact = "the app does not call limitkit.install(app), so its workers keep none of these limits"
        hint = "call it where the app is made"
        yield config.document.problem(NOT_INSTALLED, (), fact, hint, severity="warning")
        return
    try:
        path = installation.path()
    except ConfigError:
        path = ""
    used = installation.config
    same = used is not None and used.digest == config.digest
    if config.path == "-" or same or _is_same_file(path, config.path):
        return
    theirs = f"{one_line(path)}, which limitkit.install was told or finds from here" if path else "no file from here"
    fact = f"the app's workers do not go by this file: they find {theirs}"
    hint = "look at that one, or name this one by limitkit.install(app, config) or LIMITKIT_CONFIG"
    yield config.document.problem(OTHER_CONFIG, (), fact, hint, severity="warning")


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False
