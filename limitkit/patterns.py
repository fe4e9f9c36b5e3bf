"""Regular expressions that a file names, searched in texts that others write: for a bounded time.

Their syntax is that of Python's ``re``. Its engine goes back and tries again without any bound: ``(a+)+$`` takes longer
than the universe is old on 40 characters, and holds its whole process meanwhile. The ``regex`` package has the same
syntax, and stops when it is told to (decision 012).
"""

from __future__ import annotations

import functools
import logging
import math
import re
import time
import warnings
from typing import TYPE_CHECKING, Final

import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("limitkit")

LONGEST_PATTERN: Final = 200
MOST_TEXT: Final = 2_000
"""Characters of a text that are searched."""
MOST_REPEATS: Final = 10_000
"""What its counts may come to, multiplied: the engine writes out what has to be there, so ``(?:a{1000}){1000}`` takes
ten seconds and gigabytes before anything is searched. No text is as long as that."""
LONGEST_SEARCH: Final = 0.1
"""Seconds of processor time; what is not hostile takes less than a hundredth of it."""
_REST: Final = 20 * LONGEST_SEARCH
"""Seconds for which a pattern that took too long is not searched for, so that all such texts together can't hold a
process up: at most a twentieth of its time goes there."""
_BRACE = re.compile(r"(\\N\{[^}]*\}|\\.)|\{(?![0-9]*,?[0-9]*\})", re.DOTALL)
"""A brace that opens no repeat. The other engine would read some of them as its own syntax, as in ``{e}``."""

_LEAST = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")
"""How often something has to be there, at least."""


class Search:
    """One pattern, and how it is searched for."""

    def __init__(self, pattern: str) -> None:
        """Raise ValueError, with what is wrong, for what is not a regular expression."""
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
        try:
            found = self._pattern.search(text[:MOST_TEXT], timeout=LONGEST_SEARCH)
        except TimeoutError:
            self._rests_until = time.monotonic() + _REST
            _tell_slow(self._said)
            return None
        return None if found is None else found.groupdict()


@functools.cache
def _tell_slow(pattern: str) -> None:
    logger.warning(
        'The search for "re:%s" in the text of an exception was stopped after %g s, so the text counts as one without '
        "it; write a pattern with no repeat inside a repeat.",
        pattern,
        LONGEST_SEARCH,
    )
