"""How much more or less something is, exactly reckoned and in words: doubled, halved, cut to a tenth."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

_PARTS: Final = {3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 8: "an eighth", 10: "a tenth"}
_MORE_PARTS: Final = {20: "a twentieth", 50: "a fiftieth", 100: "a hundredth", 1000: "a thousandth"}


def grown(before: Fraction | int, after: Fraction | int) -> str:
    """Say how a number above 0 has changed; ``the same`` when it has not."""
    ratio = Fraction(after) / Fraction(before)
    if ratio == 1:
        return "the same"
    return _more(ratio) if ratio > 1 else _less(ratio)


def _more(ratio: Fraction) -> str:
    if ratio == 2:  # noqa: PLR2004 (it has a word of its own)
        return "doubled"
    if ratio < 2:  # noqa: PLR2004 (as above)
        return f"{_digits(100 * (ratio - 1))} % higher"
    return f"{_digits(ratio)} times as high"


def _less(ratio: Fraction) -> str:
    if ratio == Fraction(1, 2):
        return "halved"
    part = (_PARTS | _MORE_PARTS).get(ratio.denominator) if ratio.numerator == 1 else None
    if part is not None:
        return f"cut to {part}"
    if ratio > Fraction(1, 2):
        return f"{_digits(100 * (1 - ratio))} % lower"
    return f"cut to {_digits(100 * ratio)} % of what it was"


def _digits(number: Fraction) -> str:
    """Write a number with three digits; a whole number with all of them."""
    if number.denominator == 1 or number >= 1000:  # noqa: PLR2004 (three digits)
        return f"{round(number):,}"
    return f"{float(number):.3g}"


def number(value: int) -> str:
    """Write a whole number for people; one that came from the environment as the file writes it."""
    return str(value) if getattr(value, "masked", False) else f"{value:,}"


def decimal(value: float) -> str:
    """Write a number that may have decimals likewise."""
    return str(value) if getattr(value, "masked", False) else f"{value:.12g}"
