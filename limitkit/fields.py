"""The values that ratelimits.toml may hold: their types and bounds, what editors show of them, and what they mean."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from limitkit.ports import HOST_PATTERN, LAST, PORTS_PATTERN
from limitkit.scalar import duration_fault, factor_fault, key_fault, likeness_fault, port_fault, rate_fault
from limitkit.storeurl import BadUrlError, expand
from limitkit.units import DURATION_PATTERN, RATE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable

Strategy = Literal["static", "token_bucket", "per_user"]
Mode = Literal["enforce", "shadow", "off"]
OnError = Literal["allow", "hold", "divide"]
OnLimit = Literal["wait", "drop", "fail"]
Action = Literal["slow", "pause"]

KEY_PATTERN: Final = r"^[^.]+(\.[^.]+)*$"
PREFIX_PATTERN: Final = r"^[a-zA-Z0-9_.-]{1,64}$"
DEFAULT_TIMEOUT: Final = "250ms"
DEFAULT_HOLD: Final = "2s"
DEFAULT_HOST: Final = "127.0.0.1"


def _refuse(code: str, fact: str, hint: str) -> NoReturn:
    raise PydanticCustomError("meaning", "{fact}; {hint}", {"code": code, "fact": fact, "hint": hint})


def whole(value: object) -> object:
    """Refuse 1.0 and true, which a Literal would take for 1 and the schema does not."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole", "not a whole number")
    return value


def _rate(text: str) -> str:
    if fault := rate_fault(text):
        _refuse("LK012", *fault)
    return text


def _duration(key: str) -> Callable[[str], str]:
    def judge(text: str) -> str:
        if fault := duration_fault(key, text):
            _refuse("LK016", *fault)
        return text

    return judge


def _key(text: str) -> str:
    if fault := key_fault(text):
        _refuse("LK025", *fault)
    return text


def _port(said: int | str) -> int | str:
    if fault := port_fault(said):
        _refuse("LK038", *fault)
    return said


def _likeness(text: str) -> str:
    if fault := likeness_fault(text):
        _refuse("LK031", *fault)
    return text


def some_likeness(items: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list that nothing is like."""
    if not items:
        fact = "nothing is named here, so nothing would ever follow"
        _refuse("LK031", fact, 'write e.g. on = ["requests.HTTPError:429"]')
    return items


def _factor(number: float) -> float:
    if fault := factor_fault(number):
        _refuse("LK033", *fault)
    return number


def url_meaning(text: str) -> str:
    """Refuse what is not the address of a store."""
    try:
        expand(text, os.environ)
    except BadUrlError as error:
        _refuse(error.code, error.fact, error.hint)
    return text


ModeField = Annotated[
    Mode,
    Field(
        title="Whether limits are kept",
        description="enforce: tasks start at the declared rate. shadow: what would have had to wait, and how long, is "
        "counted, and nothing waits. off: no limit. Of the file's, a limit's and a task's the weakest holds.",
    ),
]
StrategyField = Annotated[
    Strategy,
    Field(
        title="How starts are counted",
        description="static: in each worker, without a store. token_bucket: one bucket across all workers. "
        "per_user: one bucket for each value of an argument (key), across all workers.",
    ),
]
RateField = Annotated[
    str,
    Field(
        title="How fast tasks may start",
        description='A number, a slash, and s, m, h or d: "25/s", "0.5/s"; "10/15m" is 10 every 15 minutes. '
        'From "1/366d" to "100000/s".',
        pattern=RATE_PATTERN,
    ),
    AfterValidator(_rate),
]
BurstField = Annotated[
    int,
    Field(
        title="Tokens the bucket holds",
        description="How many tasks may start at once after a quiet time.",
        ge=1,
        le=1_000_000,
    ),
]
KeyField = Annotated[
    str,
    Field(
        title="The argument that names the user",
        description='An argument of the task, or a dotted path into it: "user_id", "customer.tenant". '
        "Required for per_user, and only for it.",
        pattern=KEY_PATTERN,
    ),
    AfterValidator(_key),
]
OnLimitField = Annotated[
    OnLimit,
    Field(
        title="When a task can't start in time",
        description="wait: it waits until it may. drop: it is revoked. fail: it fails with RateLimitExceeded. drop and "
        "fail hold at once, or after max_wait. Of a task's several limits fail wins over drop over wait; in a task it "
        "holds in place of on_limit and max_wait of its limits.",
    ),
]
MaxWaitField = Annotated[
    str,
    Field(
        title="How long a task may wait",
        description='A duration from "10ms" to "366d", since the task first came to a worker: one that would have to '
        'wait longer is dropped or fails, as on_limit says. Default: "drop" and "fail" wait for nothing. Of several '
        "limits the shortest holds; in a task it holds in place of its limits'.",
        pattern=DURATION_PATTERN,
    ),
    AfterValidator(_duration("max_wait")),
]
OnErrorField = Annotated[
    OnError,
    Field(
        title="When the store can't be asked",
        description="allow: tasks start without a limit. hold: they wait until the store is back. divide: each worker "
        "keeps to the rate divided by the number of workers seen last. A task's wins over its limits', a limit's over "
        "the store's.",
    ),
]
PrefixField = Annotated[
    str,
    Field(
        title="What the store's keys begin with",
        description="1 to 64 of a-z A-Z 0-9 _ - .",
        pattern=PREFIX_PATTERN,
    ),
]
TimeoutField = Annotated[
    str,
    Field(
        title="How long to wait for the store",
        description='A duration from "10ms" to "10s".',
        pattern=DURATION_PATTERN,
    ),
    AfterValidator(_duration("timeout")),
]
HoldField = Annotated[
    str,
    Field(
        title="How far ahead a worker holds tasks",
        description='A duration from "100ms" to "60s": of each bucket, a worker holds what starts within it.',
        pattern=DURATION_PATTERN,
    ),
    AfterValidator(_duration("hold")),
]
MostHeldField = Annotated[int, Field(ge=1, le=100_000)]
HostField = Annotated[
    str,
    Field(
        title="Where to listen",
        description="A name or an address of this host. 127.0.0.1 is for this host alone, 0.0.0.0 for all.",
        pattern=HOST_PATTERN,
    ),
]
PortField = Annotated[
    Annotated[int, Field(ge=1, le=LAST)] | Annotated[str, Field(pattern=PORTS_PATTERN)],
    AfterValidator(_port),
    WithJsonSchema(
        {
            "title": "The port of a worker's metrics",
            "description": 'A number from 1 to 65535, or for several workers on a host a range: "9545-9554". '
            "LIMITKIT_METRICS_PORT wins over it.",
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": LAST,
            "pattern": PORTS_PATTERN,
        }
    ),
]
LikenessField = Annotated[
    str,
    Field(
        title="What an exception looks like",
        description="Its class as one would write it in except, with the status of its response if need be, or a "
        'pattern on its text: "stripe.error.RateLimitError", "requests.HTTPError:429", "re:THROTTLED".',
    ),
    AfterValidator(_likeness),
]
ActionField = Annotated[
    Action,
    Field(
        title="What follows",
        description="slow: the rate is cut, and comes back by itself; before that nothing starts for as long as the "
        "other side says. pause: nothing starts for as long as it says, else for a second, and twice as long each time "
        "in a row.",
    ),
]
FactorField = Annotated[
    float,
    Field(
        title="What a cut leaves of the rate",
        description="More than 0 and less than 1. A second cut in a row counts double, a third four times.",
    ),
    AfterValidator(_factor),
]

StepField = Annotated[
    str,
    Field(
        title="How fast the rate comes back",
        description='A rate that is gained in each second, e.g. "0.5/s", until the one that was refused is nearly '
        "reached; beyond it grows faster and faster. Default: that takes 15 s, or 100 starts.",
        pattern=RATE_PATTERN,
    ),
    AfterValidator(_rate),
]
FloorField = Annotated[
    str,
    Field(
        title="How slow it may become",
        description="A rate. Default: a hundredth of the limit's.",
        pattern=RATE_PATTERN,
    ),
    AfterValidator(_rate),
]
CeilingField = Annotated[
    str,
    Field(
        title="How far it comes back",
        description="A rate, at most the limit's. Default: the limit's.",
        pattern=RATE_PATTERN,
    ),
    AfterValidator(_rate),
]
