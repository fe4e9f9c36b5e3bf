"""How limitkit says TOML things: values as TOML writes them, kinds in TOML's words, and "did you mean"."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from limitkit.config.spelling import Nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""The way to a value: keys, and indexes in arrays."""

_SHOWN: Final = 60
"""Characters of a value or a key that are shown."""
_MOST_PARTS: Final = 12
"""Parts of the way to a value that are shown."""
_LONGEST: Final = 600
"""Characters of a fact, or of a hint: whatever is in them, nobody reads on."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ONE_VARIABLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[A-Za-z0-9_./-]{0,20})?\}")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


HIDDEN: Final = "**"
"""What stands for a user and a password."""
_WORD: Final = re.compile(r"[^\s\"]+")
_SECRET_OPTION: Final = re.compile(
    r"([?&][^=&?\s\"]{0,64}(?:pass|user|token|secret)[^=&?\s\"]{0,64}=)[^&\s\"]+", re.IGNORECASE
)


def hidden(text: str) -> str:
    """Hide what addresses in a text say of users and passwords: all from ``://`` to the last ``@``, and in options."""
    if "://" not in text:
        return text
    return _WORD.sub(lambda word: hidden_address(word[0]), text)


def hidden_address(text: str) -> str:
    """Hide it in a text that is one address, or none. Each step takes a time that only the text's length bounds."""
    begin, end = text.find("://"), text.rfind("@")
    if begin < 0:
        return text
    begin += len("://")
    if begin <= end:
        shown = f"{HIDDEN}@" if text[begin:end].strip(":") else ""
        text = f"{text[:begin]}{shown}{text[end + 1 :]}"
    return _SECRET_OPTION.sub(rf"\1{HIDDEN}", text)


def one_line(text: str) -> str:
    """Write what could break a line, or be read as a terminal's command, as TOML escapes; and no address's password.

    Text from outside (names, reasons, what a worker or a store answers) is shown or logged through this alone.
    """
    text = hidden(str(text))
    if text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _INVISIBLE else char for char in text)


def _escaped(char: str) -> str:
    number = f"{ord(char):04X}"
    if unicodedata.category(char) == "Cs":  # TOML has none: a file name's byte that is not UTF-8, as Python writes it
        return f"\\u{number.lower()}"
    return _ESCAPES.get(char) or (f"\\u{number}" if len(number) == 4 else f"\\U{number:0>8}")  # noqa: PLR2004


def shorten(text: str, most: int = _SHOWN) -> str:
    """Cut a text off where nobody would read on, and say so by "…"."""
    return text if len(text) <= most else text[: most - 1] + "…"


def sentence(text: str) -> str:
    """Write a fact or a hint on one line of a length that can be read."""
    return one_line(shorten(hidden(text), _LONGEST))


def quote(text: str, most: int = _SHOWN) -> str:
    """Put a string in quotes, on one line, and shortened when nobody would read it to its end.

    Of one that came from the environment the variables are named.
    """
    if getattr(text, "masked", False):
        written = str(text)
        return f"the value of {written if _ONE_VARIABLE.fullmatch(written) else quote(written)}"
    # Before it is cut, or half a password would be no password any more; and whatever signs are in it.
    return f'"{one_line(shorten(hidden_address(text), most))}"'


def show(value: object) -> str:
    """Write a value as TOML would; an array or a table is only named."""
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
    """Name what a value is, in TOML's words."""
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
    """Write the way to a value, e.g. ``tasks."shop.charge".limits[0]``; of a very long one, how it begins and ends."""
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

    Who asks for many words makes one ``Nearest`` of those that are known.
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
    told: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or told:
            told.append(f"{number}{unit}")
    return " ".join(part for part in told[:2] if not part.startswith("0"))
