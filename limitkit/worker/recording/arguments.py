"""What a recording keeps of a message's arguments: digests of what keys read, and the numbers that costs read.

Nothing else of a payload leaves the worker. A digest is keyed with bytes that are made for one recording and never
written: within it, equal values have equal digests; without them, nobody can try which value has a digest.
"""

from __future__ import annotations

import hmac
import inspect
import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.call import NOT_THERE, PartReader
from limitkit.buckets.canonical_value import interrupts
from limitkit.buckets.partition import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.buckets.call import Call
    from limitkit.config.declared import Limit, Part

DIGEST_BYTES: Final = 12
WHOLE: Final = ""
"""Where the digest of a value stands, if limits read both the value and something in it."""
_MOST: Final = 10**15
"""Numbers beyond this are written as this: no cost is as high."""
_VARIOUS: Final = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


class Kept(NamedTuple):
    """What is kept of one message."""

    kwargs: dict[str, Any]
    headers: dict[str, Any]


class Paths(NamedTuple):
    """What the limits of a file read in messages, whichever tasks have them."""

    keys: tuple[Part, ...]
    numbers: tuple[Part, ...]


def paths_of(limits: Iterable[Limit]) -> Paths:
    """Return what these limits read for their keys, turns and costs; each once, in the order of the file."""
    keys: dict[Part, None] = {}
    numbers: dict[Part, None] = {}
    for limit in limits:
        for key in (limit.key, limit.fair_by):
            keys.update(dict.fromkeys(key.parts if key is not None else ()))
        if limit.cost.of is not None:
            numbers[limit.cost.of] = None
    return Paths(tuple(keys), tuple(numbers))


def digest_of(text: str, secret: bytes) -> str:
    """Return the digest of a value's canonical text."""
    return hmac.digest(secret, text.encode("utf-8", "surrogatepass"), "sha256")[:DIGEST_BYTES].hex()


class Arguments:
    """Reads the messages of one task; made once for each."""

    def __init__(self, signature: inspect.Signature | None, paths: Paths, secret: bytes) -> None:
        self._secret = secret
        self._keys = tuple((each, PartReader(signature, each)) for each in paths.keys if _may_have(signature, each))
        self._numbers = tuple(
            (each, PartReader(signature, each, measures=True)) for each in paths.numbers if _may_have(signature, each)
        )

    def __call__(self, call: Call) -> Kept:
        """Return what is kept of a message. Values that can't be read are left out, as limits leave them out."""
        kept = Kept({}, {})
        for part, value in self._found(call):
            if part.header:
                kept.headers[part.path[0]] = value
            else:
                _put(kept.kwargs, part.path, value)
        return kept

    def _found(self, call: Call) -> Iterator[tuple[Part, str | int | float]]:
        for part, read in self._keys:
            value = _read(read, call)
            if value is not NOT_THERE:
                yield part, digest_of(canonical(value), self._secret)
        for part, read in self._numbers:
            number = _number(_read(read, call))
            if number is not None:
                yield part, number


def _may_have(signature: inspect.Signature | None, part: Part) -> bool:
    """Whether a task may have this argument: most read none that only the limits of other tasks read."""
    if signature is None or part.header:
        return True
    parameters = signature.parameters.values()
    return part.path[0] in signature.parameters or any(each.kind in _VARIOUS for each in parameters)


def _read(read: PartReader, call: Call) -> Any:
    try:
        return read(call)
    except BaseException as error:
        if interrupts(error):
            raise
        return NOT_THERE


def _number(value: Any) -> int | float | None:
    """Return a number that JSON can hold; None for all that no cost is read from."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        if isinstance(value, Integral):
            return max(-_MOST, min(int(value), _MOST))
        found = float(value)
    except BaseException as error:
        if interrupts(error):
            raise
        return None
    return max(-float(_MOST), min(found, float(_MOST))) if math.isfinite(found) else None


def _put(into: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Put a value where its path leads; a value on the way to another has its own place there."""
    *way, last = path
    for step in way:
        inner = into.get(step)
        if not isinstance(inner, Mapping):
            inner = {} if inner is None else {WHOLE: inner}
        into[step] = into = dict(inner)
    if isinstance(into.get(last), dict):
        into[last][WHOLE] = value
    else:
        into[last] = value
