"""Writes rates in force and times for people, in ``status``, ``drift``, ``why`` and other commands."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.declared import terms_text
from limitkit.config.model.units import interval_text
from limitkit.config.wording import span
from limitkit.control.current import period_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.buckets.override import Override, Target
    from limitkit.config.model.fields import Strategy


def until(override: Override, now: float) -> str:
    """Say until when an override holds, by the clock here: ``13:40:05, in 1h 59m``."""
    if override.until is None:
        return "it is resumed" if override.kind == "pause" else "it is restored"
    return f"{moment(override.until)}, in {span(max(0.0, override.until - now))}"


def moment(at: float) -> str:
    """Write a time (seconds since 1970) by the clock here, with the day unless it is today."""
    then = dt.datetime.fromtimestamp(at).astimezone()
    today = dt.datetime.now().astimezone().date()  # noqa: TID251 (for people)
    day = "" if then.date() == today else f"{then:%Y-%m-%d} "
    return f"{day}{then:%H:%M:%S}"


def rated(rate: str, most: int, strategy: Strategy = "token_bucket") -> str:
    """Write what a limit admits: ``25/s, burst 100``; ``100/5s in a window``; ``3 at once``; a pause is one word."""
    return terms_text(strategy, rate, most) if most else rate


def reported(limit: Mapping[str, Any]) -> str:
    """Write what a limit admits as a worker has reported it."""
    most, strategy = limit["burst"], limit["strategy"]
    if not most:
        return "paused"
    if limit["source"] == "file":
        return rated(limit["declared"], most, strategy)
    interval = round(limit["interval"] * MICROSECONDS)
    rate = f"{most}/{period_text(interval * most)}" if strategy == "window" else interval_text(interval)
    return rated(rate, most, strategy)


def whose(target: Target) -> str:
    """Write the options of a command that name what an override is for: ``tenant --partition acme``."""
    return f"{target.name} --partition {target.shown or target.partition}" if target.partition else target.name
