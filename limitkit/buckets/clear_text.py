"""Partitions in clear: texts from outside, written so that they can stand in a key of the store and be read again.

Two texts never have the same form, and none has one that looks like a digest, ends the key's place, or moves the hash
tag of a Redis Cluster. The same text has the same form in every version of Python.
"""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote, unquote

from limitkit.buckets.canonical_value import joined
from limitkit.config.wording import one_line

CLEAR: Final = r"=[A-Za-z0-9_.~@+,%\-]*"
"""What such forms look like: an equals sign, then each part of the key, with commas between them."""
_SAFE: Final = "@+"  # beside letters, digits and _.-~
_ABSENT: Final = "%-"
"""A part of a key that the message does not have; no text is written so."""
_TEXT: Final = "text:"
_ITEM: Final = re.compile(r"([0-9]{1,3}):")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and half characters, which are no UTF-8: nobody should see these in clear."""


def clear_text(text: str, room: int) -> str | None:
    """Write a partition in clear, in at most ``room`` characters; None for one that needs its digest.

    Those are values that are neither texts nor whole numbers, long ones, and texts with control characters.
    """
    if len(text) > len(_TEXT) * room:
        return None
    items = [text] if text.startswith(_TEXT) else _items(text)
    if not items or not all(each == "missing" or each.startswith(_TEXT) for each in items):
        return None
    if any(_UNSAFE.search(each) for each in items):
        return None
    parts = (_ABSENT if each == "missing" else quote(each.removeprefix(_TEXT), safe=_SAFE) for each in items)
    form = f"={','.join(parts)}"
    return form if len(form) <= room else None


def clear_form_shown(form: str) -> str:
    """Return such a form for people: the text; several parts as a JSON array, with null for one that was missing."""
    parts = _parts(form)
    return one_line(parts[0] if len(parts) == 1 and parts[0] is not None else json.dumps(parts, ensure_ascii=False))


def clear_form_text(form: str) -> str:
    """Return the canonical text of the partition that has this form."""
    texts = ["missing" if part is None else f"{_TEXT}{part}" for part in _parts(form)]
    return texts[0] if len(texts) == 1 else "list:" + joined(texts)


def _parts(form: str) -> list[str | None]:
    return [None if part == _ABSENT else unquote(part, errors="replace") for part in form[1:].split(",")]


def _items(text: str) -> list[str]:
    """Split the canonical text of a list of several values; none for any other text."""
    found, at = [], len("list:")
    while text.startswith("list:") and at < len(text):
        item = _ITEM.match(text, at)
        if item is None:
            return []
        at = item.end() + int(item[1])
        found.append(text[item.end() : at])
    return found if at == len(text) and len(found) > 1 else []
