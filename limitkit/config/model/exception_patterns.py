"""What "slow down" looks like: exceptions by their dotted names, with a status, or by a pattern on their text.

It reads exceptions of any kind, so it never raises itself, and its work is bounded.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.config.model.regex import Search, sharing_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DEEPEST: Final = 8
"""The most exceptions of a chain of causes that are read."""
_TEXT: Final = "re:"
_CLASS = re.compile(r"((?:[^\W\d]\w*\.)+[^\W\d]\w*)(?::([1-5][0-9]{2}))?")
_WAITS: Final = frozenset({"seconds", "wait"})
"""The groups of a pattern that hold how long the other side asks to wait."""
_STATUSES: Final = ("status_code", "status", "code", "http_status")


class ExceptionPattern(NamedTuple):
    """One thing that "slow down" looks like."""

    name: str = ""
    """The dotted name of an exception's class, as in ``except``."""
    status: int | None = None
    """The status that it must have."""
    pattern: Search | None = None
    """In place of a name: a pattern that its text must contain."""


def fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong with an item of ``on`` or ``unless``, as fact and hint; None when it is right."""
    try:
        _parse(text)
    except ValueError as error:
        return str(error), 'write "package.Error", "package.Error:429" or "re:PATTERN"'
    return None


@functools.cache
def _parse(text: str) -> ExceptionPattern:
    if text.startswith(_TEXT):
        return ExceptionPattern(pattern=Search(text.removeprefix(_TEXT)))
    match = _CLASS.fullmatch(text)
    if match is None:
        raise ValueError("does not say what an exception looks like")
    return ExceptionPattern(match[1], int(match[2]) if match[2] else None)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Go through an exception and those behind it: the one that a retry carries, and causes."""
    found: BaseException | None = error
    for _ in range(_DEEPEST):
        if found is None:
            return
        yield found
        carried = getattr_safe(found, "exc") if _is_retry(found) else None
        found = carried if isinstance(carried, BaseException) else found.__cause__


@sharing_time()
def refusal(error: BaseException, on: Sequence[str], unless: Sequence[str] = ()) -> BaseException | None:
    """Return the exception of a chain that says "slow down"; None when none does.

    None, too, when one of the chain matches ``unless``: such an error does not go away by waiting.
    """
    looks, never = [_parse(text) for text in on], [_parse(text) for text in unless]
    found = next((each for each in chain(error) if any(_is_like(each, look) for look in looks)), None)
    if found is None or not never:
        return found
    return None if any(_is_like(each, look) for each in chain(error) for look in never) else found


def waits_in_text(error: BaseException, on: Sequence[str]) -> Iterator[str]:
    """Go through what the patterns of ``on`` read from an exception's text as the time to wait."""
    for look in [_parse(text) for text in on]:
        if look.pattern is not None and look.pattern.names & _WAITS:
            groups = _searched(error, look.pattern) or {}
            yield from (text for name in sorted(_WAITS) if (text := groups.get(name)) is not None)


def getattr_safe(value: Any, name: str) -> Any:
    """Return an attribute of any object; None when it has none, or raises."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return None


def _is_retry(error: BaseException) -> bool:
    return any(cls.__name__ == "Retry" and cls.__module__ == "celery.exceptions" for cls in type(error).__mro__)


def _is_like(error: BaseException, look: ExceptionPattern) -> bool:
    try:
        if look.pattern is not None:
            return _searched(error, look.pattern) is not None
        return _is_a(error, look.name) and (look.status is None or look.status in _statuses(error))
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return False


def _searched(error: BaseException, pattern: Search) -> Mapping[str, str | None] | None:
    """Search an exception's text, but not that of a retry, which is Celery's own."""
    return None if _is_retry(error) else pattern(str(error))


def _is_a(error: BaseException, name: str) -> bool:
    """Whether an exception's class has this name, or is known by it in a module that is already imported."""
    if any(f"{cls.__module__}.{cls.__qualname__}" == name for cls in type(error).__mro__):
        return True
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:length]))
        if found is None:
            continue
        # Only in the exception's own package: other packages may import modules when a name is read.
        late = any(cls.__module__.partition(".")[0] == parts[0] for cls in type(error).__mro__)
        for part in parts[length:]:
            known = vars(found).get(part) if hasattr(found, "__dict__") else None
            found = getattr_safe(found, part) if known is None and late and isinstance(found, ModuleType) else known
        return isinstance(found, type) and isinstance(error, found)
    return False


def _statuses(error: BaseException) -> Iterator[int]:
    response = getattr_safe(error, "response")
    found = [getattr_safe(where, name) for where in (error, response) for name in _STATUSES]
    for value in [*found, metadata(response).get("HTTPStatusCode")]:
        if isinstance(value, int):
            yield value
        elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:  # noqa: PLR2004
            yield int(value)


def metadata(response: Any) -> Mapping[Any, Any]:
    """Return botocore's metadata of a response, which is a plain dict there."""
    found = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    return found if isinstance(found, Mapping) else {}
