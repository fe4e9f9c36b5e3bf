"""Values from the environment: they are used as they are, and shown as the file writes them.

Whenever one of them is written (``str``, ``repr``, a format, a log, an exception), it is the text of the file: with
``${NAME}``, and without the part of an address between ``://`` and ``@``. Comparing, matching and slicing use the
value itself, and ``plain`` returns it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, unquote_plus

from limitkit.config.wording import HIDDEN, hidden, hidden_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Pieces = tuple[tuple[str, str], ...]
"""The pieces of a text: the value of each, and how the file writes it."""

VARIABLE_PATTERN: Final = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_PARTS: Final = re.compile(r"[^/?#@:&=,]+")
MOST_VARIABLES: Final = 100
"""The most variables in one text: each part of it is shown by the names of the variables in it."""
_SHORT: Final = 4
"""A value shorter than this is hidden only as a whole word: "1" is in too many numbers."""
_SECRET_OPTIONS: Final = re.compile(r"[?&][^=&#]*(?:pass|user|token|secret)[^=&#]*=([^&#]+)", re.IGNORECASE)


class VariableError(ValueError):
    """A variable without a value, or text that is no variable; fact and hint."""

    def __init__(self, fact: str, hint: str) -> None:
        self.fact, self.hint = fact, hint
        super().__init__(f"{fact}; {hint}")


class Expanded(str):
    """A text that is shown as the file writes it."""

    __slots__ = ("pieces",)
    pieces: Pieces

    def __new__(cls, pieces: Pieces) -> Expanded:  # noqa: PYI034 (Self is of a later Python)
        """Make it from its pieces."""
        made = super().__new__(cls, "".join(value for value, _ in pieces))
        made.pieces = pieces
        return made

    @classmethod
    def of(cls, text: str) -> Expanded:
        """Make it from a text without variables; it only hides user and password of an address."""
        return text if isinstance(text, Expanded) else cls(((text, text),))

    @property
    def written(self) -> str:
        """The text as the file has it."""
        return "".join(written for _, written in self.pieces)

    @property
    def masked(self) -> bool:
        """Whether any part of it is shown in another way than its value."""
        return any(value != written for value, written in self.pieces)

    def plain(self) -> str:
        """Return the value itself: to be used, and never shown."""
        return "".join(value for value, _ in self.pieces)

    def part(self, start: int, end: int) -> Expanded:
        """Return a part of the value; it is shown by the names of the variables in it.

        Where the part overlaps user and password, those are hidden.
        """
        secret = _secret(self.plain())
        found: list[tuple[str, str]] = []
        at = 0
        for value, written in self.pieces:
            # The text before user and password, these two, and the text behind them.
            for begin, stop, hides in (
                (0, secret.start, False),
                (secret.start, secret.stop, True),
                (secret.stop, end, False),
            ):
                first, last = max(start, at, begin), min(end, at + len(value), stop)
                if first < last:
                    text = value[first - at : last - at]
                    sign = "@" if stop == last else ""
                    found.append((text, written if value != written else f"{HIDDEN}{sign}" if hides else text))
            at += len(value)
        return Expanded(tuple(found))

    def hide_in(self, text: str) -> str:
        """Hide this value's secrets in a text, such as a message of a client or a server."""
        for secret, shown in sorted(self._secrets(), key=lambda pair: -len(pair[0])):
            pattern = re.escape(secret)
            if len(secret) < _SHORT:
                pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
            text = re.sub(pattern, lambda _, shown=shown: shown, text, flags=re.IGNORECASE)  # type: ignore[misc]
        return hidden(text)

    def _secrets(self) -> Iterator[tuple[str, str]]:
        """Go through all secrets, in each form in which they may appear, and what is shown in their place."""
        plain = self.plain()
        spans = [(part.start(), part.end()) for part in _PARTS.finditer(plain)]
        secret = _secret(plain)
        if secret:
            user = plain.find(":", secret.start, secret.stop)
            spans.append((secret.start, secret.stop - 1))
            spans += [(secret.start, user), (user + 1, secret.stop - 1)] if user >= 0 else []
        hides = [(option.span(1)) for option in _SECRET_OPTIONS.finditer(plain)]
        at = 0
        for value, written in self.pieces:
            if value != written:
                spans.append((at, at + len(value)))
            at += len(value)
        for first, last in {*spans, *hides}:
            part = self.part(first, last)
            if not part.masked and (first, last) in hides:
                part = Expanded(((part.plain(), HIDDEN),))
            if part and part.plain() != part.written:
                for form in {part.plain(), unquote(part.plain()), unquote_plus(part.plain())} - {""}:
                    yield form, part.written

    def __str__(self) -> str:
        return hidden_address(self.written)

    def __repr__(self) -> str:
        return repr(str(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pieces,)


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """Put the environment's values in place of ``${NAME}`` and ``${NAME:-default}``. Raises VariableError."""
    pieces: list[tuple[str, str]] = []
    at = 0
    for number, match in enumerate(_VARIABLE.finditer(text)):
        if number == MOST_VARIABLES:
            fact = f"it names more than {MOST_VARIABLES} variables"
            raise VariableError(fact, "put several values into one variable")
        before = text[at : match.start()]
        pieces += [(before, before)] if before else []
        pieces.append((_value(match, environ), match[0]))
        at = match.end()
    rest = text[at:]
    return Expanded((*pieces, (rest, rest)))


def names_variable(value: object) -> bool:
    """Whether a value of a file names a variable."""
    return isinstance(value, str) and re.search(VARIABLE_PATTERN, value) is not None


def _value(match: re.Match[str], environ: Mapping[str, str]) -> str:
    name, default = match.groups()
    if name is None:
        raise VariableError("${ begins a variable here, but no name and } follow", "write ${NAME} or ${NAME:-default}")
    found = environ.get(name)
    if default is not None:
        return found or str(default)
    if found is None:
        raise VariableError(f"the variable {name} is not set", f"set it, or write ${{{name}:-default}}")
    return found


def _secret(text: str) -> range:
    """Return where user and password of an address are: all up to its last ``@``."""
    begin, end = text.find("://") + 3, text.rfind("@") + 1
    return range(begin, end) if 2 < begin < end else range(0)  # noqa: PLR2004 (no address, or no user)


class _Number:
    """A number that is shown as the file writes it."""

    written: str
    masked: Final = True

    def __str__(self) -> str:
        return self.written

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(self.written, spec)


class Whole(_Number, int):
    """A whole number that came from the environment."""


class Decimal(_Number, float):
    """A number with decimals that came from the environment."""
