"""Paths as a repository's tools want them: from its root, with slashes."""

from __future__ import annotations

import os
from pathlib import Path


def from_root(path: str) -> str | None:
    """Return a file's path from GITHUB_WORKSPACE, else from the working folder; None if it is below neither."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - the file need not be there, and a link stays a link
    for root in (os.environ.get("GITHUB_WORKSPACE"), os.getcwd()):  # noqa: PTH109 - as it is named
        if root:
            for folder, file in ((Path(root), whole), (Path(root).resolve(), whole.resolve())):
                if file.is_relative_to(folder):
                    return file.relative_to(folder).as_posix()
    return None
