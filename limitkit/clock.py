"""Time, as an object that is given: what decides when tasks start asks no other, so that it can be tried on any.

The time is asked for very often, so the methods of the machine's clock that say it are the C functions themselves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_MICROSECONDS: Final = 1_000_000
_ALMOST: Final = 0.01
"""Microseconds: 1000.1 s is as a float a little less than 1,000,100,000 us, and must not count as one less."""


class Clock(Protocol):
    """Says what time it is, and waits. All times are seconds, and nothing is raised."""

    def monotonic(self) -> float:
        """Return the time since some moment; it never goes back, also when this machine's clock is set."""

    def time(self) -> float:
        """Return the time since the beginning of 1970, which a set clock moves."""

    def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds."""


@dataclass(frozen=True, slots=True)
class _System:
    monotonic: Callable[[], float]
    time: Callable[[], float]
    sleep: Callable[[float], None]


def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # found only now: gevent may replace it after this module was imported


SYSTEM: Final[Clock] = _System(time.monotonic, time.time, _sleep)
"""This machine's own clock."""


def monotonic_us(clock: Clock) -> int:
    """Return the monotonic time in whole microseconds that have passed."""
    return int(clock.monotonic() * _MICROSECONDS + _ALMOST)


def time_us(clock: Clock) -> int:
    """Return the time since the beginning of 1970 in microseconds, as near as a float of seconds can say it."""
    return round(clock.time() * _MICROSECONDS)


def epoch(clock: Clock) -> float:
    """Return the monotonic time at which 1970 began; two readings may differ a little."""
    return clock.monotonic() - clock.time()
