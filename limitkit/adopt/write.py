"""Writes changed files: all are prepared first, then each is replaced in one step."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.adopt.lift import Change


def write(changes: Sequence[Change]) -> None:
    """Write files; modes stay, and for a link the file that it leads to is written.

    Raises OSError. Before the first replacement nothing has changed; if a later one fails, those before it are whole.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for change in changes:
            real = Path(os.path.realpath(change.path))
            if change.before is None and real.exists():
                raise FileExistsError(f"{change.path} was written in the meantime")
            if change.before is not None and real.read_bytes() != change.before:
                raise OSError(f"{change.path} was changed in the meantime")
            handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
            staged.append((Path(name), real))
            with os.fdopen(handle, "wb") as file:
                file.write(change.after)
                os.fchmod(file.fileno(), _mode(real, change.before))
                file.flush()
                os.fsync(file.fileno())
        while staged:
            new, real = staged[0]
            new.replace(real)
            del staged[0]
    finally:
        for new, _ in staged:
            with suppress(OSError):
                new.unlink()


def _mode(real: Path, before: bytes | None) -> int:
    if before is not None:
        return real.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
