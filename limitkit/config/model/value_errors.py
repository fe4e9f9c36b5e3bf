"""Says what is wrong with a rate, a duration, a port or a key: a fact and a hint, or nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from limitkit.config.model import suggestions
from limitkit.config.model.exception_patterns import fault
from limitkit.config.model.ports import LAST, PORT_HINT, parse_ports
from limitkit.config.model.units import CALENDAR_RATE_PATTERN, DURATION_PATTERN, parse_duration, parse_rate
from limitkit.config.wording import quote, show

if TYPE_CHECKING:
    from collections.abc import Callable

DURATIONS: Final = {
    "timeout": ("10ms", "10s"),
    "max_wait": ("10ms", "366d"),
    "hold": ("100ms", "60s"),
    "max_pause": ("10ms", "31d"),
    "lease": ("5s", "1h"),
}
"""The least and the most of each key that is a duration."""
HEADER: Final = "headers:"
"""What the name of a message header begins with, where the path to an argument could stand."""
_LONGEST: Final = 64  # characters of a rate or a duration: a longer one is out of range


def _split(error: ValueError, text: str) -> tuple[str, str]:
    """Split a unit's error into fact and hint, and shorten the text in it."""
    fact, _, hint = str(error).replace(f'"{text}"', quote(text), 1).partition("; ")
    return fact, hint


def _with_example(said: tuple[str, str], text: str, guess: Callable[[str], str | None]) -> tuple[str, str]:
    """Put what is probably meant in place of the example in a hint, but not for a value from the environment."""
    fact, hint = said
    meant = None if getattr(text, "masked", False) else guess(text)
    before, example, _ = hint.partition("e.g. ")
    return (fact, f"{before}{example}{quote(meant)}") if example and meant else said


def _meant_rate(text: str) -> str | None:
    guess = suggestions.rate(text) if type(text) is str else None  # the value of a variable is not shown
    try:
        return parse_rate(guess).text if guess else None
    except ValueError:  # out of range
        return None


def rate_fault(text: str, *, calendar: bool = False) -> tuple[str, str] | None:
    """Say what is wrong with a rate, as fact and hint; None when it is right.

    With ``calendar`` the units w and mo may stand in it.
    """
    if len(text) > _LONGEST and re.fullmatch(CALENDAR_RATE_PATTERN, text):
        return f"{quote(text)} is out of range", 'write a rate from "1/366d" to "100000/s"'
    try:
        parse_rate(text, calendar=calendar)
    except ValueError as error:
        return _with_example(_split(error, text), text, _meant_rate)
    return None


def duration_fault(key: str, text: str) -> tuple[str, str] | None:
    """Say what is wrong with the duration of one of ``DURATIONS``, as fact and hint; None when it is right."""
    return duration_between(*DURATIONS[key], text)


def duration_between(least: str, most: str, text: str) -> tuple[str, str] | None:
    """Say what is wrong with a duration between two others, as fact and hint; None when it is right."""
    hint = f"write a duration from {quote(least)} to {quote(most)}"
    if len(text) > _LONGEST and re.fullmatch(DURATION_PATTERN, text):
        return f"{quote(text)} is out of range", hint
    fault = not_a_duration(text)
    if fault is not None:
        return fault
    in_range = parse_duration(least) <= parse_duration(text) <= parse_duration(most)
    return None if in_range else (f"{quote(text)} is out of range", hint)


def not_a_duration(text: str) -> tuple[str, str] | None:
    """Say what is wrong with a duration of any length, as fact and hint; None when it is right."""
    try:
        parse_duration(text)
    except ValueError as error:
        return _with_example(_split(error, text), text, suggestions.duration)
    return None


def port_fault(said: int | str) -> tuple[str, str] | None:
    """Say what is wrong with a port or a range of ports, as fact and hint; None when it is right."""
    if isinstance(said, int) and said.bit_length() > LAST.bit_length() * 2:  # Python can't write a very long number
        return f"{show(said)} is out of range", PORT_HINT
    try:
        parse_ports(said)
    except ValueError as error:
        return _split(error, said if isinstance(said, str) else str(said))
    return None


def host_fault(text: str) -> tuple[str, str]:
    """Say what is wrong with a host whose pattern does not match, as fact and hint."""
    return f"{quote(text)} is not a host", 'write a name or an address to listen on, e.g. "127.0.0.1" or "0.0.0.0"'


def key_fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong with a part of a key, as fact and hint; None when it is an argument or a header."""
    if text.startswith(HEADER):
        if text == HEADER or not text.isprintable() or text.strip() != text:
            return f"{quote(text)} names no message header", 'write its name, e.g. "headers:x-tenant"'
        return None
    if not text.partition(".")[0].isidentifier() or not all(text.split(".")):
        hint = 'write an argument\'s name, or a dotted path into it, e.g. "user_id" or "customer.tenant"'
        return f"{quote(text)} is not the name of an argument", hint
    return None


def exception_pattern_fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong with an item of ``on`` or ``unless``, as fact and hint; None when it is right."""
    found = fault(text)
    return found and (f"{quote(text)} {found[0]}", found[1])


def factor_fault(number: float) -> tuple[str, str] | None:
    """Say what is wrong with a ``factor``, as fact and hint; None when it is more than 0 and less than 1."""
    if 0 < number < 1:
        return None
    return f"{show(number)} is out of range", "write a number above 0 and below 1, e.g. factor = 0.9"
