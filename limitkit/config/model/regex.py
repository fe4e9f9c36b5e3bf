"""Regular expressions from the file, searched in texts from outside, in a bounded time.

Their syntax is that of Python's ``re``. Its engine backtracks without a bound: ``(a+)+$`` on 40 characters takes
practically for ever, and blocks the whole process. The ``regex`` package has the same syntax and a timeout
(decision 012).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import re
import time
import warnings
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger("limitkit")

LONGEST_PATTERN: Final = 200
MOST_TEXT: Final = 2_000
"""The most characters of a text that are searched."""
MOST_REPEATS: Final = 10_000
"""The largest product of a pattern's counts: the engine expands required repeats, so ``(?:a{1000}){1000}`` takes ten
seconds and gigabytes before the search begins. No text is that long."""
LONGEST_SEARCH: Final = 0.1
"""Seconds of processor time; a normal pattern takes less than a hundredth of it."""
LONGEST_TOGETHER: Final = 0.5
"""Seconds for all searches after one failure of a task, however many patterns there are: each search gets a fifth of
what is left, so a normal pattern is still found after twenty hostile ones."""
_SHORTEST: Final = 0.0001
"""Seconds that each search gets at least; a plain word is found in a fiftieth of it."""
_REST: Final = 20 * LONGEST_SEARCH
"""Seconds for which a pattern that took too long is not searched again, so that it takes at most a twentieth of a
process's time."""
_BRACE = re.compile(r"(\\N\{[^}]*\}|\\.)|\{(?![0-9]*,?[0-9]*\})", re.DOTALL)
"""A brace that opens no repeat. The ``regex`` package would read some of them as its own syntax, as in ``{e}``."""

_LEAST = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")
"""The least count of a repeat."""


class _Shared:
    """The seconds that are left for searches that share their time."""

    left = LONGEST_TOGETHER


_shared: ContextVar[_Shared | None] = ContextVar("shared", default=None)


class Search:
    """One pattern, and the search for it."""

    def __init__(self, pattern: str) -> None:
        """Raise ValueError, which says what is wrong, for a text that is no regular expression."""
        import regex  # noqa: PLC0415 (most files have no pattern, and their workers start without it)

        self._text = pattern
        self._rests_until = 0.0
        if len(pattern) > LONGEST_PATTERN:
            raise ValueError(f"is a pattern of more than {LONGEST_PATTERN} characters")
        if math.prod(int(least) or 1 for least in _LEAST.findall(pattern)) > MOST_REPEATS:
            raise ValueError(f"is a pattern that repeats something more than {MOST_REPEATS} times")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # syntax that other versions of Python may read in another way
                re.compile(pattern)
                self._pattern = regex.compile(_BRACE.sub(lambda found: found[1] or r"\{", pattern))
        except (re.error, regex.error, OverflowError, RecursionError, MemoryError) as error:
            raise ValueError(f"is not a regular expression ({error})") from None

    @property
    def names(self) -> frozenset[str]:
        """The names of its groups."""
        return frozenset(self._pattern.groupindex)

    def __call__(self, text: str) -> Mapping[str, str | None] | None:
        """Search a text; returns the named groups, None when the pattern is not found, or not in time."""
        if time.monotonic() < self._rests_until:
            return None
        shared = _shared.get() or _Shared()
        longest = max(shared.left * LONGEST_SEARCH / LONGEST_TOGETHER, _SHORTEST)
        began = time.thread_time()
        try:
            found = self._pattern.search(text[:MOST_TEXT], timeout=longest)
        except TimeoutError:
            self._rests_until = time.monotonic() + _REST
            _warn_slow(self._text, f"{longest:.1g}")
            return None
        finally:
            shared.left -= time.thread_time() - began
        return None if found is None else found.groupdict()


@contextlib.contextmanager
def sharing_time() -> Iterator[None]:
    """Let all searches in this block share their time; nested blocks count as one."""
    if _shared.get() is not None:
        yield
        return
    token = _shared.set(_Shared())
    try:
        yield
    finally:
        _shared.reset(token)


@functools.cache
def _warn_slow(pattern: str, seconds: str) -> None:
    logger.warning(
        'The search for "re:%s" in the text of an exception was stopped after %s s, so the text counts as one without '
        "it; write a pattern with no repeat inside a repeat.",
        pattern,
        seconds,
    )
