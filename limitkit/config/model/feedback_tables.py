"""The tables of a limit's feedback."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from limitkit.config.model.feedback_fields import (
    DEFAULT_MAX_PAUSE,
    ActionField,
    CeilingField,
    ExceptionPatternField,
    FactorField,
    FloorField,
    MaxPauseField,
    ResendField,
    StepField,
    not_empty,
)
from limitkit.config.model.table import Table


class RecoverTable(Table, title="Recovery"):
    """How the rate of a limit backs off, and comes back."""

    factor: FactorField = 0.9
    step: StepField | None = None
    floor: FloorField | None = None
    ceiling: CeilingField | None = None


class FeedbackTable(Table, title="Feedback"):
    """What the other side's "slow down" looks like, and what follows for the whole limit or partition."""

    on: Annotated[
        tuple[ExceptionPatternField, ...],
        Strict(strict=False),
        Field(title="What it looks like", description="One or more exceptions; also those behind a retry, or a cause."),
        AfterValidator(not_empty),
    ]
    action: ActionField = "slow"
    recover: Annotated[RecoverTable, Field(title="How it recovers", default_factory=RecoverTable)]
    unless: Annotated[
        tuple[ExceptionPatternField, ...],
        Strict(strict=False),
        Field(
            title="What it is not",
            description="As on: exceptions that look like it, but don't get better by waiting. They go on as without "
            "limitkit.",
        ),
    ] = ()
    resend: ResendField = True
    max_pause: MaxPauseField = DEFAULT_MAX_PAUSE


FeedbackField = Annotated[
    FeedbackTable,
    Field(
        title="When the other side refuses",
        description="What shows that tasks are too fast for the service they call, and how the limit backs off on all "
        "workers. Not for static limits.",
    ),
]
