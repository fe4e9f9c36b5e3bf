"""Which bucket a message belongs to: the value of a limit's key as canonical text, and the bucket's key.

It runs once per message in a worker's event loop, on values from outside: it never raises, and its work is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.canonical_value import canonical as written
from limitkit.buckets.canonical_value import interrupts

if TYPE_CHECKING:
    import inspect

    from limitkit.config.declared import Limit

_VERSION: Final = "g1"
_SHADOW: Final = "s1"
"""In place of the version: a limit in shadow mode has buckets of its own."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-=:*]{1,97}")  # 97 + prefix (64), hash (32) and what is between make 200
_KEY = re.compile(rf"[^{{]*\{{(?P<tag>[^}}]+)\}}:{_VERSION}(?::(?P<digest>[0-9a-f]{{32}}))?")
OWN: Final = "task="
"""The prefix of the tag of a task's own limit, unless the task's name is too long or has special characters."""
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as text that two values share only when they are equal; ``missing`` when there was no value."""

    text: str
    missing: bool = False
    vague: str = field(default="", compare=False)
    """The part of the value that does not count, because it can't be written as text; empty when all of it counts."""

    @property
    def digest(self) -> str:
        """128 bits of the text, in hexadecimal: what the store sees."""
        return digest(self.text)


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
            return MISSING if value is _MISSING else _partition(value)
        except BaseException as error:
            if interrupts(error):
                raise
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


def canonical(value: Any) -> str:
    """Write a value so that equal ones, and only those, have the same text."""
    return _partition(value).text


def _partition(value: Any) -> Partition:
    text, vague = written(value)
    return Partition(text, vague=vague)


def bucket_key(prefix: str, limit: Limit, partition: Partition | None) -> str:
    """Name a bucket in the store; at most 200 bytes. The limit, in braces, is the hash tag of a Redis Cluster."""
    version = _SHADOW if limit.mode == "shadow" else _VERSION
    key = f"{prefix}:{{{limit_tag(limit.name, own=limit.own)}}}:{version}"
    return key if partition is None else f"{key}:{partition.digest}"


def key_of(prefix: str, tag: str) -> str:
    """Name the bucket of an enforced limit by the limit's tag; a partition's key is this, a colon, and its digest."""
    return f"{prefix}:{{{tag}}}:{_VERSION}"


def parts_of(key: str) -> tuple[str, str | None] | None:
    """Read a bucket's key: the tag of its limit, and its partition's digest; None for any other key."""
    match = _KEY.fullmatch(key)
    return (match["tag"], match["digest"]) if match else None


def limit_tag(name: str, *, own: bool) -> str:
    """Write a limit's name so that a task's own limit and a named limit never share a tag."""
    tag = OWN + name if own else name
    if _PLAIN_NAME.fullmatch(tag) and (own or not name.startswith(OWN)):
        return tag
    return "~" + digest(f"{'own' if own else 'named'}:{name}")


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


def digest(text: str) -> str:
    """Return 128 bits of a text, in hexadecimal."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
