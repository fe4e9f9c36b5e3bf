"""Finds the nearest of many known words to a misspelt one: by look-up, so that 10,000 words among 10,000 are fast.

As in SymSpell, each word is indexed by what is left of it without one letter, or, among few words, without two. That
finds Damerau's errors: a letter left out, added, replaced, or swapped with the next.
"""

from __future__ import annotations

import functools
import re
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FEW: Final = 100
"""Up to so many known words, two errors are found; among more words one, or a letter too many and one too few."""
_LONGEST: Final = 64
"""The longest word that is looked up, in letters."""
_TAIL: Final = 24
"""Letters at a word's end in which errors are found; those before must be right, or else the last ``_RIGHT`` ones."""
_RIGHT: Final = 16
"""The last letters of a longer word, by which it is found, whatever comes before."""
_SHORT: Final = 4
"""Words this short may have only one error: with two, any of them would match."""
_MOST_FILED: Final = 250_000
"""The most index entries, so that many or long words don't use up a worker's memory."""
_MOST_ALIKE: Final = 32
"""The most known words under one index entry."""
_PARTS = re.compile(r"[\W_]+")


class Nearest:
    """Finds the known word that was probably meant. The work for each word does not grow with their number.

    The index is made on first use.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(dict.fromkeys(word for word in known if isinstance(word, str)))
        self.looked_at = 0
        """How many known words were compared with the words looked up."""

    def find(self, word: object) -> str | None:
        """Return the known word that is meant; None when none is near enough."""
        if not isinstance(word, str) or not word.isprintable() or not 0 < len(word) <= _LONGEST:
            return None
        plain = _plain(word)
        same = self._same.get(plain)
        if same is not None:
            return same
        return self._by_slips(plain) or self._by_parts(plain)

    @functools.cached_property
    def _same(self) -> dict[str, str]:
        """Known words, without case and the signs between their parts."""
        found: dict[str, str] = {}
        for word in self._known:
            if len(word) <= _LONGEST:
                found.setdefault(_plain(word), word)
        return found

    @functools.cached_property
    def _slips(self) -> int:
        return 2 if len(self._known) <= _FEW else 1

    @functools.cached_property
    def _filed(self) -> dict[str, tuple[str, ...]]:
        filed: dict[str, tuple[str, ...]] = {}
        left = _MOST_FILED
        for plain in self._same:
            alone = (plain,)
            for rest in _without(plain, self._slips):
                alike = filed.setdefault(rest, alone)
                if alike is not alone and len(alike) < _MOST_ALIKE:
                    filed[rest] = alike + alone
            left -= min(len(plain), _TAIL)
            if left < 0:
                break
        return filed

    def _by_slips(self, plain: str) -> str | None:
        most = min(1 if len(plain) < _SHORT else 2, len(plain) - 1)
        found: dict[str, int] = {}
        for rest in _without(plain, self._slips):
            for other in (rest, *self._filed.get(rest, ())):
                if other not in found and other in self._same:
                    self.looked_at += 1
                    at_most = most if max(len(plain), len(other)) > _SHORT else min(most, 1)
                    slips = _slips_between(plain, other, at_most)
                    if slips <= at_most:
                        found[other] = slips
        best = min(found, key=lambda other: (found[other], other[:1] != plain[:1]), default=None)
        return None if best is None else self._same[best]

    @functools.cached_property
    def _by_part(self) -> dict[str, str | None]:
        """Known words by their first or last parts, such as "api" of "stripe_api"; None if several have the part."""
        found: dict[str, str | None] = {}
        for plain, word in self._same.items():
            for part in set(_ends(plain)):
                found[part] = None if part in found else word
        return found

    def _by_parts(self, plain: str) -> str | None:
        """Find a known word that is a part of this one, or contains it: "rate" and "rate_limit"."""
        if len(plain) < _SHORT:
            return None
        around = self._by_part.get(plain)
        if around is not None and "." in around and _plain(around.rpartition(".")[2]) == plain:
            return around  # a task's name without its module
        inside = {self._same[part] for part in _ends(plain) if part in self._same}
        found = inside or ({around} if around is not None else set())
        if len(found) == 1:
            return found.pop()
        last = plain.rpartition("_")[2]
        shared = self._by_part.get(last) if last != plain and len(last) >= _SHORT else None
        return shared if shared is not None and "." in shared else None


def _plain(word: str) -> str:
    return _PARTS.sub("_", word.casefold()).strip("_") or word


def _ends(plain: str) -> Iterator[str]:
    """Yield the first and the last parts of a word, but not the whole word."""
    parts = plain.split("_")
    for at in range(1, len(parts)):
        yield "_".join(parts[:at])
        yield "_".join(parts[at:])


def _without(plain: str, slips: int) -> Iterator[str]:
    """Yield a word, and what is left of it without one letter, or two; for a long word also its last letters."""
    yield plain
    head, tail = (plain[:-_TAIL], plain[-_TAIL:]) if len(plain) > _TAIL else ("", plain)
    if head:
        yield plain[-_RIGHT:]
    for at in range(len(tail)):
        yield head + tail[:at] + tail[at + 1 :]
    if slips > 1 and not head:
        for one, other in combinations(range(len(tail)), 2):
            yield tail[:one] + tail[one + 1 : other] + tail[other + 1 :]


def _slips_between(one: str, other: str, most: int) -> int:
    """Count letters left out, added, replaced, or swapped with the next; anything above ``most`` is ``most + 1``."""
    if one == other:
        return 0
    if not most or abs(len(one) - len(other)) > most:
        return most + 1
    at = 0
    while one[at : at + 1] == other[at : at + 1]:
        at += 1
    rests = [(one[at + 1 :], other[at + 1 :]), (one[at + 1 :], other[at:]), (one[at:], other[at + 1 :])]
    if one[at : at + 2] == other[at : at + 2][::-1]:
        rests.append((one[at + 2 :], other[at + 2 :]))
    return 1 + min(_slips_between(*rest, most - 1) for rest in rests)
