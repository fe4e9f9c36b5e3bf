"""Slots of a concurrency limit: the names under which running tasks have them."""

from __future__ import annotations

import secrets


def new_member(now: float) -> str:
    """Make a name for a start, from its time in seconds since 1970."""
    return f"{now * 1000:.0f}-{secrets.token_hex(8)}"


def since(member: str) -> float:
    """Return when the start of this name was, in seconds since 1970; 0.0 if the name doesn't say."""
    began = member.partition("-")[0]
    return int(began) / 1000 if began.isascii() and began.isdigit() else 0.0
