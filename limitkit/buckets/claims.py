"""Claims on a metered bucket: whoever it refuses has those who come later leave the tokens to him, for a moment.

Otherwise a start with a high cost never finds enough beside a stream of cheaper ones, which take the tokens as they
come. Claims stand in line, first come first served, each under its cost: nobody has to say who he is. One ends when
such a start is admitted, or if it is not renewed, so a worker that is gone holds up others for two seconds at most.
``stores/metered.lua`` does the same inside Redis.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CLAIMS: Final = 8
"""Who finds the line full leaves the tokens to all of it, and gets into it when one of them has started."""
SOON_US: Final = 1_000_000
"""After this time one who waits asks again at the latest."""
GRACE_US: Final = 1_000_000
"""How much later he may ask."""
OTHERS_US: Final = 2_000_000
"""A start that its other limits refuse for longer claims only what is needed as late as those let it start."""
LEAST_WAIT_US: Final = 10_000
"""Who waits for others' starts asks again after this time at the earliest."""


class Claim(NamedTuple):
    """A start that waits for tokens."""

    cost: int
    until: int
    """It has ended at this time, in microseconds."""


def live(claims: Iterable[Claim], now: int) -> tuple[Claim, ...]:
    """Return those that have not ended; one that ends too late is from before the clock was set back."""
    return tuple(each for each in claims if now < each.until <= now + SOON_US + GRACE_US)


def without(claims: Iterable[Claim], cost: int) -> tuple[Claim, ...]:
    """Return the line after a start of this cost."""
    return tuple(each for each in claims if each.cost != cost)


def behind_the_next(claims: tuple[Claim, ...], cost: int) -> tuple[Claim, ...]:
    """Return the line with this cost one place further back."""
    at = next((place for place, each in enumerate(claims) if each.cost == cost), len(claims))
    return (*claims[:at], *claims[at : at + 2][::-1], *claims[at + 2 :])


def renewed(claims: tuple[Claim, ...], cost: int, wait: int, now: int) -> tuple[Claim, ...]:
    """Return the line with a claim for a start that must wait for so many microseconds, as far as there is room."""
    mine = Claim(cost, now + min(wait, SOON_US) + GRACE_US)
    if any(each.cost == cost for each in claims):
        return tuple(mine if each.cost == cost else each for each in claims)
    return (*claims, mine)[:MOST_CLAIMS]


def ahead(claims: Iterable[Claim], cost: int, burst: int) -> int:
    """Return the tokens that a start of this cost must leave to those before it."""
    return sum(min(each.cost, burst) for each in takewhile(lambda each: each.cost != cost, claims))
