"""How numbers and times of a play are written for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.config.wording import span

if TYPE_CHECKING:
    from limitkit.trial.figures import Peak

_EXACT: Final = 10
_SPAN: Final = 60
_WHOLE: Final = 100


def number_text(number: float) -> str:
    """Write a number of about three digits: ``0.25``, ``12.5``, ``1,234``."""
    if number and number < 1:
        return f"{number:.2g}"
    return f"{number:,.0f}" if number >= _WHOLE or number == int(number) else f"{number:.1f}"


def time_text(seconds: float | None) -> str:
    """Write a time or a wait: ``0s``, ``20ms``, ``1.25s``, ``12.3s``, ``4m 10s``; None is a dash."""
    if seconds is None:
        return "-"
    if round(seconds * 1000) < 1:
        return "0s"
    if round(seconds * 1000) < 1000:  # noqa: PLR2004 (a second)
        return f"{seconds * 1000:.0f}ms"
    if round(seconds, 1) < _SPAN:
        return f"{seconds:.{2 if seconds < _EXACT else 1}f}".rstrip("0").rstrip(".") + "s"
    return span(seconds)


def bytes_text(size: int) -> str:
    """Write how many bytes: ``990 bytes``, ``12 KB``, ``1.2 MB``."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= step:
            return f"{number_text(size / step)} {unit}"
    return f"{size} bytes"


def peak_text(peak: Peak) -> str:
    """Write a most and when it was: ``9,990 at 0s``."""
    return f"{peak.most:,} at {time_text(peak.at)}" if peak.most else "-"


def count_text(number: int) -> str:
    """Write how many; none is a dash, so that a column without any is left out."""
    return f"{number:,}" if number else "-"
