"""Checks the answers of workers before they are used: anyone on the broker can answer, also another version.

An answer of a wrong shape counts as that of another version of limitkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_Number = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
"""Times in seconds, intervals, and other numbers."""
_Count = Annotated[int, Field(ge=0, le=10**12)]
_Moment = Annotated[float, Field(ge=0, le=2.5e11, allow_inf_nan=False)]
"""Seconds since 1970, up to the latest time that a calendar can show."""
_Adapted = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=9, max_length=9)]


class _Refused(BaseModel):
    error: str
    lines: list[str] = []


class _Shadow(BaseModel):
    came: _Count
    delayed: _Count


class _Limit(BaseModel):
    local: bool | None = None
    version: str = ""
    running: _Count = 0
    running_partitions: list[tuple[str, _Count]] = []
    limit: str
    pattern: str
    strategy: str
    mode: str
    declared: str
    declared_burst: _Count
    interval: _Number
    burst: _Count
    source: str
    dialled: _Number | None
    held: _Count
    oldest: _Number
    started: _Count | None
    shadow: _Shadow | None
    partitions: list[tuple[str, _Count]]


class _Report(BaseModel):
    path: str
    digest: str
    since: _Moment
    refused: str
    mode: str
    paced: bool
    unguarded: list[str]
    caps: dict[str, _Number]
    limits: dict[str, _Limit]
    store: str = ""
    workers: _Count = 0
    limitkit: str = ""
    now: _Moment = 0.0
    overrides: list[tuple[str, str, _Moment | None]] = []
    learnt: dict[str, _Adapted] = {}


class _Held(BaseModel):
    task: str
    bucket: str
    place: _Count
    held: _Number
    starts_in: float
    interval: _Number = 0.0
    cost: _Count = 1
    running: _Count = 0
    turn: str = ""
    weight: _Number = 1.0
    weights: _Number = 1.0


class _SentBack(BaseModel):
    task: str
    buckets: Annotated[list[str], Field(min_length=1, max_length=100)]
    again_in: _Number
    bucket: None = None


class _Due(BaseModel):
    task: str
    due_in: _Number
    bucket: None = None
    again_in: None = None


class _Limited(BaseModel):
    task: str
    rate_limit: str
    bucket: None = None
    again_in: None = None
    due_in: None = None


class _NotHeld(BaseModel):
    bucket: None = None
    again_in: None = None
    due_in: None = None
    rate_limit: None = None


class _Done(BaseModel):
    ok: str | int
    left_out: list[str] = []


class _Recorded(BaseModel):
    ok: str
    processes: Annotated[int, Field(ge=1, le=100_000)] = 1
    prefetch_multiplier: Annotated[int, Field(ge=0, le=1_000_000)] = 4


class _Task(BaseModel):
    name: str


_OTHER: Final = {"error": "it answers as another version of limitkit"}
_DONE: Final[TypeAdapter[Any]] = TypeAdapter(_Refused | _Done)
_SHAPES: Final[dict[str, TypeAdapter[Any]]] = {
    "limitkit_status": TypeAdapter(_Refused | _Report),
    "limitkit_why": TypeAdapter(_Refused | _Held | _SentBack | _Due | _Limited | _NotHeld),
    "limitkit_record": TypeAdapter(_Refused | _Recorded),
    "query_task": TypeAdapter(dict[str, tuple[str, _Task]]),
}


def is_local(limit: Mapping[str, Any]) -> bool:
    """Whether a worker has a limit, as it reports it, for itself alone."""
    local = limit.get("local")
    return bool(limit["strategy"] == "static" if local is None else local)  # an older one does not say it


class _Queue(BaseModel):
    name: str


class _Pool(BaseModel):
    implementation: str = ""


class _Stats(BaseModel):
    pool: _Pool = _Pool()


_QUEUES: Final = TypeAdapter(list[_Queue])


def queues_in(answer: object) -> list[str]:
    """Return the names of the queues that a worker says it consumes from."""
    try:
        return [each.name for each in _QUEUES.validate_python(answer)]
    except ValidationError:
        return []


def pool_in(answer: object) -> str:
    """Return the path of a worker's pool, as its ``stats`` have it; empty when they don't."""
    try:
        return _Stats.model_validate(answer).pool.implementation
    except ValidationError:
        return ""


def judged(command: str, answer: object) -> dict[str, Any]:
    """Return the answer to a command, or an error in its place when it has a wrong shape."""
    try:
        _SHAPES.get(command, _DONE).validate_python(answer, strict=False)
    except ValidationError:
        return {} if command == "query_task" else _OTHER
    assert isinstance(answer, dict)  # noqa: S101 (all shapes are)
    return answer
