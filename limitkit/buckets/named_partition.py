"""Partitions as people name them: in a file, on the command line, and in the keys of buckets."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from limitkit.buckets.canonical_value import joined
from limitkit.buckets.clear_text import clear_form_text
from limitkit.buckets.partition import Partition, canonical

_DIGEST: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def named(said: object, parts: int = 1) -> Partition:
    """Return the partition that is meant by a value, or by a text: ``"42"`` is also the number.

    With a key of several parts it is a list of as many, or its JSON: ``'["acme", 42]'``. There None, or null, is a part
    that the message does not have.
    """
    if parts > 1:
        each = _read(said) if isinstance(said, str) else said
        if isinstance(each, (list, tuple)) and len(each) == parts:
            texts = ("missing" if part is None else canonical(part) for part in each)
            return Partition("list:" + joined(texts))
    return Partition(canonical(said))


def is_digest(text: object) -> bool:
    """Whether this may be the digest of a partition."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def digest_of_form(form: str) -> str:
    """Return the digest of a partition as it stands in a bucket's key, where it is in clear or is its digest."""
    return Partition(clear_form_text(form)).digest if form.startswith("=") else form


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
