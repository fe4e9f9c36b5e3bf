"""The promises of limitkit's contract, each as an exact statement about a life that was played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.promises import fates, leftovers, rates, running, turns, waiting

if TYPE_CHECKING:
    from search.story import Broken, Story

JUDGES = (
    fates.none_lost,
    fates.none_twice,
    fates.dropped_as_said,
    rates.never_faster,
    rates.never_more_in_a_window,
    rates.paused,
    running.never_more_at_once,
    waiting.nobody_waits_for_nothing,
    turns.fair_shares,
    leftovers.nothing_left,
    leftovers.nothing_logged,
    leftovers.calls_bounded,
)


def judge(story: Story) -> list[Broken]:
    """Return the promises that are broken in a life."""
    return [broken for promise in JUDGES for broken in promise(story)]
