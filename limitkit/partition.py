"""Which bucket a message belongs to: the value of a limit's key as canonical text, and the bucket's key.

It runs once per message in a worker's event loop, on values that anybody may have sent: it never raises, and
what it looks at is bounded.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import inspect

    from limitkit.declared import Limit

_VERSION: Final = "g1"
_SHADOW: Final = "s1"
"""In place of the version: a limit in shadow has buckets of its own."""
_DEEPEST: Final = 32
_MOST: Final = 5_000  # values inside one partition; more than that are taken for equal
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-=:*]{1,97}")  # 97 + prefix (64), hash (32) and what is between make 200
_KEY = re.compile(rf"[^{{]*\{{(?P<tag>[^}}]+)\}}:{_VERSION}(?::(?P<digest>[0-9a-f]{{32}}))?")
OWN: Final = "task="
"""What the tag of a task's own limit begins with, unless the task's name is too long or has odd characters."""
_MISSING = object()
_WRITTEN = (uuid.UUID, decimal.Decimal, dt.date, dt.time, dt.timedelta)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as text that two values share only when they are equal; ``missing`` when there was no value."""

    text: str
    missing: bool = False

    @property
    def digest(self) -> str:
        """128 bits of the text, in hexadecimal: what the store sees."""
        return _digest(self.text)


MISSING: Final = Partition("missing", missing=True)


class Resolver:
    """Finds the partition in a message's arguments; made once per task and limit."""

    __slots__ = ("_default", "_index", "_name", "_rest")

    def __init__(self, signature: inspect.Signature | None, key: tuple[str, ...]) -> None:
        self._name, *rest = key
        self._rest = tuple(rest)
        self._index: int | None = None
        self._default: Any = _MISSING
        for index, parameter in enumerate(signature.parameters.values() if signature else ()):
            if parameter.name != self._name:
                continue
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                self._index = index
            if parameter.default is not parameter.empty:
                self._default = parameter.default

    def __call__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Partition:
        """Find the partition of a message; partition *missing* when its argument is not there."""
        try:
            value = self._argument(args, kwargs)
            for part in self._rest:
                value = _step(value, part)
            return MISSING if value is _MISSING else Partition(canonical(value))
        except Exception:  # noqa: BLE001 - a property, or a mapping, of somebody else's may raise anything
            return MISSING

    def _argument(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if self._index is not None and args and self._index < len(args):
            return args[self._index]
        return kwargs.get(self._name, self._default) if kwargs else self._default


def partition(
    key: tuple[str, ...], args: Sequence[Any], kwargs: Mapping[str, Any], signature: inspect.Signature | None
) -> Partition:
    """Find the partition of one call; for many calls of one task make a ``Resolver``."""
    return Resolver(signature, key)(args, kwargs)


def bucket_key(prefix: str, limit: Limit, partition: Partition | None) -> str:
    """Name a bucket in the store; at most 200 bytes. The limit, in braces, is the hash tag of a Redis Cluster."""
    version = _SHADOW if limit.mode == "shadow" else _VERSION
    key = f"{prefix}:{{{limit_tag(limit.name, own=limit.own)}}}:{version}"
    return key if partition is None else f"{key}:{partition.digest}"


def parts_of(key: str) -> tuple[str, str | None] | None:
    """Read a bucket's key: the tag of its limit, and its partition's digest; None for a key that is none of these."""
    match = _KEY.fullmatch(key)
    return (match["tag"], match["digest"]) if match else None


def limit_tag(name: str, *, own: bool) -> str:
    """Write a limit's name so that a task's own limit never meets a named one of the same text."""
    tag = OWN + name if own else name
    if _PLAIN_NAME.fullmatch(tag) and (own or not name.startswith(OWN)):
        return tag
    return "~" + _digest(f"{'own' if own else 'named'}:{name}")


def canonical(value: Any) -> str:
    """Write a value so that equal ones, and only those, have the same text.

    A string and a whole number are equal by their text; everything else is told apart by type. An object
    that has no text of its own counts by its type alone.
    """
    try:
        return _text(value, [_MOST], 0)
    except Exception:  # noqa: BLE001 - a subclass may do anything
        return _object(value)


def _text(value: Any, budget: list[int], depth: int) -> str:  # noqa: PLR0911 - one return per type
    budget[0] -= 1
    if budget[0] < 0 or depth > _DEEPEST:
        return "more:"
    if isinstance(value, enum.Enum):
        return f"{_object(value)}:{value.name}"
    if isinstance(value, str):
        return "text:" + str.__str__(value)
    if value is None or isinstance(value, bool):
        return f"json:{'null' if value is None else str(value).lower()}"
    if isinstance(value, int):
        return "text:" + _digits(value)
    if isinstance(value, float):
        return "float:" + float.__repr__(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes:" + bytes(value).hex()
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return _container(value, budget, depth + 1)
    if isinstance(value, _WRITTEN):
        return f"{_object(value)}:{value}"
    return _object(value)


def _container(value: Any, budget: list[int], depth: int) -> str:
    """Write the texts of what is inside, each with its length before it, so that no text can feign another."""
    if isinstance(value, dict):
        # Sorted by the keys' texts, which are all strings, whatever the keys are.
        keys = sorted(((_text(key, budget, depth), key) for key in islice(value, _MOST)), key=itemgetter(0))
        return "dict:" + _joined(part for text, key in keys for part in (text, _text(value[key], budget, depth)))
    if isinstance(value, (list, tuple)):
        return "list:" + _joined(_text(each, budget, depth) for each in islice(value, _MOST))
    # A set's order is not the same in two processes, so each member has a budget of its own.
    return "set:" + _joined(sorted(_text(each, [_MOST], depth) for each in value))


def _joined(texts: Iterable[str]) -> str:
    return "".join(f"{len(text)}:{text}" for text in texts)


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python writes no more than 4,300 digits
        return f"{value:x}"


def _object(value: Any) -> str:
    return f"object:{type(value).__module__}.{type(value).__qualname__}"


def _step(value: Any, part: str) -> Any:
    """Go one step down a dotted path: into a mapping, a sequence, or an object's public attributes."""
    if isinstance(value, Mapping):
        found = value.get(part, _MISSING)
        return value.get(int(part), _MISSING) if found is _MISSING and _is_index(part) else found
    if isinstance(value, (list, tuple)) and _is_index(part):
        return value[int(part)] if int(part) < len(value) else _MISSING
    if value is _MISSING or part.startswith("_") or type(value).__module__ == "builtins":
        return _MISSING
    found = getattr(value, part, _MISSING)
    return _MISSING if callable(found) else found


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 10  # noqa: PLR2004 - no message holds more


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
