"""Values as canonical text: two values have the same text only if they are equal.

The values come from outside, and with pickle they are objects of any kind. So the work for one value is bounded, and
an object's own code can do no harm.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json
import numbers
import pathlib
import signal
import sys
import threading
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

_DEEPEST: Final = 32
_MOST: Final = 20_000
"""The most values inside one value that are read; the rest counts by its size only."""
_LETTERS: Final = 100
"""This many characters count as one value more: a pickle may repeat one long text ten thousand times."""
_LONGEST: Final = 1_000
"""The most digits of a decimal number that are read."""
_TEXTS: Final = (
    uuid.UUID,
    decimal.Decimal,
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    dt.timezone,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    pathlib.PurePath,
    fractions.Fraction,
    zoneinfo.ZoneInfo,
    complex,
    range,
)
"""Types whose ``str`` is their text."""


_RAISERS: Final = ("billiard", "celery", "eventlet", "gevent", "greenlet", "signal", "threading")
"""Packages whose handlers interrupt running code: time limits, shutdowns, cancelled greenlets."""


class Canonical(NamedTuple):
    """A value as text."""

    text: str
    vague: str = ""
    """The part of it that counts only by its type or its size; empty when there is none."""


def canonical(value: Any) -> Canonical:
    """Write a value so that equal values, and only those, have the same text.

    A string and a whole number are equal if their text is. All other values differ if their type does. Keys of a dict
    count as JSON writes them. An object counts by its fields, if its class declares any. Other objects, and those that
    raise when they are read, count only by their type.
    """
    writer = _Writer()
    try:
        return Canonical(writer.text(value, 0), writer.vague)
    except BaseException as error:
        if interrupts(error):
            raise
        name = _type_name(value)
        return Canonical(f"object:{name}", f"{name} objects, whose values can't be looked at,")


def interrupts(error: BaseException) -> bool:
    """Whether this was raised from outside, by a signal or another greenlet, and not by the value that is read.

    What a value's own code raises must not stop a worker, even if it is ``SystemExit``. What interrupts from outside
    must go on: a soft time limit is raised only once. The frame in which it was raised shows which of the two it is.
    """
    if isinstance(error, Exception) and type(error).__name__ != "SoftTimeLimitExceeded":
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__", "")) if trace is not None else ""
    if module.partition(".")[0] in _RAISERS:
        return True
    # Ctrl-C without a handler has no frame of its own.
    return (
        isinstance(error, KeyboardInterrupt)
        and (module.partition(".")[0] in {"limitkit", *sys.stdlib_module_names})
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


class _Writer:
    def __init__(self) -> None:
        self.vague = ""
        self._left = _MOST

    def text(self, value: Any, depth: int) -> str:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            return self._more()
        leaf = _leaf(value)
        if leaf is not None:
            return self._written(leaf, depth)
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1)
        if isinstance(value, (list, tuple, deque)):
            return "list:" + joined(self._items(value, depth + 1))
        if isinstance(value, (set, frozenset)):
            return self._set(value, depth + 1)
        return self._object(value, depth)

    def _written(self, text: str, depth: int) -> str:
        if not depth:
            return text
        self._left -= len(text) // _LETTERS
        return text if self._left >= 0 else self._more(len(text))

    def _more(self, *size: int) -> str:
        self.vague = self.vague or f"more than {_MOST} values in one, or {_DEEPEST} levels of them,"
        return ":".join(["more", *map(str, size)])

    def _apart(self, value: Any, depth: int, room: int) -> str:
        """Write a value with a room of its own, so that its text does not depend on what was written before."""
        left, self._left = self._left, room
        try:
            return self.text(value, depth)
        finally:
            self._left += left - room

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> str:
        """Write a mapping, sorted by the texts of its keys: their order in a message depends on the sender."""
        if len(value) > self._left:
            return f"dict:{self._more(len(value))}"
        room = self._left // max(1, len(value))
        keys = sorted(((*self._key(key, depth, room), key) for key in islice(value, _MOST)), key=itemgetter(0, 1))
        return "dict:" + joined(part for text, _, key in keys for part in (text, self.text(value[key], depth)))

    def _key(self, key: Any, depth: int, room: int) -> tuple[str, str]:
        """Write a key as JSON would; its type comes second, to sort keys that are equal in JSON."""
        if key is None or key is True or key is False:
            return f"text:{_JSON[key]}", "json"
        if isinstance(key, float):
            return "text:" + json.dumps(float(key)), "float"
        return self._apart(key, depth, room), type(key).__name__

    def _items(self, value: Any, depth: int) -> Iterable[str]:
        for each in value:
            if self._left <= 0:
                yield self._more(len(value))
                return
            yield self.text(each, depth)

    def _set(self, value: Any, depth: int) -> str:
        if len(value) > self._left:
            return f"set:{self._more(len(value))}"
        room = self._left // max(1, len(value))
        return "set:" + joined(sorted(self._apart(each, depth, room) for each in islice(value, _MOST)))

    def _object(self, value: Any, depth: int) -> str:
        name = _type_name(value)
        if isinstance(value, enum.Enum):
            return f"object:{name}:{value.name or value.value}"
        known = next((cls for cls in _TEXTS if isinstance(value, cls)), None)
        if known is not None:  # by its name: a path is a PosixPath here, and equal to a PurePosixPath
            text = f"object:{known.__module__}.{known.__qualname__}:{_WRITE.get(known, str)(value)}"
            return self._written(text, depth)
        if isinstance(value, numbers.Integral):  # of numpy
            return "text:" + _digits(int(value))
        if isinstance(value, numbers.Real):
            return "float:" + float.__repr__(float(value))
        fields = _fields(value)
        if fields is None:
            self.vague = self.vague or f"{name} objects, whose values limitkit can't tell,"
            return f"object:{name}"
        texts = (part for field in fields for part in (field, self.text(getattr(value, field), depth + 1)))
        return f"object:{name}:" + joined(texts)


_JSON: Final = {None: "null", True: "true", False: "false"}


def _leaf(value: Any) -> str | None:
    """Write a value that contains no others; None for all that do."""
    if value is None or value is True or value is False:
        return f"json:{_JSON[value]}"
    if isinstance(value, str):  # an enum of strings, too: it is equal to its string
        return "text:" + str.__str__(value)
    if isinstance(value, int):
        return "text:" + _digits(value)
    if isinstance(value, float):
        return "float:" + float.__repr__(float.__add__(value, 0.0))  # -0.0 and 0.0 are equal
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes:" + bytes(value).hex()
    return None


def _fields(value: Any) -> list[str] | None:
    """Name the fields that an object's class declares; None when it declares none."""
    cls = type(value)
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls) if field.compare]
    attrs = getattr(cls, "__attrs_attrs__", None)
    if attrs is not None:
        return [field.name for field in attrs if field.eq]
    for name in ("model_fields", "__struct_fields__", "__fields__"):  # pydantic, msgspec, pydantic before 2
        fields = getattr(cls, name, None)
        if isinstance(fields, (Mapping, tuple)):
            extra = ["model_extra"] if getattr(value, "model_extra", None) else []
            return sorted(map(str, fields)) + extra
    if hasattr(cls, "_meta") and getattr(value, "pk", None) is not None:  # Django: its row
        return ["pk"]
    return None


def _decimal(value: decimal.Decimal) -> str:
    """Write a number so that 1.0 and 1.00 have the same text."""
    if not value.is_finite() or value.adjusted() > _LONGEST or len(str(value)) > _LONGEST:
        return str(value)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 (it is finite)
    kept = len(digits)
    while kept and not digits[kept - 1]:
        kept -= 1
    whole = "".join(map(str, digits[:kept])).lstrip("0")
    return f"{'-' * sign}{whole}e{exponent + len(digits) - kept}" if whole else "0"


def _moment(value: dt.datetime) -> str:
    """Write a moment; the same moment in two time zones has the same text."""
    if value.utcoffset() is None:
        return value.isoformat()
    try:
        return value.astimezone(dt.timezone.utc).isoformat()
    except OverflowError:
        return value.isoformat()


_WRITE: Final[dict[type, Callable[[Any], str]]] = {decimal.Decimal: _decimal, dt.datetime: _moment}


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python writes no more than 4,300 digits
        return f"{value:x}"


def joined(texts: Iterable[str]) -> str:
    """Join texts so that other ones never give the same text."""
    return "".join(f"{len(text)}:{text}" for text in texts)


def _type_name(value: Any) -> str:
    cls = type(value)
    return f"{type.__getattribute__(cls, '__module__')}.{type.__getattribute__(cls, '__qualname__')}"
