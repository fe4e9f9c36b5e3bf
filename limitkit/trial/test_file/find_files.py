"""Finds test files: those that are named, and in folders all whose names end with ``.limits.toml``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from limitkit.config.test_file.load import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "site-packages"})
_ENVIRONMENT: Final = "pyvenv.cfg"
"""A folder with this file is a virtual environment."""


def find(given: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return all test files among files and folders, each once, and the folders that have none.

    A file that is named is one, whatever its name is, and also when it does not exist. Folders whose names begin with a
    dot, ``node_modules``, ``__pycache__``, ``site-packages`` and virtual environments below a folder are left out, and
    no link to a folder is followed.
    """
    files: dict[str, str] = {}
    empty = []
    for path in given:
        found = [*_below(path)] if os.path.isdir(path) else [path]  # noqa: PTH112 - as it was given
        if not found:
            empty.append(path)
        for file in found:
            files.setdefault(os.path.realpath(file), file)
    return [*files.values()], empty


def _below(folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_skipped(here, name))
        for name in sorted(names):
            if name.endswith(SUFFIX):
                path = os.path.join(here, name)  # noqa: PTH118 - as the folder was given
                yield os.path.normpath(path) if folder in ("", ".") else path


def _is_skipped(here: str, name: str) -> bool:
    if name.startswith(".") or name in _SKIPPED:
        return True
    return os.path.exists(os.path.join(here, name, _ENVIRONMENT))  # noqa: PTH110, PTH118 - as above
