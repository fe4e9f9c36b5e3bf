"""The nearest of many known words to a misspelt one: looked up, not compared, so 10,000 among 10,000 take no time.

Words are filed under what is left of them without one letter (Damerau's slips: a letter left out, put in, replaced, or
swapped with its neighbour), as SymSpell does it; of few words, under what is left without two.
"""

from __future__ import annotations

import functools
import re
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FEW: Final = 100
"""Known words among which two slips are looked for; among more of them one, or a letter too many and one too few."""
_LONGEST: Final = 64
"""Letters of a word that is looked up by its slips."""
_TAIL: Final = 24
"""Letters at a word's end in which slips are looked for; those before must be right, or else all of the last ones."""
_RIGHT: Final = 16
"""The last letters of a longer word, by which it is found whatever comes before."""
_SHORT: Final = 4
"""Letters of two words that a second slip would make the same, whatever they are."""
_MOST_FILED: Final = 250_000
"""What is filed of all known words together, so that their number and length don't take a worker's memory."""
_MOST_ALIKE: Final = 32
"""Known words that are filed under the same letters, and looked at."""
_PARTS = re.compile(r"[\W_]+")


class Nearest:
    """Finds the known word that somebody must have meant. What it does for each word does not grow with their number.

    It is made at no cost, and files the words when it is first asked.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(dict.fromkeys(word for word in known if isinstance(word, str)))
        self.looked_at = 0
        """How many known words have been compared with one that was asked for."""

    def find(self, word: object) -> str | None:
        """Return the known word that is meant; None when none is near enough to be named."""
        if not isinstance(word, str) or not word.isprintable() or not 0 < len(word) <= _LONGEST:
            return None
        plain = _plain(word)
        same = self._same.get(plain)
        if same is not None:
            return same
        return self._by_slips(plain) or self._by_parts(plain)

    @functools.cached_property
    def _same(self) -> dict[str, str]:
        """Known words by what they are but for case and the signs between their parts."""
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
        """Known words by their last or first parts, None where several have them: "api" of "stripe_api"."""
        found: dict[str, str | None] = {}
        for plain, word in self._same.items():
            for part in set(_ends(plain)):
                found[part] = None if part in found else word
        return found

    def _by_parts(self, plain: str) -> str | None:
        """Find a word of which the one that is asked for is a part, or the other way round: "rate" in "rate_limit"."""
        if len(plain) < _SHORT:
            return None
        inside = {self._same[part] for part in _ends(plain) if part in self._same}
        around = self._by_part.get(plain)
        found = inside or ({around} if around is not None else set())
        if len(found) == 1:
            return found.pop()
        last = plain.rpartition("_")[2]
        shared = self._by_part.get(last) if last != plain and len(last) >= _SHORT else None
        return shared if shared is not None and "." in shared else None


def _plain(word: str) -> str:
    return _PARTS.sub("_", word.casefold()).strip("_") or word


def _ends(plain: str) -> Iterator[str]:
    """Yield the parts with which a word begins, and those with which it ends, without the whole."""
    parts = plain.split("_")
    for at in range(1, len(parts)):
        yield "_".join(parts[:at])
        yield "_".join(parts[at:])


def _without(plain: str, slips: int) -> Iterator[str]:
    """Yield a word, and what is left of it without one letter, or two; of a long one its last letters, too."""
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
    """Count letters left out, put in, replaced, or swapped with the next; anything above ``most`` is ``most + 1``."""
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
