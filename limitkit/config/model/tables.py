"""What ratelimits.toml may contain and what it means: one frozen model for each table.

The models' types and bounds are its shape, from which ``config.checks.json_schema`` makes the JSON Schema; their
validators check the meaning. A validator's error is of type ``meaning`` and carries code, fact and hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from limitkit.config.model.cross_checks import Fault, cross_checked_limit, cross_checked_task
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
from limitkit.config.model.fields import (
    DEFAULT_HOLD,
    DEFAULT_HOST,
    DEFAULT_TIMEOUT,
    BurstField,
    HoldField,
    HostField,
    KeyField,
    MaxWaitField,
    ModeField,
    MostHeldField,
    OnErrorField,
    OnLimitField,
    PortField,
    PrefixField,
    RateField,
    StrategyField,
    TimeoutField,
    url_meaning,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def _raise_first(faults: Iterable[Fault]) -> None:
    for fault in faults:
        raise PydanticCustomError("cross_check", "{fact}; {hint}", {"fact": fault.fact, "hint": fault.hint})


class Table(BaseModel):
    """The base of all tables: no undeclared key, no value of another type, no changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StoreTable(Table, title="Store"):
    """Where the buckets of ``token_bucket`` and ``per_user`` limits are kept."""

    url: Annotated[
        str | None,
        Field(
            title="The store's address",
            description="memory:// (one process), redis://, rediss://, unix://, sentinel:// or redis+cluster://; "
            "${NAME} and ${NAME:-default} are expanded. Default: the app's Redis broker, else its Redis result "
            "backend.",
        ),
        AfterValidator(lambda text: None if text is None else url_meaning(text)),
    ] = None
    prefix: PrefixField = "limitkit"
    timeout: TimeoutField = DEFAULT_TIMEOUT
    on_error: OnErrorField = "allow"


class WaitingTable(Table, title="Waiting"):
    """How many waiting tasks one worker holds by itself; the others wait in the broker."""

    hold: HoldField = DEFAULT_HOLD
    per_limit: Annotated[
        MostHeldField | None,
        Field(
            title="Most tasks held for one bucket",
            description="Tasks, a whole number from 1 to 100000: the most that one worker holds for one bucket. "
            "Default: as many as start within hold.",
        ),
    ] = None
    per_worker: Annotated[
        MostHeldField | None,
        Field(
            title="Most tasks held in one worker",
            description="Tasks, a whole number from 1 to 100000: the most that one worker holds in all. "
            "Default: 4 x its prefetch count + what starts within hold, and never above 1000.",
        ),
    ] = None
    rescue: Annotated[
        bool,
        Field(
            title="Whether what a killed worker held comes back by itself",
            description="true or false. Over a Redis broker, another worker returns it to its queues within 20 s; "
            "else the broker's visibility timeout does.",
        ),
    ] = True


class MetricsTable(Table, title="Metrics"):
    """With this table each worker has metrics; with a port in it, it also serves them."""

    host: HostField = DEFAULT_HOST
    port: PortField | None = None


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


class LimitTable(Table, title="Named limit"):
    """A named limit: one bucket for all the tasks that name it."""

    strategy: StrategyField
    rate: RateField
    burst: BurstField = 1
    key: KeyField | None = None
    on_limit: OnLimitField = "wait"
    max_wait: MaxWaitField | None = None
    on_error: OnErrorField | None = None
    feedback: FeedbackField | None = None
    mode: ModeField = "enforce"

    @model_validator(mode="after")
    def _check_keys(self) -> LimitTable:
        _raise_first(cross_checked_limit(self.model_dump(exclude_unset=True)))
        return self


class TaskTable(Table, title="Task"):
    """The limits of a task, or of each task that a pattern matches: one of its own, or named ones."""

    strategy: StrategyField | None = None
    rate: RateField | None = None
    burst: BurstField = 1
    key: KeyField | None = None
    limits: Annotated[
        tuple[str, ...] | None,
        Strict(strict=False),
        Field(
            title="Named limits",
            description="Up to 8 names of limits that hold together; [] for no limit at all.",
            max_length=8,
        ),
    ] = None
    on_limit: OnLimitField | None = None
    max_wait: MaxWaitField | None = None
    on_error: OnErrorField | None = None
    feedback: FeedbackField | None = None
    mode: ModeField = "enforce"

    @model_validator(mode="after")
    def _check_keys(self) -> TaskTable:
        _raise_first(cross_checked_task(self.model_dump(exclude_unset=True)))
        return self


class RateLimits(Table):
    """The whole of ratelimits.toml."""

    version: Annotated[
        Literal[1],
        BeforeValidator(whole),
        Field(title="Version of this file's grammar", description="Always 1."),
    ]
    mode: ModeField = "enforce"
    store: Annotated[StoreTable, Field(title="The store", default_factory=StoreTable)]
    waiting: Annotated[WaitingTable, Field(title="What a worker holds", default_factory=WaitingTable)]
    metrics: Annotated[MetricsTable, Field(title="What each worker shows", default_factory=MetricsTable)]
    limits: Annotated[
        dict[str, LimitTable],
        Field(title="Named limits", description="One bucket for all the tasks that name the limit."),
    ] = {}
    tasks: Annotated[
        dict[str, TaskTable],
        Field(
            title="Tasks",
            description="By name, or by a pattern in which * stands for any characters; an exact name replaces "
            "a pattern, with all its keys.",
        ),
    ] = {}


def errors(data: object) -> tuple[RateLimits | None, list[dict[str, Any]]]:
    """Check plain data: returns the model, or None and all of pydantic's errors."""
    try:
        return RateLimits.model_validate(data), []
    except ValidationError as error:
        return None, [dict(each) for each in error.errors(include_url=False, include_input=False)]
