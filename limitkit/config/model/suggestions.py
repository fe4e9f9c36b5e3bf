"""Guesses the rate or the duration that was meant: "10 per minute" is "10/m"."""

from __future__ import annotations

import re
from decimal import Context, Decimal, localcontext
from typing import Final

_LONGEST: Final = 64
_WORDS: Final = {
    "s": "s sec secs second seconds secondly",
    "m": "m min mins minute minutes minutely",
    "h": "h hr hrs hour hours hourly",
    "d": "d day days daily",
    "7d": "w wk wks week weeks weekly",
    "30d": "mo mon mos month months monthly",
    "365d": "y yr yrs year years yearly annum",
    "ms": "ms msec msecs millisecond milliseconds millis",
}
"""The units and their other names; weeks, months and years are so many days."""
_UNITS: Final = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_A_SECOND: Final = {"rps": "s", "qps": "s", "tps": "s", "hz": "s", "rpm": "m", "rph": "h", "rpd": "d"}
_SECONDS: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_EXACT: Final = Context(prec=300)
"""Enough digits for any number of 64 characters: a result with more digits than the context has is an error."""
_NUMBER: Final = r"([0-9]{1,3}(?:[,_' ][0-9]{3})+|[0-9_]+)(\.[0-9]+)?(e\+?[0-9]{1,2}|k)?"
_RATE = re.compile(
    rf"\+?{_NUMBER} *(?:(?:r|reqs?|requests?|calls?|tasks?|times)\b)? *"
    r"(?:/|per|an?|every|each|in|:|@|-)? *([0-9]+(?:\.[0-9]+)?)? *([a-z]*)\.?"
)
_DURATION = re.compile(rf"\+?{_NUMBER} *([a-z]*)\.?")


def rate(text: str) -> str | None:
    """Write a rate as TOML wants it: ``"10000/30d"`` for "10000 per month"; None when it can't be guessed.

    It has the form of a rate, but may be out of range.
    """
    match = _RATE.fullmatch(text.casefold().strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    whole, decimals, scale, every, word = match.groups()
    unit = _UNITS.get(word) or _A_SECOND.get(word) or ("" if word else "s")
    tokens, period = _number(whole, decimals, scale), Decimal(every or 1)
    if not unit or not tokens or not period:
        return None
    with localcontext(_EXACT):
        if len(unit) > 1 and unit != "ms":
            period, unit = period * int(unit[:-1]), unit[-1]
        if unit == "ms" or period % 1:  # periods are whole numbers
            period, unit = period * _SECONDS[unit], "s"
            while period % 1:
                tokens, period = tokens * 10, period * 10
            tokens, period = (tokens / period, Decimal(1)) if not tokens % period else (tokens, period)
        return f"{tokens.normalize():f}/{'' if period == 1 else f'{period.normalize():f}'}{unit}"


def duration(text: str) -> str | None:
    """Write a duration as TOML wants it: ``"5m"`` for "5 minutes"; None when it can't be guessed."""
    match = _DURATION.fullmatch(text.casefold().strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    whole, decimals, scale, word = match.groups()
    unit = _UNITS.get(word) or ("" if word else "s")
    number = _number(whole, decimals, scale)
    if not unit or not number:
        return None
    days = unit.removesuffix("d")
    if days.isdigit():
        number, unit = number * int(days), "d"
    return f"{number.normalize():f}{unit}"


def _number(whole: str, decimals: str | None, scale: str | None) -> Decimal:
    scale = "e3" if scale == "k" else scale or ""
    return Decimal(re.sub("[^0-9]", "", whole) + (decimals or "") + scale) if re.search("[0-9]", whole) else Decimal(0)
