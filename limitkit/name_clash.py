"""Detects another package named ``limitkit``: its folder would be the same as that of ``celery-limitkit``."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

_OTHER: Final = "limitkit"
_AGAIN: Final = "pip install --force-reinstall --no-deps celery-limitkit"


def clash() -> str | None:
    """Return what is wrong when another distribution has the same folder; None when there is no other.

    The folder has the ``__init__.py`` of the one that was installed last. Uninstalling either of them removes it.
    """
    try:
        found = version(_OTHER)
    except PackageNotFoundError:
        return None
    return (
        f"The package {_OTHER} {found} is installed beside celery-limitkit, and both have the "
        f"folder {_OTHER}; the one that is installed or upgraded last breaks the other, and with it what limits "
        f"tasks. Keep only celery-limitkit: pip uninstall {_OTHER}, and then {_AGAIN}"
    )


def damage() -> str | None:
    """Return what is wrong when ``__init__.py`` belongs to the other package, or was removed with it; else None."""
    if "install" in getattr(sys.modules[_OTHER], "__all__", ()):
        return None
    return clash() or (
        "The file limitkit/__init__.py is gone, as when another package named limitkit was uninstalled; no app can "
        f"install limitkit. Get it back: {_AGAIN}"
    )
