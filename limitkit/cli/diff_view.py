"""Changes of files, as a unified diff."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from limitkit.cli.output import Drawn, styled
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLORS = {"+": "green", "-": "red", "@": "cyan"}
_ENDS = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
"""Line ends of Python and TOML alone; str.splitlines knows more."""


def diff(path: str, before: bytes | None, after: bytes) -> Iterator[Drawn]:
    """Go through the lines of a diff. ``patch -p1`` can read it, but for control characters and passwords."""
    old, new = _lines(before or b""), _lines(after)
    names = "/dev/null" if before is None else f"a/{path}", f"b/{path}"
    for number, line in enumerate(difflib.unified_diff(old, new, *names)):
        bare = line.removesuffix("\n")
        end = "\r" if bare.endswith("\r") else ""
        text = "\t".join(one_line(part) for part in bare.removesuffix("\r").split("\t"))
        color = None if number < 2 else _COLORS.get(line[:1])  # noqa: PLR2004 (the two names)
        yield Drawn((styled(text, fg=color) if color and "\t" not in text else text) + end)
        if not line.endswith("\n"):
            yield Drawn("\\ No newline at end of file")


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "surrogateescape")
    return [line for line in _ENDS.split(text) if line]
