"""How limitkit writes TOML things: values as in TOML, the names of types in TOML's words, and "did you mean"."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from limitkit.config.spelling import Nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""The path to a value: keys, and indexes in arrays."""

_SHOWN: Final = 60
"""The most characters of a value or a key that are shown."""
_MOST_PARTS: Final = 12
"""The most parts of a path that are shown."""
_LONGEST: Final = 600
"""The most characters of a fact, or of a hint."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ONE_VARIABLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[A-Za-z0-9_./-]{0,20})?\}")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


HIDDEN: Final = "**"
"""Shown in place of a user and a password."""
_WORD: Final = re.compile(r"[^\s\"]+")
_SECRET_OPTION: Final = re.compile(
    r"([?&][^=&?\s\"]{0,64}(?:pass|user|token|secret)[^=&?\s\"]{0,64}=)[^&\s\"]+", re.IGNORECASE
)


def hidden(text: str) -> str:
    """Hide users and passwords of all addresses in a text: from ``://`` to the last ``@``, and in options."""
    if "://" not in text:
        return text
    return _WORD.sub(lambda word: hidden_address(word[0]), text)


def hidden_address(text: str) -> str:
    """Hide user and password in a text that may be one address. Each step takes time in proportion to its length."""
    begin, end = text.find("://"), text.rfind("@")
    if begin < 0:
        return text
    begin += len("://")
    if begin <= end:
        shown = f"{HIDDEN}@" if text[begin:end].strip(":") else ""
        text = f"{text[:begin]}{shown}{text[end + 1 :]}"
    return _SECRET_OPTION.sub(rf"\1{HIDDEN}", text)


def one_line(text: str) -> str:
    """Escape, as TOML does, what could break a line or control a terminal, and hide passwords of addresses.

    All text from outside (names, reasons, what a worker or a store answers) goes through this before it is shown.
    """
    text = hidden(str(text))
    if text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _INVISIBLE else char for char in text)


def _escaped(char: str) -> str:
    number = f"{ord(char):04X}"
    if unicodedata.category(char) == "Cs":  # a byte of a file name that is not UTF-8: TOML can't write it, Python can
        return f"\\u{number.lower()}"
    return _ESCAPES.get(char) or (f"\\u{number}" if len(number) == 4 else f"\\U{number:0>8}")  # noqa: PLR2004


def shorten(text: str, most: int = _SHOWN) -> str:
    """Cut off a text that is too long, and mark it with "…"."""
    return text if len(text) <= most else text[: most - 1] + "…"


def sentence(text: str) -> str:
    """Write a fact or a hint on one line that is not too long."""
    return one_line(shorten(hidden(text), _LONGEST))


def quote(text: str, most: int = _SHOWN) -> str:
    """Put a string in quotes, on one line, and shortened.

    For a string from the environment, the variable is named instead.
    """
    if getattr(text, "masked", False):
        written = str(text)
        return f"the value of {written if _ONE_VARIABLE.fullmatch(written) else quote(written)}"
    # Hidden before it is cut: otherwise half a password would not be recognised.
    return f'"{one_line(shorten(hidden_address(text), most))}"'


def show(value: object) -> str:
    """Write a value as TOML would; for an array or a table, only its type is named."""
    if isinstance(value, str) or getattr(value, "masked", False):
        return quote(value)  # type: ignore[arg-type] # a number that came from the environment is shown as its variable
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return "a number of many digits"
    if isinstance(value, (int, float)):
        return str(value)
    return kind(value)


def kind(value: object) -> str:
    """Name the type of a value, in TOML's words."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, (list, tuple)) else "a date or time"


def key_text(key: str, most: int = _SHOWN) -> str:
    """Write a key as TOML would, in quotes where it needs them."""
    if _BARE.fullmatch(key):
        return shorten(key, most)
    return quote(key.replace("\\", "\\\\").replace('"', '\\"'), most)


def dotted(path: Path) -> str:
    """Write the path to a value, e.g. ``tasks."shop.charge".limits[0]``; the middle of a long one is left out."""
    if len(path) > _MOST_PARTS:
        half = _MOST_PARTS // 2
        return f"{dotted(path[:half])}.….{dotted(path[-half:])}"
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{key_text(part)}" if text else key_text(part)
    return text


def suggest(word: object, known: Nearest | Iterable[str]) -> str:
    """Ask ``did you mean "rate"?`` when one of the known words is near; else an empty string.

    For many words, pass one ``Nearest`` with the known words.
    """
    near = (known if isinstance(known, Nearest) else Nearest(known)).find(word)
    return f"did you mean {quote(near)}?" if near is not None else ""


def listed(words: Iterable[str], last: str = "or") -> str:
    """Join words in quotes: ``"a", "b" or "c"``."""
    quoted = [quote(word) for word in words]
    return f" {last} ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


def count(number: int, thing: str) -> str:
    """Count things: ``1 error``, ``2 errors``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """Write a length of time for people, in two units: ``4m 10s``."""
    if seconds < 1:
        return f"{seconds:.1f}s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0"))
