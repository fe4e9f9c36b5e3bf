"""Finds the app, and its config, that a caller means: both may be given in several ways."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.config.load import Config

_INSTALLED: Final[weakref.WeakKeyDictionary[Any, Callable[[], Config]]] = weakref.WeakKeyDictionary()
"""By app: the function that returns the config with which limitkit is installed."""


def note_installed(app: Any, config: Callable[[], Config]) -> None:
    """Note the function that returns an app's config, or raises ConfigError."""
    _INSTALLED[app] = config


def config_of(app: Any, config: str | os.PathLike[str] | Config | None = None) -> Config:
    """Return the given config, or else the one that the app's workers use. Raises ConfigError."""
    installed = _INSTALLED.get(app) if app is not None else None
    if config is None and installed is not None:
        return installed()
    if config is not None and not isinstance(config, (str, os.PathLike)):
        return config
    from limitkit.config.load import load, locate  # noqa: PLC0415 (loads the parsers and models only when they are needed)

    return load(locate(config))


def real_app(app: Any, caller: str) -> Any:
    """Return the Celery app, also for a proxy such as ``celery.current_app``. Raises TypeError."""
    if not isinstance(app, type):
        app = getattr(app, "_get_current_object", lambda: app)()
    if isinstance(app, type) or not all(hasattr(app, name) for name in ("steps", "finalize", "on_after_finalize")):
        given = f"{quote(app)} is a string" if isinstance(app, str) else f"this is {_kind(app)}"
        raise TypeError(f"{caller} takes a Celery app, and {given}; pass the app itself, as in app = Celery(...)")
    return app


def must_be_config(config: Any, caller: str) -> None:
    """Check that this is a config, a path, or None. Raises TypeError."""
    if config is not None and not isinstance(config, (str, os.PathLike)) and not hasattr(config, "digest"):
        raise TypeError(
            f"{caller} takes a path or what limitkit.load(path) returned as the config, and this is {_kind(config)}; "
            "leave it out to use ratelimits.toml"
        )


def _kind(value: object) -> str:
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else f"of the type {type(value).__name__}"
