"""The values in a limit's feedback table; ``config.model.fields`` has those of all other tables."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, Strict, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator

from limitkit.config.model.fields import RATE_MEANING, duration_meaning, refuse
from limitkit.config.model.units import DURATION_PATTERN, RATE_PATTERN
from limitkit.config.model.value_errors import exception_pattern_fault, factor_fault

MOST_RESENDS_SAID: Final = 1_000_000
DEFAULT_MAX_PAUSE: Final = "1h"
Action = Literal["slow", "pause"]


def _exception_pattern(text: str) -> str:
    if fault := exception_pattern_fault(text):
        refuse("LK031", *fault)
    return text


def not_empty(items: tuple[str, ...]) -> tuple[str, ...]:
    """Reject an empty list of exceptions."""
    if not items:
        fact = "nothing is named here, so nothing would ever follow"
        refuse("LK031", fact, 'write e.g. on = ["requests.HTTPError:429"]')
    return items


def _factor(value: object, shape: ValidatorFunctionWrapHandler) -> object:
    """Check a number before it is made a float: a whole number may be too large for that."""
    if isinstance(value, int | float) and not isinstance(value, bool) and (fault := factor_fault(value)):
        refuse("LK033", *fault)
    return shape(value)


ExceptionPatternField = Annotated[
    str,
    Field(
        title="What an exception looks like",
        description="Its class as one would write it in except, with the status of its response if need be, or a "
        'pattern on its text, in the syntax of Python\'s re: "stripe.RateLimitError", "requests.HTTPError:429", '
        '"re:THROTTLED". A group (?P<wait>...) or (?P<seconds>...) of a pattern says for how long to wait.',
    ),
    AfterValidator(_exception_pattern),
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
    WrapValidator(_factor),
]
StepField = Annotated[
    str,
    Field(
        title="How fast the rate comes back",
        description='A rate that is gained in each second, e.g. "0.5/s", until the one that was refused is nearly '
        "reached; beyond it grows faster and faster. Default: that takes 15 s, or 100 starts.",
        pattern=RATE_PATTERN,
    ),
    RATE_MEANING,
]
FloorField = Annotated[
    str,
    Field(
        title="How slow it may become",
        description="A rate. Default: a hundredth of the limit's.",
        pattern=RATE_PATTERN,
    ),
    RATE_MEANING,
]
CeilingField = Annotated[
    str,
    Field(
        title="How far it comes back",
        description="A rate, at most the limit's. Default: the limit's.",
        pattern=RATE_PATTERN,
    ),
    RATE_MEANING,
]
ResendField = Annotated[
    Annotated[bool, Strict()] | Annotated[int, Strict(), Field(ge=1, le=MOST_RESENDS_SAID)],
    WithJsonSchema(
        {
            "title": "How often the task waits again",
            "description": "The refused task goes back to wait, and spends no retry: so many times in a row, then its "
            "exception goes on. A whole number from 1 to 1000000; true is 100; false: it goes on at once.",
            "type": ["boolean", "integer"],
            "minimum": 1,
            "maximum": MOST_RESENDS_SAID,
        }
    ),
]
MaxPauseField = Annotated[
    str,
    Field(
        title="The longest pause",
        description='A duration from "10ms" to "31d". A longer pause that the other side asks for is cut to this.',
        pattern=DURATION_PATTERN,
    ),
    duration_meaning("max_pause"),
]
