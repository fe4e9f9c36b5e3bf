"""Checks single lines of a trace, which come from outside."""

from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.config.wording import quote
from limitkit.trial.recording.trace_file import MARK, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LINE: Final = 1_000_000
"""Bytes; the first line names all tasks and workers."""
_LONGEST_NAME: Final = 500
_LONGEST_TIME: Final = 366 * 86400.0
_LATEST: Final = 2.5e11
"""Seconds since 1970, up to the latest time that a calendar can show."""
_DEEPEST: Final = 20
_MOST_VALUES: Final = 200
_MOST: Final = 10**15
_COUNTS: Final = ("processes", "prefetch_multiplier", "running")
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class LineError(Exception):
    """A line can't be used; the text says why, and what to do."""


class Worker(NamedTuple):
    """A worker that was recorded."""

    processes: int = 1
    prefetch_multiplier: int = 4
    running: int = 0
    """Tasks that ran as it began to record; they are not in the trace."""
    first: float = 0.0
    """When it came, in seconds from the beginning."""
    last: float = float(_MOST)
    """When it was last heard."""


class Head(NamedTuple):
    """The first line."""

    began: float
    seconds: float
    workers: Mapping[str, Worker]
    tasks: Mapping[str, tuple[str, ...]]


class Message(NamedTuple):
    """The line of a message; times are seconds from the beginning."""

    at: float
    task: str
    queue: str
    priority: int = 0
    kwargs: Mapping[str, Any] = _NOTHING
    headers: Mapping[str, Any] = _NOTHING
    start: float | None = None
    seconds: float | None = None
    sent: bool = False
    """Whether ``at`` is when it was sent; else when a worker received it."""
    early: bool = False


class Tail(NamedTuple):
    """The last line."""

    ended: float
    complete: bool
    why: str
    workers: Mapping[str, Worker]
    clocks: Mapping[str, float]


def judged(raw: bytes) -> Head | Message | Tail:
    """Read a line. Raises LineError when it is wrong."""
    try:
        values = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise LineError("this is no JSON; remove the line, or record again") from None
    if not isinstance(values, dict):
        raise LineError("this is no JSON object; remove the line, or record again")
    if MARK in values:
        return _head(values)
    return _tail(values) if "ended" in values else _message(values)


def _head(values: Mapping[str, Any]) -> Head:
    if values[MARK] != VERSION or isinstance(values[MARK], bool):
        raise LineError(
            f"its version is {quote(str(values[MARK]))}, and this limitkit reads {VERSION}; read it with the limitkit "
            "that has written it"
        )
    tasks = _mapping(values, "tasks")
    limits = {name: tuple(map(str, each)) for name, each in tasks.items() if isinstance(each, list)}
    return Head(_number(values, "began", _LATEST), _number(values, "seconds", _LONGEST_TIME), _workers(values), limits)


def _tail(values: Mapping[str, Any]) -> Tail:
    clocks = {
        name: float(each)
        for name, each in _mapping(values, "clocks").items()
        if isinstance(each, (int, float)) and abs(each) < _LATEST
    }
    ended = _number(values, "ended", _LONGEST_TIME)
    return Tail(ended, values.get("complete") is True, str(values.get("why", "")), _workers(values), clocks)


def _message(values: Mapping[str, Any]) -> Message:
    at = _number(values, "at", _LONGEST_TIME)
    start = _number(values, "start", _LONGEST_TIME) if values.get("start") is not None else None
    if start is not None and start < at:
        raise LineError(f"it started at {start:g} s, before it arrived at {at:g} s; remove the line, or record again")
    priority = values.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > _MOST:
        raise LineError("priority is no whole number; remove the line, or record again")
    return Message(
        at,
        _name(values, "task"),
        _name(values, "queue"),
        priority,
        _values(values, "kwargs"),
        _values(values, "headers"),
        start,
        _number(values, "seconds", _LONGEST_TIME) if values.get("seconds") is not None else None,
        values.get("sent") is True,
        "earlier" in values,
    )


def _number(values: Mapping[str, Any], name: str, most: float) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise LineError(f"{name} is no number from 0 to {most:g}; remove the line, or record again")
    return float(value)


def _name(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or (not value and name == "task"):
        raise LineError(f"{name} is no name of up to {_LONGEST_NAME} characters; remove the line, or record again")
    return value


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name, _NOTHING)
    if not isinstance(value, (dict, MappingProxyType)):
        raise LineError(f"{name} is no object; remove the line, or record again")
    return value


def _workers(values: Mapping[str, Any]) -> Mapping[str, Worker]:
    found = {}
    for name, facts in _mapping(values, "workers").items():
        known = facts if isinstance(facts, dict) else {}
        numbers: list[Any] = [known.get(each, Worker._field_defaults[each]) for each in _COUNTS]
        moments: list[Any] = [known.get(each, Worker._field_defaults[each]) for each in ("first", "last")]
        if not (_are_from_0(numbers, int) and _are_from_0(moments, int, float)):
            raise LineError(f"the numbers of worker {quote(name)} are none; record again")
        found[name] = Worker(*numbers, *moments)
    return found


def _are_from_0(values: list[Any], *kinds: Any) -> bool:
    return all(isinstance(each, kinds) and not isinstance(each, bool) and 0 <= each <= _MOST for each in values)


def _values(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Check what stands for arguments or headers: digests and numbers, in objects."""
    found = _mapping(values, name)
    todo: list[tuple[int, Any]] = [(0, found)] if found else []
    seen = 0
    while todo:
        depth, value = todo.pop()
        seen += 1
        if seen > _MOST_VALUES or depth > _DEEPEST:
            raise LineError(f"{name} has more values than limits read; remove the line, or record again")
        if isinstance(value, (dict, MappingProxyType)):
            todo += [(depth + 1, each) for each in value.values()]
        elif isinstance(value, str):
            if len(value) > _LONGEST_NAME:
                raise LineError(f"a text in {name} is longer than a digest; remove the line, or record again")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise LineError(f"{name} has other values than digests and numbers; remove the line, or record again")
        elif abs(value) > _MOST:
            raise LineError(f"a number in {name} is too large; remove the line, or record again")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)
