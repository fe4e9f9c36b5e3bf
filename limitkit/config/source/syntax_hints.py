"""Explains TOML syntax errors, and guesses what was meant: mostly, quotes are missing."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from limitkit.config.wording import dotted, key_text, shorten

if TYPE_CHECKING:
    import tomli

_NAMESPACE = re.compile(r"\(['\"].*\)")
_OF_ESCAPES: Final = ("Unescaped '\\'", "Invalid hex value", "Escaped character")
_LONGEST: Final = 300
"""The longest line, in characters, for which a corrected line is suggested."""
_HEADER = re.compile(r"\s*(\[{1,2})\s*(tasks|limits)\s*\.\s*([^\s\"'\]][^\"'\]]*?)\s*(\]{1,2})\s*(?:#.*)?")
_PAIR = re.compile(r"\s*([A-Za-z0-9_.\"-]+)\s*=\s*([^\s\"'#\[\]{},=]+(?: [^\s\"'#\[\]{},=]+)*)\s*(?:#.*)?")

_OF_TEXT: Final = frozenset(
    [
        "strategy",
        "rate",
        "on_limit",
        "max_wait",
        "mode",
        "on_error",
        "timeout",
        "hold",
        "action",
        "max_pause",
        "step",
        "floor",
        "ceiling",
        "prefix",
    ]
)
"""Keys whose corrected value is shown. After another key there may be a secret: a config path may be a link to a file
that is no config, such as ``.env`` or ``/proc/self/environ``."""


def explain(error: tomli.TOMLDecodeError) -> tuple[tuple[int, int], str, str]:
    """Return where it is, line and column, the fact, and the remedy."""
    line, column = _place(error)
    lines = error.doc.split("\n", line)
    text = lines[line - 1] if line <= len(lines) else ""
    fact = error.msg
    if fact.startswith("Cannot "):  # tomli reports a second declaration at its end; people look at its beginning
        column = len(text) - len(text.lstrip()) + 1
    fact = _NAMESPACE.sub(_in_toml_words, shorten(fact, 2 * _LONGEST))
    return (line, column), f"not TOML: {fact[0].lower()}{fact[1:]}", _remedy(text, fact)


def _place(error: tomli.TOMLDecodeError) -> tuple[int, int]:
    """Return line and column; for a wrong escape its beginning, since tomli reports its end."""
    if not error.msg.startswith(_OF_ESCAPES):
        return error.lineno, error.colno
    before = error.doc[: error.doc.rfind("\\", 0, error.pos)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _remedy(text: str, fact: str) -> str:
    if fact.startswith(_OF_ESCAPES):
        return "write \\\\ for a backslash, or put the text in single quotes"
    if len(text) > _LONGEST or fact.startswith("Cannot "):
        return "fix the syntax here"
    pair = _PAIR.fullmatch(text)
    if "@" not in text and "://" not in text:  # an address may hold a password
        if header := _HEADER.fullmatch(text):
            opened, section, name, closed = header.groups()
            return f"put the name in quotes: {opened}{section}.{_quoted(name)}{closed}"
        if pair and pair[1] in _OF_TEXT:
            return f"put the value in quotes: {pair[1]} = {_quoted(pair[2])}"
    return "put the value in quotes if it is a text" if pair else "fix the syntax here"


def _quoted(text: str) -> str:
    return f'"{text}"' if key_text(text, _LONGEST) == text else key_text(text, _LONGEST)


def _in_toml_words(namespace: re.Match[str]) -> str:
    try:
        return dotted(tuple(ast.literal_eval(namespace.group())))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return namespace.group()
