"""How long the other side asks us to wait, read from an exception, its text or its response's headers.

A task may raise anything, so this never raises itself, and believes nothing beyond a bound.

``Retry-After`` is RFC 9110, 10.2.3; ``RateLimit`` is draft-ietf-httpapi-ratelimit-headers-11, and ``RateLimit-Reset``
an older one of that row; ``X-RateLimit-Reset`` was never agreed upon, and is seconds from now, or a time. Those who
count several things at once (OpenAI requests and tokens, Anthropic also tokens in and out) have one of these for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.declared import LONGEST_PAUSE
from limitkit.config.model.exception_patterns import chain, getattr_safe, metadata, waits_in_text
from limitkit.feedback.wait_times import MOST_TEXT, duration, milliseconds, number, seconds_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST: Final = LONGEST_PAUSE
"""Seconds: a longer wait is cut to this, unless the caller gives another bound."""
_MOST_HEADERS: Final = 500
_MOST_ITEMS: Final = 20
_LEFT = re.compile(r"\b(?:r|remaining)=([0-9]{1,16})")
_RESET = re.compile(r"\b(?:t|reset)=([0-9]{1,16})")
_RESETS: Final = (
    ("ratelimit-reset", "ratelimit-remaining"),
    ("x-ratelimit-reset-after", "x-ratelimit-remaining"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("x-rate-limit-reset", "x-rate-limit-remaining"),
)
"""Pairs of headers: when the quota of the other side comes back, and what is left of it."""
_ONE_OF_SEVERAL = re.compile(r"(?:[a-z0-9]+-){0,4}rate-?limit-(?:[a-z0-9]+-){0,4}reset(?:-[a-z0-9]+){0,4}")


def retry_after(error: BaseException, on: Sequence[str] = (), longest: float = LONGEST) -> float | None:
    """Return the seconds to wait from the first exception of a chain that names any; None when none does.

    Patterns of ``on`` may read them from a text; more than the ``longest`` is not believed.
    """
    for each in chain(error):
        for said in _sayings(each, on):
            return min(said, longest)
    return None


def _sayings(error: BaseException, on: Sequence[str]) -> Iterator[float]:
    """Go through all waits that an exception names, the most reliable first; a reader that raises is skipped."""
    for reader in (_in_text, _in_attributes, _in_all_headers, _in_details):
        try:
            said = reader(error, on)
        except Exception:  # noqa: BLE001, S112 - an object of another library may raise anything at any access
            continue
        if said is not None:
            yield said


def _in_text(error: BaseException, on: Sequence[str]) -> float | None:
    return _first(_read(text) for text in waits_in_text(error, on))


def _read(text: str) -> float | None:
    """Read a time to wait as people write it, with blanks, and with the end of a sentence behind it."""
    text = text[:MOST_TEXT].rstrip(".,;: ")
    said = seconds_until(text)
    return duration(re.sub(r"\s", "", text).lower()) if said is None else said


def _in_attributes(error: BaseException, _on: Sequence[str]) -> float | None:
    return seconds_until(getattr_safe(error, "retry_after"))


def _in_all_headers(error: BaseException, _on: Sequence[str]) -> float | None:
    response = getattr_safe(error, "response")
    places = [getattr_safe(where, "headers") for where in (error, response, getattr_safe(error, "meta"))]
    places += [metadata(response).get("HTTPHeaders")]  # botocore's
    places += [getattr_safe(error, "resp")]  # what googleapiclient raises: its response is its headers
    return _first(_in_headers(_named(headers)) for headers in places)


def _first(said: Iterable[float | None]) -> float | None:
    return next((each for each in said if each is not None), None)


def _named(headers: Any) -> dict[str, str]:
    """Return the headers of any kind of mapping, by their names in lower case; of equal names the first."""
    found: dict[str, str] = {}
    items = getattr_safe(headers, "items")
    try:
        for at, (key, value) in enumerate(items() if callable(items) else ()):
            if at >= _MOST_HEADERS:
                break
            if isinstance(key, str | bytes):
                found.setdefault(_plain(key).lower(), _plain(value).strip()[:MOST_TEXT])
    except Exception:  # noqa: BLE001 - as above
        return found
    return {name: text for name, text in found.items() if text}


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:MOST_TEXT].decode("latin-1")
    return str(value) if isinstance(value, str | int | float) else ""


def _in_headers(headers: dict[str, str]) -> float | None:
    """Read the headers that name a wait, the plainest first."""
    today = headers.get("date")
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if name in headers and (said := milliseconds(headers[name])) is not None:
            return said
    if (said := seconds_until(headers.get("retry-after"), today)) is not None:
        return said
    if "ratelimit" in headers and (said := _structured(headers["ratelimit"])) is not None:
        return said
    for name, left in _RESETS:
        if not number(headers.get(left)) and (said := seconds_until(headers.get(name), today)) is not None:
            return said
    return _last_of_several(headers, today)


def _structured(text: str) -> float | None:
    """Read ``"default";r=0;t=30``: of all quotas that are used up, the one that comes back last."""
    found = []
    # In the older draft the commas stand between the parts of one quota.
    for item in [text] if "reset=" in text else text.split(","):
        left, reset = _LEFT.search(item), _RESET.search(item)
        if reset and (left is None or int(left[1]) == 0):
            found.append(float(reset[1]))
    return max(found) if found else None


def _last_of_several(headers: dict[str, str], today: str | None) -> float | None:
    """Read headers that name several quotas: of those that are used up, take the one that comes back last."""
    known = {name for pair in _RESETS for name in pair}
    names = [name for name in headers if name not in known and _ONE_OF_SEVERAL.fullmatch(name)]
    used_up = [name for name in names if not number(headers.get(_left_of(name)))]
    found = [said for name in used_up if (said := seconds_until(headers[name], today)) is not None]
    return max(found, default=None)


def _left_of(name: str) -> str:
    return "-".join("remaining" if part == "reset" else part for part in name.split("-"))


def _in_details(error: BaseException, _on: Sequence[str]) -> float | None:
    """Read what Google's services say in place of a header: a RetryInfo, as a message, or in JSON."""
    details = getattr_safe(error, "details")
    if isinstance(details, Mapping):
        inner = details.get("error")
        details = (inner if isinstance(inner, Mapping) else details).get("details")
    items = details[:_MOST_ITEMS] if isinstance(details, list | tuple) else ()
    return _first(_retry_info(item) for item in items)


def _retry_info(item: Any) -> float | None:
    if isinstance(item, Mapping):
        return seconds_until(item.get("retryDelay"))
    delay = getattr_safe(item, "retry_delay")
    whole, rest = (getattr_safe(delay, name) for name in ("seconds", "nanos"))
    if not isinstance(whole, int) or not isinstance(rest, int):
        return None
    return seconds_until(whole + rest / 1e9)
