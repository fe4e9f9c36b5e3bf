"""The keywords of JSON Schema by which ratelimits.toml is checked: each says whether a value breaks its rule.

jsonschema's own keywords write a message with the whole value for each fault. For a table with 10,000 wrong keys that
is the table 10,000 times, and for a number with more digits than Python writes it is a traceback.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _enum(words: Iterable[Any], value: Any) -> bool:
    return not any(type(word) is type(value) and word == value for word in words)


# With "not" in front, the bounds also reject nan.
def _minimum(least: float, value: Any) -> bool:
    return _is_number(value) and not value >= least


def _maximum(most: float, value: Any) -> bool:
    return _is_number(value) and not value <= most


def _pattern(pattern: str, value: Any) -> bool:
    """Match the whole text: Python's ``$`` also matches before a newline at the end, that of other tools does not."""
    return isinstance(value, str) and not re.fullmatch(pattern, value)


def _max_items(most: int, value: Any) -> bool:
    return isinstance(value, list) and len(value) > most


def _unique_items(wanted: bool, value: Any) -> bool:  # noqa: FBT001 - as the schema has it
    """Check only strings: other values have a wrong type, and are reported for that."""
    strings = [each for each in value if isinstance(each, str)] if wanted and isinstance(value, list) else []
    return len(set(strings)) < len(strings)


def _required(keys: Iterable[str], value: Any) -> bool:
    return isinstance(value, dict) and any(key not in value for key in keys)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


BREAKS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "pattern": _pattern,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "required": _required,
}
"""By keyword; each takes its rule and a value."""
