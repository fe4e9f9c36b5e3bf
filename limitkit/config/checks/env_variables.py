"""Variables in a file's rates, durations and numbers: which keys may name one, and the file with their values.

The schema says which keys those are: numbers, and texts with the pattern of a rate, a duration or ports. So a new key
may name variables without a change here.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.json_schema import judged, takes_variables, types_of
from limitkit.config.model.env_values import Decimal, Expanded, VariableError, Whole, expand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

_BEGINS: Final = "${"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


def filled(document: Document) -> tuple[Document, list[Problem]]:
    """Return the document with values in place of its variables, and the problems with them.

    A value that could not be filled in is left out, so that it is reported only once.
    """
    if not any(_BEGINS in file.text for file in document.layers):
        return document, []
    problems: list[Problem] = []
    data = _fill(document, judged(), document.data, (), problems)
    return (document if data is document.data else replace(document, data=data)), problems


def values_of(value: Any) -> Iterator[str]:
    """Go through all values that come from variables, in the order of the file."""
    if isinstance(value, dict):
        for each in value.values():
            yield from values_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from values_of(each)
    elif isinstance(value, Expanded):
        yield value.plain()
    elif isinstance(value, Whole | Decimal):
        yield repr(float(value))


def _fill(document: Document, schema: Any, value: Any, path: Path, problems: list[Problem]) -> Any:
    """Return a value filled in; the same object when it names no variable."""
    for part in (schema, *schema.get("allOf", ())):
        if isinstance(value, dict):
            value = _fill_table(document, part, value, path, problems)
        elif isinstance(value, list) and isinstance(part.get("items"), dict):
            items = [_fill(document, part["items"], each, (*path, at), problems) for at, each in enumerate(value)]
            value = items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        elif isinstance(value, str) and type(value) is str and _BEGINS in value and takes_variables(part):
            try:
                return _typed(expand(value, os.environ), types_of(part))
            except VariableError as error:
                problems.append(document.problem("LK020", path, error.fact, error.hint))
                return None
    return value


def _fill_table(
    document: Document, schema: dict[str, Any], table: dict[str, Any], path: Path, problems: list[Problem]
) -> dict[str, Any]:
    made, changed = {}, False
    others = schema.get("additionalProperties")
    for key, value in table.items():
        inner = schema.get("properties", {}).get(key, others)
        new = _fill(document, inner, value, (*path, key), problems) if isinstance(inner, dict) else value
        changed |= new is not value
        made[key] = new
    return made if changed else table


def _typed(text: Expanded, types: tuple[str, ...]) -> Expanded | Whole | Decimal | bool:
    """Convert a text to the number that belongs there; a text that is no number stays one, and is rejected later."""
    made: Whole | Decimal
    if "string" in types and "object" not in types:
        return text
    if "boolean" in types and text.plain() in ("true", "false"):
        return text.plain() == "true"
    if "integer" in types and _WHOLE.fullmatch(text.plain()):
        made = Whole(text.plain())
    elif "number" in types and _DECIMAL.fullmatch(text.plain()):
        made = Decimal(text.plain())
    else:
        return text
    made.written = text.written
    return made
