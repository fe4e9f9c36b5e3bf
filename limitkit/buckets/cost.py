"""What a start costs: read from its message when it comes, and from what its task returns.

Both are values from outside: reading them never raises, and its work is bounded. The sums are exact: 10 times 0.1 is 1.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, isfinite
from numbers import Integral, Rational, Real
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.call import NOT_THERE, PartReader, follow
from limitkit.buckets.canonical_value import interrupts

if TYPE_CHECKING:
    import inspect

    from limitkit.buckets.call import Call
    from limitkit.config.declared import Cost

MOST: Final = 10**9
"""A higher cost counts as this."""
_LONGEST_US: Final = 2**52
"""No cost is worth more microseconds of its bucket (142 years): the scripts' numbers are exact up to 2^53."""
_DIGITS: Final = 30
"""Decimal numbers with more digits than that before or after the point are no costs."""
_BITS: Final = 1_100
"""Fractions with more bits are no costs; every float has fewer."""
_HUGE: Final = 2**_BITS
"""Higher whole numbers count as this."""


class Costs(NamedTuple):
    """What a start costs."""

    tokens: int
    fault: str = ""
    """Why that is not what the message says, as ``is not a number``; empty when it is."""


class CostReader:
    """Reads the cost of a start from its message; made once per task and limit."""

    __slots__ = ("_default", "_most", "_plus", "_read", "_times")

    def __init__(self, signature: inspect.Signature | None, cost: Cost, interval_us: int) -> None:
        """``interval_us`` are the microseconds between two tokens of the limit."""
        self._read = PartReader(signature, cost.of, measures=True) if cost.of is not None else None
        # As they are written: a tenth is not a sum of powers of two.
        self._times, self._plus = Fraction(repr(cost.times)), Fraction(repr(cost.plus))
        self._most = most_tokens(interval_us)
        self._default = min(self._most, cost.default if cost.of is not None else cost.fixed)

    def __call__(self, call: Call) -> Costs:
        """Return what a start costs: at least 1, and the default when the message does not say it."""
        if self._read is None:
            return Costs(self._default)
        try:
            tokens, fault = _whole(self._read(call), self._times, self._plus)
        except BaseException as error:
            if interrupts(error):
                raise
            tokens, fault = 0, "can't be read"
        if not fault and tokens < 1:
            fault = "comes to less than 1"
        if fault:
            return Costs(self._default, fault)
        return Costs(tokens) if tokens <= self._most else Costs(self._most, f"comes to more than {self._most:,}")


def most_tokens(interval_us: int) -> int:
    """Return the highest cost that a start may have, at so many microseconds between two tokens."""
    return min(MOST, max(1, _LONGEST_US // max(1, interval_us)))


def settled_cost(value: Any, path: tuple[str, ...], most: int = MOST) -> int | None:
    """Read the true cost of a start from what its task returned: 0 or more, at most ``most``.

    None when it is not there, or is no number from 0 on.
    """
    try:
        tokens, fault = _whole(follow(value, path, measures=True))
    except BaseException as error:
        if interrupts(error):
            raise
        return None
    return None if fault or tokens < 0 else min(tokens, most)


def _whole(value: Any, times: Fraction = Fraction(1), plus: Fraction = Fraction(0)) -> tuple[int, str]:
    """Return ``times`` the value, ``plus`` something, rounded up; and why that is not known."""
    if value is NOT_THERE or value is None:
        return 0, "is not there"
    number = _number(value)
    return (ceil(number * times + plus), "") if number is not None else (0, "is not a number")


def _number(value: Any) -> Fraction | None:
    """Return a number of any type exactly; None for all else, and for what has no bound."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() and _is_short(value) else None
    if isinstance(value, Integral):
        return Fraction(max(-_HUGE, min(int(value), _HUGE)))
    if isinstance(value, Rational):
        above, below = int(value.numerator), int(value.denominator)
        return Fraction(above, below) if max(above.bit_length(), below.bit_length()) <= _BITS else None
    number = float(value)
    return Fraction(repr(number)) if isfinite(number) else None


def _is_short(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DIGITS and value.adjusted() <= _DIGITS
