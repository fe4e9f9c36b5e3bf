"""Writes rates in force and times for people, in ``status``, ``drift``, ``why`` and other commands."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.model.units import interval_text
from limitkit.config.wording import span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.buckets.override import Override


def until(override: Override, now: float) -> str:
    """Say until when an override holds, by the clock here: ``13:40:05, in 1h 59m``."""
    if override.until is None:
        return "it is resumed" if override.kind == "pause" else "it is restored"
    return f"{moment(override.until)}, in {span(max(0.0, override.until - now))}"


def moment(at: float) -> str:
    """Write a time (seconds since 1970) by the clock here, with the day unless it is today."""
    then = dt.datetime.fromtimestamp(at).astimezone()
    day = "" if then.date() == dt.datetime.now().astimezone().date() else f"{then:%Y-%m-%d} "
    return f"{day}{then:%H:%M:%S}"


def rated(rate: str, burst: int) -> str:
    """Write a rate and a burst: ``25/s, burst 100``; a pause is one word."""
    return f"{rate}, burst {burst}" if burst else rate


def reported(limit: Mapping[str, Any]) -> str:
    """Write the rate and burst that a worker has reported for a limit."""
    if not limit["burst"]:
        return "paused"
    if limit["source"] == "file":
        return rated(limit["declared"], limit["burst"])
    return rated(interval_text(round(limit["interval"] * MICROSECONDS)), limit["burst"])
