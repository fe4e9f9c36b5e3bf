"""The values of a limit and of a task that say what is counted, and for whom."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from limitkit.config.model.calendar import (
    DAY_MINUTES,
    DAYS_PATTERN,
    RESETS_PATTERN,
    TIME_PATTERN,
    resets_fault,
    time_fault,
    zone_fault,
)
from limitkit.config.model.cost_errors import (
    MOST_COST,
    PATH_PATTERN,
    cost_number_fault,
    plus_fault,
    settle_fault,
    times_fault,
    weight_fault,
)
from limitkit.config.model.fields import Strategy, duration_meaning, meaning, refuse
from limitkit.config.model.units import CALENDAR_RATE_PATTERN, DURATION_PATTERN
from limitkit.config.model.value_errors import key_fault, rate_fault
from limitkit.config.wording import quote

KEY_PATTERN: Final = r"^(headers:.+|[^.]+(\.[^.]+)*)$"
MOST_PARTS: Final = 4
DEFAULT_LEASE: Final = "15s"
Scope = Literal["all", "worker"]


def _parts(items: tuple[str, ...]) -> tuple[str, ...]:
    """Reject a key without a part, or with one twice."""
    if not items:
        refuse("LK025", "no argument is named here", 'write its name, e.g. "user_id"')
    for at, item in enumerate(items):
        if not re.fullmatch(KEY_PATTERN, item):  # the schema says where
            raise PydanticCustomError("key", "not a key")
        if item in items[:at]:
            refuse("LK025", f"{quote(item)} is named twice", "name each argument once")
        if fault := key_fault(item):
            refuse("LK025", *fault)
    return items


def _listed(value: object) -> object:
    """Make a list of a text that stands alone."""
    return (value,) if isinstance(value, str) else value


def _resets(text: str) -> str:
    if fault := resets_fault(text):
        refuse(*fault)
    return text


def _zone(text: str) -> str:
    if fault := zone_fault(text):
        refuse(*fault)
    return text


def _days(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        refuse("LK076", "no day is named here, so this would never hold", 'write e.g. days = ["mon-fri"]')
    if not all(re.fullmatch(DAYS_PATTERN, item) for item in items):  # the schema says which is none
        raise PydanticCustomError("days", "not a day")
    return items


def _number(code: str, fault: Any) -> WrapValidator:
    """Check a number before it is made a float: a whole number may be too large for that."""

    def judge(value: object, shape: ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool) and (found := fault(value)):
            refuse(code, *found)
        return shape(value)

    return WrapValidator(judge)


def _key_field(title: str, description: str) -> Any:
    part = {"type": "string", "pattern": KEY_PATTERN}
    schema = {"title": title, "description": description, "type": ["string", "array"], "pattern": KEY_PATTERN}
    return WithJsonSchema({**schema, "items": part, "maxItems": MOST_PARTS})


StrategyField = Annotated[
    Strategy,
    Field(
        title="How starts are counted",
        description="static: in each worker, without a store. token_bucket: one bucket across all workers. "
        "per_user: one bucket for each value of an argument (key), across all workers. window: never more than so many "
        "in any stretch of its time, or from one reset to the next. concurrency: how many run at once.",
    ),
]
RateField = Annotated[
    str,
    Field(
        title="How fast tasks may start",
        description='A number, a slash, and s, m, h or d: "25/s", "0.5/s"; "10/15m" is 10 every 15 minutes. '
        'From "1/366d" to "100000/s". A window with resets also has w and mo. Not for concurrency.',
        pattern=CALENDAR_RATE_PATTERN,
    ),
    meaning("LK012", functools.partial(rate_fault, calendar=True)),
]
BurstField = Annotated[
    int,
    Field(
        title="Tokens the bucket holds",
        description="How many tasks may start at once after a quiet time. Not for window and concurrency.",
        ge=1,
        le=1_000_000,
    ),
]
MaxRunningField = Annotated[
    int,
    Field(
        title="How many may run at once",
        description="A whole number from 1 to 100000. Required for concurrency, and only for it.",
        ge=1,
        le=100_000,
    ),
]
KeyField = Annotated[
    tuple[str, ...],
    Strict(strict=False),
    Field(max_length=MOST_PARTS),
    AfterValidator(_parts),
    BeforeValidator(_listed),
    _key_field(
        "What tells partitions apart",
        'An argument of the task, or a dotted path into it: "user_id", "customer.tenant"; "headers:NAME" is a header '
        "of the message; a list has up to 4 of them. Required for per_user; a window or a concurrency limit may have "
        "one.",
    ),
]
FairByField = Annotated[
    tuple[str, ...],
    Strict(strict=False),
    Field(max_length=MOST_PARTS),
    AfterValidator(_parts),
    BeforeValidator(_listed),
    _key_field(
        "By what waiting tasks take turns",
        "Written as a key: while tasks with several values wait, starts go to each value in proportion to its weight. "
        "Not for static limits and for those of one worker.",
    ),
]
ResetsField = Annotated[
    str,
    Field(
        title="When a window begins anew",
        description='"00:00 America/Los_Angeles" for a rate per d, "mon 08:00 UTC" per w, "1 00:00 Europe/Berlin" per '
        'mo; a day that a month lacks is its last. "clock" for s, m, h that divide a day, in UTC. Without it the '
        "window slides.",
        pattern=RESETS_PATTERN,
    ),
    AfterValidator(_resets),
]
LeaseField = Annotated[
    str,
    Field(
        title="How long a slot outlives a worker that is gone",
        description='A duration from "5s" to "1h". Only for concurrency.',
        pattern=DURATION_PATTERN,
    ),
    duration_meaning("lease"),
]
ScopeField = Annotated[
    Scope,
    Field(
        title="Where tasks that run are counted",
        description="all: in all workers together. worker: in each worker by itself, without a store. Only for "
        "concurrency.",
    ),
]
ShowKeyField = Annotated[
    bool,
    Field(
        title="Whether partitions may be shown",
        description="true: the partition is stored and shown in clear. false: only a hash of it.",
    ),
]
WeightField = Annotated[float, _number("LK074", weight_fault)]
TimeFromField = Annotated[
    str,
    Field(title="From when", description='HH:MM, "00:00" without it.', pattern=TIME_PATTERN),
    meaning("LK075", functools.partial(time_fault, last=DAY_MINUTES - 1)),
]
TimeToField = Annotated[
    str,
    Field(
        title="Until when",
        description='HH:MM; before from: over midnight. "24:00" without it.',
        pattern=TIME_PATTERN,
    ),
    meaning("LK075", functools.partial(time_fault, last=DAY_MINUTES)),
]
DaysField = Annotated[
    tuple[str, ...],
    Strict(strict=False),
    AfterValidator(_days),
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "title": "On which days it begins",
            "description": 'Days such as "mon", and ranges such as "mon-fri". Default: each day.',
            "type": ["string", "array"],
            "pattern": DAYS_PATTERN,
            "items": {"type": "string", "pattern": DAYS_PATTERN},
        }
    ),
]
ZoneField = Annotated[
    str,
    Field(title="In which time zone", description='An IANA name, e.g. "Europe/Berlin". Default: UTC.'),
    AfterValidator(_zone),
]
TimesField = Annotated[
    float,
    Field(title="Times what", description="A number above 0: what was read is multiplied by it. Default: 1."),
    _number("LK068", times_fault),
]
PlusField = Annotated[
    float,
    Field(title="Plus what", description="A number from 0, which is added to that. Default: 0."),
    _number("LK068", plus_fault),
]
DefaultCostField = Annotated[
    int,
    Field(
        title="When it can't be read",
        description=f"A whole number from 1 to {MOST_COST}: the cost of a message in which it is not there, or no "
        "number. Default: 1.",
    ),
    _number("LK068", cost_number_fault),
]
SettleField = Annotated[
    str,
    Field(
        title="Where the true cost is",
        description='A dotted path into what the task returns, e.g. "usage.total_tokens". The cost is taken at the '
        "start; the difference is taken, or given back, at the end.",
        pattern=PATH_PATTERN,
    ),
    meaning("LK071", settle_fault),
]
