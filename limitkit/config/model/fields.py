"""The values in ratelimits.toml: their types and bounds, the texts that editors show, and what they mean."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

from pydantic import Field, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator
from pydantic_core import PydanticCustomError

from limitkit.config.model.ports import HOST_PATTERN, LAST, PORTS_PATTERN
from limitkit.config.model.store_url import BadUrlError, expand, options
from limitkit.config.model.units import DURATION_PATTERN
from limitkit.config.model.value_errors import duration_fault, port_fault, rate_fault

if TYPE_CHECKING:
    from collections.abc import Callable

Strategy = Literal["static", "token_bucket", "per_user", "window", "concurrency"]
Mode = Literal["enforce", "shadow", "off"]
OnError = Literal["allow", "hold", "divide"]
OnLimit = Literal["wait", "drop", "fail"]

PREFIX_PATTERN: Final = r"^[a-zA-Z0-9_.-]{1,64}$"
DEFAULT_TIMEOUT: Final = "250ms"
DEFAULT_HOLD: Final = "2s"
DEFAULT_HOST: Final = "127.0.0.1"


def refuse(code: str, fact: str, hint: str) -> NoReturn:
    """Raise pydantic's error for a value with a wrong meaning."""
    raise PydanticCustomError("meaning", "{fact}; {hint}", {"code": code, "fact": fact, "hint": hint})


def whole(value: object) -> object:
    """Reject 1.0 and true, which a Literal takes for 1 and the schema does not."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole", "not a whole number")
    return value


def meaning(code: str, fault: Callable[[Any], tuple[str, str] | None]) -> WrapValidator:
    """Reject values of the right shape in which ``fault`` finds an error.

    It checks the value of the file itself: pydantic turns values from the environment into plain texts and numbers,
    and those must not be shown.
    """

    def judge(value: object, shape: ValidatorFunctionWrapHandler) -> object:
        plain: object = shape(value)
        if found := fault(value):
            refuse(code, *found)
        return plain

    return WrapValidator(judge)


def duration_meaning(key: str) -> WrapValidator:
    """Reject a text that is no duration, or is out of the range of this key."""
    return meaning("LK016", functools.partial(duration_fault, key))


RATE_MEANING: Final = meaning("LK012", rate_fault)


def url_meaning(text: str) -> str:
    """Reject a text that is no address of a store, or has an option that redis-py can't use."""
    try:
        url = expand(text, os.environ)
    except BadUrlError as error:
        refuse(error.code, error.fact, error.hint)
    if not url.startswith("memory:") and options(url):
        # Only redis-py knows its options; it is imported only for an address that has some.
        from limitkit.config.model.store_options import option_fault  # noqa: PLC0415

        if fault := option_fault(url):
            refuse("LK054", *fault)
    return text


def files_meaning(url: str) -> list[tuple[str, str]]:
    """Say what is wrong with the files that a store's address names, as facts and hints."""
    if "ssl_" not in url:
        return []
    from limitkit.config.model.store_options import file_faults  # noqa: PLC0415 (as above)

    return list(file_faults(expand(url, os.environ)))


ModeField = Annotated[
    Mode,
    Field(
        title="Whether limits are kept",
        description="enforce: tasks start at the declared rate. shadow: what would have had to wait, and how long, is "
        "counted, and nothing waits. off: no limit. Of the file's, a limit's and a task's the weakest holds.",
    ),
]
SeverityField = Annotated[
    Literal["error", "warning", "off"],
    Field(
        title="How serious a warning is taken",
        description="error: limitkit validate exits with 1 for it. warning: with 1 under --strict alone. off: it is "
        "not reported. A problem with which no worker starts stays an error.",
    ),
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
    duration_meaning("max_wait"),
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
    duration_meaning("timeout"),
]
HoldField = Annotated[
    str,
    Field(
        title="How far ahead a worker holds tasks",
        description='A duration from "100ms" to "60s": of each bucket, a worker holds what starts within it.',
        pattern=DURATION_PATTERN,
    ),
    duration_meaning("hold"),
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
    meaning("LK038", port_fault),
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
