"""What ``why`` says of a start that waits, by the kind of its limit: for a slot, tokens, a window, or its turn."""

from __future__ import annotations

from math import floor, inf
from typing import TYPE_CHECKING, Final

from limitkit.buckets.partition import shown
from limitkit.config.wording import one_line, span

if TYPE_CHECKING:
    from limitkit.config.declared import Limit
    from limitkit.control.bucket_state import BucketState
    from limitkit.control.usage import Usage

_NOW: Final = 0.05
"""Seconds that are nothing to wait for."""
_DIGITS: Final = 8
"""Of a value's hash."""


def waits_for(named: str, state: BucketState, usage: Usage | None, cost: int = 0) -> str:
    """Say for what of a limit a start waits, and what is there; ``cost`` is what it takes, if that is known."""
    limit = state.limit
    if limit.strategy == "concurrency":
        return f"waits for a slot of {named}{_running(usage)}"
    if limit.strategy == "window":
        return f"waits for the window of {named}{_counted(limit, usage)}"
    if not limit.metered:
        return f"waits for {named}"
    costs = f"it costs {cost:,}, " if cost else ""
    if usage is None or usage.tokens is None:
        return f"waits for tokens of {named}{f': {costs[:-2]}' if costs else ''}"
    if usage.debt:
        left = f"{floor(usage.debt) or 1:,} are owed, and paid in {span(usage.more_in)}"
    else:
        left = f"{floor(usage.tokens):,} are there"
    return f"waits for tokens of {named}: {costs}{left}"


def _running(usage: Usage | None) -> str:
    if usage is None:
        return ""
    oldest = f", the oldest for {span(usage.oldest)}" if usage.oldest is not None else ""
    return f": {usage.text()}{oldest}"


def _counted(limit: Limit, usage: Usage | None) -> str:
    if usage is None or usage.counted is None:
        return ""
    if limit.resets is None or usage.resets_in is None:
        return f": {usage.text()}"
    text = limit.resets.text
    when = "it resets" if text == "clock" else f"it resets at {text}"
    return f": {usage.counted:,} of {usage.most:,} counted, {when}, in {span(usage.resets_in)}"


def starts_when(state: BucketState, usage: Usage | None, place: int, seconds: float) -> str:
    """Say when the one at this place starts, where its worker does not know it in advance.

    ``seconds`` is what it would be by the rate alone.
    """
    found = state.drained_in(place, usage=usage)
    if found == inf:
        return "does not start while that is paused"
    if found is not None:
        at_least = 0.0 if state.limit.resets is not None else seconds
        wait = max(at_least, found)
        return f"starts in about {span(wait)}" if wait >= _NOW else "starts when a process is free for it"
    after = "" if place == 1 else ", after those before it"
    paused = f", in {span(state.paused_for)} at the earliest" if state.paused_for else ""
    if state.limit.strategy == "concurrency":
        return f"starts when a slot is free{after}{paused}"
    return f"starts when its tokens are there{after}{paused}"


def turn_of(limit: Limit, value: str, weight: float, weights: float, worker: str) -> str:
    """Say how often it is a value's turn."""
    whose = one_line(shown(value, _DIGITS))
    of = f"weight {weight:.12g} of {weights:.12g}"
    return f"The values of {limit.fair_by} take turns: {whose} has {of} that wait in {worker}."
