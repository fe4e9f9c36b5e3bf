"""Nothing is left behind at the end, nothing is logged that is no news of a fault, and calls are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.story import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.story import Story

_OF_AN_OUTAGE = ("The store can't be asked", "could not be set", "The store answers again", "leases")


def nothing_left(story: Story) -> Iterator[Broken]:
    """When all is done, no worker and no store holds anything any more."""
    if story.outcome.complete and story.left:
        yield Broken("nothing left", "; ".join(story.left))


def nothing_logged(story: Story) -> Iterator[Broken]:
    """Workers warn of nothing but an outage."""
    away = any("store" in fault for fault in story.faults)
    for text in story.outcome.warnings:
        if not (away and any(known in text for known in _OF_AN_OUTAGE)):
            yield Broken("nothing logged", text)
            return


def calls_bounded(story: Story) -> Iterator[Broken]:
    """The store is called a few times for each message and each second of a worker."""
    outcome = story.outcome
    seconds = outcome.ended * len(outcome.workers)
    most = 60 + 6 * len(outcome.runs) + 12 * seconds
    if outcome.store_calls > most:
        yield Broken("calls bounded", f"{outcome.store_calls} calls of the store, of {most:.0f} at most")
    most = 60 + 8 * len(outcome.runs) + 12 * seconds
    if outcome.room_calls > most:
        yield Broken("calls bounded", f"{outcome.room_calls} calls of the waiting room, of {most:.0f} at most")
