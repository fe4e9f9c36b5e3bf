"""New tables as text at the end of a config file: what is there already stays as it is, to the byte."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.units import parse_rate
from limitkit.config.task_words import table_key, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.adopt.found import Table

_LONE_NEWLINE: Final = re.compile(r"(?<!\r)\n")


def added(text: str, limits: Mapping[str, Table], tasks: Mapping[str, Table]) -> str:
    """Return a file's text with more tables; an empty text becomes a file of version 1."""
    blocks = [_block(f"limits.{table_key(name)}", table) for name, table in limits.items()]
    blocks += [_block(f"tasks.{_quoted(name)}", table) for name, table in tasks.items()]
    new = "\n".join(blocks)
    if not text.strip():
        return f"version = 1\n\n{new}"
    end = "" if text.endswith("\n") else "\n"
    whole = f"{text}{end}\n{new}"
    if "\r\n" in text and _LONE_NEWLINE.search(text) is None:
        whole = _LONE_NEWLINE.sub("\r\n", whole)
    return whole


def _block(header: str, table: Table) -> str:
    lines = [f"[{header}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_quoted(str(each)) for each in value)}]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    """Write a basic string. JSON's escapes are TOML's; what is invisible is escaped too, as names come from code."""
    return visible(json.dumps(text, ensure_ascii=False))


def alike(table: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two tables say the same: rates in other units, and keys with their defaults, make no difference."""
    return _plain(table) == _plain(other)


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    plain = {"burst": 1, "mode": "enforce", **table}
    if "limits" in plain:
        plain["limits"] = [
            each.get("limit") if isinstance(each, dict) and len(each) == 1 else each for each in plain["limits"]
        ]
    rate = plain.get("rate")
    if isinstance(rate, str):
        try:
            plain["rate"] = parse_rate(rate).per_second
        except ValueError:  # a variable, or a unit that only windows have
            plain["rate"] = rate
    return plain
