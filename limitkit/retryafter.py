"""For how long the other side wants to be left alone, as an exception or the headers of its response tell it.

They are whatever a task has raised, so it never raises itself, and believes nothing beyond an hour.

``Retry-After`` is RFC 9110, 10.2.3; ``RateLimit`` is draft-ietf-httpapi-ratelimit-headers-11, and ``RateLimit-Reset``
an older one of that row; ``X-RateLimit-Reset`` was never agreed upon, and is seconds from now, or a time since 1970.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from limitkit.slowdown import chain, getattr_safe

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 3600.0
"""Seconds: what asks for more gets so much."""
_EPOCH: Final = 1e9
"""Seconds from which on a number is a time since 1970, and no time to wait; a thousand times that, milliseconds."""
_MOST_TEXT: Final = 500
_NUMBER = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,9})?")
_LEFT = re.compile(r"\b(?:r|remaining)=([0-9]{1,16})")
_RESET = re.compile(r"\b(?:t|reset)=([0-9]{1,16})")


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the first of an exception's chain tells which tells any; None when none does."""
    return next((said for each in chain(error) if (said := _said(each)) is not None), None)


def _said(error: BaseException) -> float | None:
    try:
        return _told(error)
    except Exception:  # noqa: BLE001 - an object of somebody else's may raise anything, whatever is asked of it
        return None


def _told(error: BaseException) -> float | None:
    value = getattr_safe(error, "retry_after")
    said = _bounded(value.total_seconds()) if isinstance(value, dt.timedelta) else _moment(value)
    for where in (error, getattr_safe(error, "response")):
        if said is None:
            said = _in_headers(getattr_safe(where, "headers"))
    return said


def _in_headers(headers: Any) -> float | None:
    """Ask the headers that say it, the plainest first."""
    read: tuple[tuple[str, Callable[[str], float | None]], ...] = (
        ("retry-after", lambda text: _moment(text, _header(headers, "date"))),
        ("ratelimit", _structured),
        ("ratelimit-reset", lambda text: _reset(text, _header(headers, "ratelimit-remaining"))),
        ("x-ratelimit-reset", lambda text: _reset(text, _header(headers, "x-ratelimit-remaining"))),
    )
    for name, seconds in read:
        text = _header(headers, name)
        if text is not None and (said := seconds(text)) is not None:
            return said
    return None


def _header(headers: Any, name: str) -> str | None:
    """Find a header in whatever kind of mapping it is; names may be written in any case."""
    if not callable(getattr(headers, "items", None)):
        return None
    said = (_plain(value) for key, value in headers.items() if _plain(key).lower() == name)
    return next(said, "").strip()[:_MOST_TEXT] or None


def _plain(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _moment(value: Any, today: str | None = None) -> float | None:
    """Read seconds, or a date; ``today`` is the other side's own date, whose clock may be another."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return _bounded(float(value)) if abs(value) < _EPOCH else _since_1970(float(value))
    if not isinstance(value, str):
        return None
    if _NUMBER.fullmatch(value.strip()):
        return _moment(float(value))
    date = _date(value)
    if date is None:
        return None
    now = _date(today) if today else None
    return _bounded(date - (time.time() if now is None else now))


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text[:_MOST_TEXT]).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _structured(text: str) -> float | None:
    """Read ``"default";r=0;t=30``: of all quotas that are used up, the one that comes back last."""
    found = []
    # In the older draft the commas stand between the parts of one quota.
    for item in [text] if "reset=" in text else text.split(","):
        left, reset = _LEFT.search(item), _RESET.search(item)
        if reset and (left is None or int(left[1]) == 0):
            found.append(float(reset[1]))
    return _bounded(max(found)) if found else None


def _reset(text: str, left: str | None) -> float | None:
    """Read when a quota comes back, unless there is something left of it: then it was not that which refused."""
    if not _NUMBER.fullmatch(text) or (left is not None and _NUMBER.fullmatch(left) and float(left) > 0):
        return None
    return _moment(float(text))


def _since_1970(moment: float) -> float | None:
    if moment < 0:
        return None
    return _bounded((moment / 1000 if moment >= 1000 * _EPOCH else moment) - time.time())


def _bounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST)
