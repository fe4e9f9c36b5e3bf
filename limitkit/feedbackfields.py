"""The values that a limit's feedback may hold: as ``limitkit.fields`` has them for the rest of ratelimits.toml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from limitkit.fields import rate_meaning, refuse
from limitkit.scalar import factor_fault, likeness_fault
from limitkit.units import RATE_PATTERN

Action = Literal["slow", "pause"]


def _likeness(text: str) -> str:
    if fault := likeness_fault(text):
        refuse("LK031", *fault)
    return text


def some_likeness(items: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list that nothing is like."""
    if not items:
        fact = "nothing is named here, so nothing would ever follow"
        refuse("LK031", fact, 'write e.g. on = ["requests.HTTPError:429"]')
    return items


def _factor(number: float) -> float:
    if fault := factor_fault(number):
        refuse("LK033", *fault)
    return number


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
    AfterValidator(rate_meaning),
]
FloorField = Annotated[
    str,
    Field(
        title="How slow it may become",
        description="A rate. Default: a hundredth of the limit's.",
        pattern=RATE_PATTERN,
    ),
    AfterValidator(rate_meaning),
]
CeilingField = Annotated[
    str,
    Field(
        title="How far it comes back",
        description="A rate, at most the limit's. Default: the limit's.",
        pattern=RATE_PATTERN,
    ),
    AfterValidator(rate_meaning),
]
