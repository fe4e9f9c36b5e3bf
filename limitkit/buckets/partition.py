"""Which bucket a message belongs to: the value of a limit's key as canonical text, and the bucket's key.

It runs once per message in a worker's event loop, on values from outside: it never raises, and its work is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.call import NOT_THERE, PartReader
from limitkit.buckets.canonical_value import canonical as written
from limitkit.buckets.canonical_value import interrupts, joined
from limitkit.buckets.clear_text import CLEAR, clear_form_shown, clear_text
from limitkit.buckets.window import is_exact

if TYPE_CHECKING:
    import inspect
    from collections.abc import Iterable

    from limitkit.buckets.call import Call
    from limitkit.config.declared import Key, Limit

_VERSION: Final = "g1"
_VERSIONS: Final = {"window": "w1", "exact window": "x1", "window with resets": "c1", "concurrency": "r1"}
"""By the kind of limit, where it is none of token buckets: so that a changed strategy never reads another's state."""
_SHADOW: Final = "s"
"""In place of the version's first or last character: a limit in shadow mode has buckets of its own."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-=:*]{1,97}")  # 97 + prefix (64), hash (32) and what is between make 200
_ANY_VERSION: Final = "|".join((_VERSION, *_VERSIONS.values()))
_KEY = re.compile(rf"[^{{]*\{{(?P<tag>[^}}]+)\}}:(?:{_ANY_VERSION})(?::(?P<part>[0-9a-f]{{32}}|{CLEAR}))?")
_END_OF_TAG: Final = re.compile(r"([^{]*\{[^}]+\}:)([a-z])1(?=:|$)(.*)", re.DOTALL)
OWN: Final = "task="
"""The prefix of the tag of a task's own limit, unless the task's name is too long or has special characters."""
_LONGEST_KEY: Final = 200
"""Bytes of a bucket's key."""
_DIGEST_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as text that two values share only when they are equal; ``missing`` when there was no value."""

    text: str
    missing: bool = False
    vague: str = field(default="", compare=False)
    """The part of the value that does not count, because it can't be written as text; empty when all of it counts."""

    absent: tuple[str, ...] = field(default=(), compare=False)
    """The parts of the key that the message does not have."""

    @property
    def digest(self) -> str:
        """128 bits of the text, in hexadecimal."""
        return _digest(self.text)

    def form(self, room: int, *, clear: bool) -> str:
        """Return what the store sees: the digest; with ``clear`` the text, where ``room`` characters can hold it."""
        return (clear_text(self.text, room) if clear and not self.missing else None) or self.digest


MISSING: Final = Partition("missing", missing=True)


class Resolver:
    """Finds the partition in a message; made once per task and key."""

    __slots__ = ("_names", "_readers")

    def __init__(self, signature: inspect.Signature | None, key: Key) -> None:
        self._readers = tuple(PartReader(signature, part) for part in key.parts)
        self._names = tuple(str(part) for part in key.parts)

    def __call__(self, call: Call) -> Partition:
        """Find the partition of a message; partition *missing* when it has no part of the key."""
        if len(self._readers) == 1:
            found = _read(self._readers[0], call)
            return found if not found.missing else Partition(MISSING.text, missing=True, absent=self._names)
        parts = [_read(reader, call) for reader in self._readers]
        absent = tuple(name for name, part in zip(self._names, parts, strict=True) if part.missing)
        if len(absent) == len(parts):
            return Partition(MISSING.text, missing=True, absent=absent)
        # As if they came in a list. Each is written by itself, so that a huge one leaves room to tell the others apart.
        text = "list:" + joined(part.text for part in parts)
        return Partition(text, vague=next((part.vague for part in parts if part.vague), ""), absent=absent)


def _read(reader: PartReader, call: Call) -> Partition:
    try:
        value = reader(call)
        return MISSING if value is NOT_THERE else _partition(value)
    except BaseException as error:
        if interrupts(error):
            raise
        return MISSING


def partition(key: Key, call: Call, signature: inspect.Signature | None) -> Partition:
    """Find the partition of one call; for many calls of one task make a ``Resolver``."""
    return Resolver(signature, key)(call)


def canonical(value: Any) -> str:
    """Write a value so that equal ones, and only those, have the same text."""
    return _partition(value).text


def _partition(value: Any) -> Partition:
    text, vague = written(value)
    return Partition(text, vague=vague)


def bucket_key(prefix: str, limit: Limit, partition: Partition | None) -> str:
    """Name a bucket in the store; at most 200 bytes. The limit, in braces, is the hash tag of a Redis Cluster."""
    version = version_of(limit)
    if limit.mode == "shadow":
        version = f"{_SHADOW}1" if version == _VERSION else f"{_SHADOW}{version[0]}"
    key = f"{prefix}:{{{limit_tag(limit.name, own=limit.own)}}}:{version}"
    if partition is None:
        return key
    return f"{key}:{partition.form(_LONGEST_KEY - len(key) - 1, clear=limit.show_key)}"


def version_of(limit: Limit) -> str:
    """Return the part of a bucket's key that names how its state is kept."""
    kind: str = limit.strategy
    if kind == "window":
        kind = "window with resets" if limit.resets is not None else "exact window" if is_exact(limit.most) else kind
    return _VERSIONS.get(kind, _VERSION)


def key_of(prefix: str, tag: str, version: str = _VERSION) -> str:
    """Name the bucket of an enforced limit by the limit's tag; a partition's key is this, a colon, and its digest."""
    return f"{prefix}:{{{tag}}}:{version}"


def adapted_key(key: str) -> str:
    """Name the key of a bucket's adapted rate: in the same slot of a cluster, and no longer than the bucket's key."""
    match = _END_OF_TAG.fullmatch(key)
    if match is None:
        return f"{key}:f"
    return f"{match[1]}f{'1' if match[2] == _VERSION[0] else match[2]}{match[3]}"


def waiters_key(key: str) -> str:
    """Name the key of who waits for a slot: in the same slot of a cluster, and no longer than the limit's key."""
    match = _END_OF_TAG.fullmatch(key)
    return f"{key}:q" if match is None else f"{match[1]}q{match[2]}{match[3]}"


def sender_key(key: str, sender: str) -> str:
    """Name the key of what a sender has settled last: in the same slot of a cluster as the key of this bucket."""
    match = _END_OF_TAG.fullmatch(key)
    return f"{key if match is None else match[1]}s:{sender}"


def holds_slots(key: str) -> bool:
    """Whether this is the key of a concurrency limit, or the beginning of the keys of its partitions."""
    match = _END_OF_TAG.fullmatch(key)
    return match is not None and f"{match[2]}1" == _VERSIONS["concurrency"]


def parts_of(key: str) -> tuple[str, str | None] | None:
    """Read a bucket's key: the tag of its limit, and its partition's form; None for any other key."""
    match = _KEY.fullmatch(key)
    return (match["tag"], match["part"]) if match else None


def shown(form: str, digits: int = _DIGEST_LENGTH) -> str:
    """Write a partition's form for people: its text if it is in clear, ``missing``, or the first ``digits``."""
    if form.startswith("="):
        return clear_form_shown(form)
    return "missing" if form == MISSING.digest else form[:digits]


def limit_tag(name: str, *, own: bool) -> str:
    """Write a limit's name so that a task's own limit and a named limit never share a tag."""
    tag = OWN + name if own else name
    if _PLAIN_NAME.fullmatch(tag) and (own or not name.startswith(OWN)):
        return tag
    return "~" + _digest(f"{'own' if own else 'named'}:{name}")


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def buckets_of(key: str, keys: Iterable[str], *, partitions: bool) -> list[str]:
    """Return those keys that are of one bucket, or of all partitions below it."""
    return [each for each in keys if (each.startswith(f"{key}:") if partitions else each == key)]
