"""Says what is wrong with a cost, a weight, or the path to what a task returns: a fact and a hint, or nothing."""

from __future__ import annotations

import re
import sys
from typing import Final

from limitkit.config.model.value_errors import HEADER, key_fault
from limitkit.config.wording import quote, show

MOST_COST: Final = 1_000_000
PATH_PATTERN: Final = r"^[^.]+(\.[^.]+)*$"
_NO_PATH: Final = re.compile(r"^\s|\s$|[\[\]]|\$\{")
"""What nobody has in a name of a path, but writes for an index or a variable."""
_LARGEST: Final = sys.float_info.max
_READ_FROM: Final = 'write a whole number, or what it is read from, e.g. "max_tokens" or "emails.length"'
_FROM_ONE: Final = f"write a whole number from 1 to {MOST_COST}"


def cost_fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong with what a cost is read from, as fact and hint; None when it is right."""
    found = key_fault(text)
    if found is None or text.startswith(HEADER):
        return found
    return f"{quote(text)} is not what a cost can be read from", _READ_FROM


def cost_number_fault(number: int) -> tuple[str, str] | None:
    """Say what is wrong with a number of tokens, as fact and hint; None when it is right."""
    if 1 <= number <= MOST_COST:
        return None
    free = " and would be no limit" if number < 1 else ""
    return f"{show(number)} is out of range{free}", _FROM_ONE


def times_fault(number: float) -> tuple[str, str] | None:
    """Say what is wrong with ``times``, as fact and hint; None when it is a number above 0."""
    return None if 0 < number <= _LARGEST else (f"{show(number)} is out of range", _in_range(number, "above 0"))


def plus_fault(number: float) -> tuple[str, str] | None:
    """Say what is wrong with ``plus``, as fact and hint; None when it is a number from 0."""
    return None if 0 <= number <= _LARGEST else (f"{show(number)} is out of range", _in_range(number, "from 0"))


def weight_fault(number: float) -> tuple[str, str] | None:
    """Say what is wrong with a weight, as fact and hint; None when it is a number above 0."""
    if 0 < number <= _LARGEST:
        return None
    never = ", and who has no turns would never start a task" if number == 0 else ""
    return f"{show(number)} is out of range{never}", f"{_in_range(number, 'above 0')}; those without a weight have 1"


def _in_range(number: float, least: str) -> str:
    return f"write a number {least}" + (f", at most {MOST_COST}" if number > _LARGEST else "")


def settle_fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong with ``settle``, as fact and hint; None when it is a dotted path."""
    if text.startswith(HEADER):
        return (
            f"{quote(text)} is known at the start already, and the true cost comes with what the task returns",
            'write a dotted path into that, e.g. "usage.total_tokens", or cost = ' + quote(text),
        )
    if re.fullmatch(PATH_PATTERN, text) and text.isprintable() and not _NO_PATH.search(text):
        return None
    return f"{quote(text)} is not a path", 'write a dotted path into what the task returns, e.g. "usage.total_tokens"'
