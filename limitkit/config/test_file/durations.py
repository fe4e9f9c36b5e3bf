"""Durations of test files: as in ratelimits.toml, or of several parts, as output has them: ``"2m 39s"``."""

from __future__ import annotations

import re
from math import fsum
from typing import Final

from limitkit.config.model.units import DURATION_PATTERN, parse_duration
from limitkit.config.model.value_errors import duration_between
from limitkit.config.wording import quote

_NUMBER: Final = r"[0-9]+(\.[0-9]+)?"
_UNITS: Final = ("d", "h", "m", "s", "ms")
_LONGEST: Final = 64
"""Characters; a longer duration is out of range."""


def _from(index: int) -> str:
    """Return the pattern of a unit and of smaller ones that may follow."""
    later = "".join(f"( ?{_NUMBER}{unit})?" for unit in _UNITS[index + 1 :])
    return f"{_UNITS[index]}{later}"


SPAN_PATTERN: Final = f"^{_NUMBER}({'|'.join(_from(index) for index in range(len(_UNITS)))})$"
_SPAN: Final = re.compile(SPAN_PATTERN.removeprefix("^").removesuffix("$"))
_PART: Final = re.compile(r"[0-9.]+(?:ms|[smhd])")


def parse_span(text: str) -> float:
    """Read a duration of one part or of several, each of a smaller unit than the one before it: ``"1h30m"``; seconds.

    Raises ValueError, with fact and remedy, as ``parse_duration`` does.
    """
    if not _has_parts(text):
        return parse_duration(text)
    return fsum(parse_duration(part) for part in _PART.findall(text))


def span_between(least: str, most: str, text: str) -> tuple[str, str] | None:
    """Say what is wrong with a duration between two others, as fact and hint; None when it is right."""
    if not _has_parts(text):
        return duration_between(least, most, text)
    if len(text) <= _LONGEST and parse_duration(least) <= parse_span(text) <= parse_duration(most):
        return None
    return f"{quote(text)} is out of range", f"write a duration from {quote(least)} to {quote(most)}"


def _has_parts(text: str) -> bool:
    return text.isascii() and not re.fullmatch(DURATION_PATTERN, text) and _SPAN.fullmatch(text) is not None
