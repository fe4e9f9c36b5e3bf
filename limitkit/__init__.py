"""Declared rate limits for Celery: tasks start at exactly the rate that ``ratelimits.toml`` says.

Names are imported on first use, so that ``import limitkit`` costs a process that only sends tasks nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limitkit.config.load import Config, load
    from limitkit.control.manager import RateLimitManager
    from limitkit.errors import ConfigError, Problem, RateLimitExceeded
    from limitkit.install_app import install
    from limitkit.worker.running import settle

__version__ = "0.2.0"
__all__ = ["Config", "ConfigError", "Problem", "RateLimitExceeded", "RateLimitManager", "install", "load", "settle"]

_HOMES = {
    "Config": "limitkit.config.load",
    "ConfigError": "limitkit.errors",
    "Problem": "limitkit.errors",
    "RateLimitExceeded": "limitkit.errors",
    "RateLimitManager": "limitkit.control.manager",
    "install": "limitkit.install_app",
    "load": "limitkit.config.load",
    "settle": "limitkit.worker.running",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
