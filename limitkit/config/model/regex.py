"""Regular expressions that a file names, searched in texts that others write: for a bounded time.

Their syntax is that of Python's ``re``. Its engine goes back and tries again without any bound: ``(a+)+$`` takes longer
than the universe is old on 40 characters, and holds its whole process meanwhile. The ``regex`` package has the same
syntax, and stops when it is told to (decision 012).
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
"""Characters of a text that are searched."""
MOST_REPEATS: Final = 10_000
"""What its counts may come to, multiplied: the engine writes out what has to be there, so ``(?:a{1000}){1000}`` takes
ten seconds and gigabytes before anything is searched. No text is as long as that."""
LONGEST_SEARCH: Final = 0.1
"""Seconds of processor time; what is not hostile takes less than a hundredth of it."""
LONGEST_TOGETHER: Final = 0.5
"""Seconds for all the searches that one failure of a task leads to, however many patterns there are: each has a fifth
of what is left, so one that is not hostile is found behind twenty that are."""
_SHORTEST: Final = 0.0001
"""Seconds that each has in any case; a plain word is found in a fiftieth of it."""
_REST: Final = 20 * LONGEST_SEARCH
"""Seconds for which a pattern that took too long is not searched for, so that all such texts together can't hold a
process up: at most a twentieth of its time goes to each."""
_BRACE = re.compile(r"(\\N\{[^}]*\}|\\.)|\{(?![0-9]*,?[0-9]*\})", re.DOTALL)
"""A brace that opens no repeat. The other engine would read some of them as its own syntax, as in ``{e}``."""

_LEAST = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")
"""How often something has to be there, at least."""


class _Shared:
    """The seconds that are left for searches that have to share their time."""

    left = LONGEST_TOGETHER


_shared: ContextVar[_Shared | None] = ContextVar("shared", default=None)


class Search:
    """One pattern, and how it is searched for."""

    def __init__(self, pattern: str) -> None:
        """Raise ValueError, with what is wrong, for what is not a regular expression."""
        import regex  # noqa: PLC0415 (most files have no pattern, and their workers start without it)

        self._said = pattern
        self._rests_until = 0.0
        if len(pattern) > LONGEST_PATTERN:
            raise ValueError(f"is a pattern of more than {LONGEST_PATTERN} characters")
        if math.prod(int(least) or 1 for least in _LEAST.findall(pattern)) > MOST_REPEATS:
            raise ValueError(f"is a pattern that repeats something more than {MOST_REPEATS} times")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what another version of Python may read otherwise
                re.compile(pattern)
                self._pattern = regex.compile(_BRACE.sub(lambda found: found[1] or r"\{", pattern))
        except (re.error, regex.error, OverflowError, RecursionError, MemoryError) as error:
            raise ValueError(f"is not a regular expression ({error})") from None

    @property
    def names(self) -> frozenset[str]:
        """The names of its groups."""
        return frozenset(self._pattern.groupindex)

    def __call__(self, text: str) -> Mapping[str, str | None] | None:
        """Search for it; returns what its named groups hold, None when it is not found, or not within its time."""
        if time.monotonic() < self._rests_until:
            return None
        shared = _shared.get() or _Shared()
        longest = max(shared.left * LONGEST_SEARCH / LONGEST_TOGETHER, _SHORTEST)
        began = time.thread_time()
        try:
            found = self._pattern.search(text[:MOST_TEXT], timeout=longest)
        except TimeoutError:
            self._rests_until = time.monotonic() + _REST
            _tell_slow(self._said, f"{longest:.1g}")
            return None
        finally:
            shared.left -= time.thread_time() - began
        return None if found is None else found.groupdict()


@contextlib.contextmanager
def sharing_time() -> Iterator[None]:
    """Have all searches in here share their time; one within another is as one."""
    if _shared.get() is not None:
        yield
        return
    token = _shared.set(_Shared())
    try:
        yield
    finally:
        _shared.reset(token)


@functools.cache
def _tell_slow(pattern: str, seconds: str) -> None:
    logger.warning(
        'The search for "re:%s" in the text of an exception was stopped after %s s, so the text counts as one without '
        "it; write a pattern with no repeat inside a repeat.",
        pattern,
        seconds,
    )
