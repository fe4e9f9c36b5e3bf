"""Which files are searched, and the names of their modules."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SKIPPED: Final = frozenset({"node_modules", "site-packages", "__pycache__", "venv", "env", "build", "dist"})
"""Folders with code of others, or copies. Hidden ones, and those with a ``pyvenv.cfg``, are skipped too."""
_SOURCES: Final = frozenset({"src", "lib"})
"""Folders that hold packages, and are none."""
_TELLING: Final = (
    b"rate_limit",
    b"tokens_per_second",
    b"bucket_size",
    b"heimdall",
    b"celery_throttle",
    b"pyrate_limiter",
)
_LIMITS: Final = re.compile(rb"(?:from|import)\s+limits\b")


def python_files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Find Python files at and below paths, in order; each comes with the folder from which its name is counted.

    Links below a path are not followed, so no file comes twice.
    """
    seen: set[str] = set()
    for path in paths:
        found = [path] if not path.is_dir() else _below(path)
        for file in found:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield file, path if path.is_dir() else path.parent


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not _is_skipped(Path(here, name)))
        for name in sorted(names):
            file = Path(here, name)
            if name.endswith(".py") and not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield file


def _refuse(error: OSError) -> None:
    """Stop at a folder that can't be looked into: its limits would be missed without a word."""
    raise error


def _is_skipped(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _SKIPPED or folder.is_symlink() or os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110


def may_tell(content: bytes) -> bool:
    """Whether a file can have anything to do with limits. Parsing takes a thousand times as long."""
    lower = content.lower()
    return any(word in lower for word in _TELLING) or (b"limits" in lower and _LIMITS.search(content) is not None)


def module_name(file: Path, top: Path) -> str:
    """Name a module as it is imported.

    The folder above its topmost package is where names begin. A file in no package counts from the folder that is
    searched, as a namespace package does.
    """
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 - a link keeps its own name
    folder, parts = absolute.parent, [absolute.stem]
    if (folder / "__init__.py").exists():
        while (folder / "__init__.py").exists() and folder != folder.parent:
            parts.append(folder.name)
            folder = folder.parent
    else:
        root = Path(os.path.abspath(top))  # noqa: PTH100 - likewise
        above = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
        while above and (above[0] in _SOURCES or not above[0].isidentifier()):
            above = above[1:]
        parts += reversed(above if all(part.isidentifier() for part in above) else ())
    parts.reverse()
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
