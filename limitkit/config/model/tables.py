"""What ratelimits.toml may contain and what it means: one frozen model for each table.

The models' types and bounds are its shape, from which ``config.checks.json_schema`` makes the JSON Schema; their
validators check the meaning. A validator's error is of type ``meaning`` and carries code, fact and hint.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from limitkit.config.model.fields import (
    DEFAULT_HOLD,
    DEFAULT_HOST,
    DEFAULT_TIMEOUT,
    HoldField,
    HostField,
    ModeField,
    MostHeldField,
    OnErrorField,
    PortField,
    PrefixField,
    SeverityField,
    TimeoutField,
    url_meaning,
    whole,
)
from limitkit.config.model.limit_tables import LimitTable, QueueTable, TaskTable
from limitkit.config.model.table import Table


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


class RateLimits(Table):
    """The whole of ratelimits.toml."""

    version: Annotated[
        Literal[1],
        BeforeValidator(whole),
        Field(title="Version of this file's grammar", description="Always 1."),
    ]
    extends: Annotated[
        str | None,
        Field(
            title="The file whose keys are the base",
            description="A path, relative to this file. Its tables and this file's are merged key by key; what this "
            "file says wins, and arrays are replaced as a whole. That file may extend another.",
        ),
    ] = None
    mode: ModeField = "enforce"
    lint: Annotated[
        dict[str, SeverityField],
        Field(
            title="How serious warnings are taken",
            description='By code: LK030 = "error", "warning" or "off". What a comment # limitkit: ignore[LK030] on a '
            "line names is not reported there.",
            default_factory=dict,
        ),
    ]
    store: Annotated[StoreTable, Field(title="The store", default_factory=StoreTable)]
    waiting: Annotated[WaitingTable, Field(title="What a worker holds", default_factory=WaitingTable)]
    metrics: Annotated[MetricsTable, Field(title="What each worker shows", default_factory=MetricsTable)]
    limits: Annotated[
        dict[str, LimitTable],
        Field(
            title="Named limits",
            description="One bucket for all the tasks that name the limit.",
            default_factory=dict,
        ),
    ]
    tasks: Annotated[
        dict[str, TaskTable],
        Field(
            title="Tasks",
            description="By name, or by a pattern in which * stands for any characters; an exact name replaces "
            "a pattern, with all its keys.",
            default_factory=dict,
        ),
    ]
    queues: Annotated[
        dict[str, QueueTable],
        Field(
            title="Queues",
            description="By name, or by a pattern as for tasks: limits of all tasks that come from the queue, beside "
            "their own. Never of Celery's own tasks.",
            default_factory=dict,
        ),
    ]


def errors(data: object) -> tuple[RateLimits | None, list[dict[str, Any]]]:
    """Check plain data: returns the model, or None and all of pydantic's errors."""
    try:
        return RateLimits.model_validate(data), []
    except ValidationError as error:
        return None, [dict(each) for each in error.errors(include_url=False, include_input=False)]
