"""What a test file and a scenario file may contain: one frozen model for each table.

Which of their keys exclude each other, and what must exist elsewhere, ``cross_checks`` judges.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from limitkit.config.model.table import Table
from limitkit.config.test_file.fields import (
    MOST_MESSAGES,
    NAME,
    SOME_TIME,
    SPAN,
    WITH_OFFSET,
    NameField,
    TaskSecondsField,
    spans,
)

DEFAULT_BEGIN: Final = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
"""A Monday."""
_Model = TypeVar("_Model", bound=Table)
_WHOSE: Final = "The name of a limit, of a task that has one limit, or a pattern of the config."


class SendTable(Table, title="Messages that are sent"):
    """Messages of one task, all at once or one after the other."""

    task: Annotated[str, Field(title="The task's name", description="As in the config and the app."), NAME]
    count: Annotated[
        int, Field(title="How many", description="A whole number from 1 to 10000000.", ge=1, le=MOST_MESSAGES)
    ] = 1
    every: Annotated[str, spans("How long between two", "Without it, all are sent at once."), SPAN] = "0s"
    at: Annotated[str, spans("When the first is sent", "From the beginning of the test."), SPAN] = "0s"
    args: Annotated[
        list[Any],
        Field(
            title="Positional arguments",
            description='"{n}" in a text is the number of the message, from 0.',
            default_factory=list,
        ),
    ]
    kwargs: Annotated[
        dict[str, Any],
        Field(title="Keyword arguments", description='As args: "{n}" is replaced.', default_factory=dict),
    ]
    queue: Annotated[
        str, Field(title="The queue", description="From which a worker takes them, all of them from every queue."), NAME
    ] = "celery"
    headers: Annotated[
        dict[str, Any],
        Field(title="Headers of the messages", description='As args: "{n}" is replaced.', default_factory=dict),
    ]
    priority: Annotated[
        int, Field(title="The messages' priority", description="A whole number from 0 to 9.", ge=0, le=9)
    ] = 0


class OverrideTable(Table, title="What is set at run time"):
    """What ``limitkit set`` sets."""

    limit: Annotated[NameField | None, Field(title="The limit", description=_WHOSE)] = None
    task: Annotated[NameField | None, Field(title="The task", description="Whose own limit is meant.")] = None
    rate: Annotated[str | None, Field(title="The rate", description='As in the config: "5/s".')] = None
    burst: Annotated[
        int | None, Field(title="The burst", description="Without it, the declared one stays.", ge=1, le=1_000_000)
    ] = None
    max_running: Annotated[
        int | None, Field(title="How many may run", description="In place of a rate.", ge=1, le=100_000)
    ] = None
    partition: Annotated[
        Any, Field(title="One partition", description="A value of the limit's key: it holds for that one alone.")
    ] = None
    for_: Annotated[
        Annotated[str, SOME_TIME] | None,
        Field(alias="for"),
        spans("How long it holds", "Without it, to the end.", "1ms"),
    ] = None


class FaultTable(Table, title="What goes wrong, or is changed"):
    """One thing that happens during a test."""

    at: Annotated[str, spans("When", "From the beginning of the test."), SPAN]
    kill: Annotated[NameField | None, Field(title="A worker is killed", description='"worker-1" is the first.')] = None
    stop: Annotated[
        NameField | None, Field(title="A worker is stopped", description="It ends what runs, and gives back the rest.")
    ] = None
    disconnect: Annotated[
        NameField | None, Field(title="A worker loses its broker", description="And connects again.")
    ] = None
    store: Annotated[
        Literal["away"] | None, Field(title="The store can't be asked", description='"away", with "for".')
    ] = None
    override: Annotated[OverrideTable | None, Field(title="A rate is set", description="As limitkit set does.")] = None
    pause: Annotated[NameField | None, Field(title="A limit is paused", description=_WHOSE)] = None
    resume: Annotated[NameField | None, Field(title="A pause ends", description=_WHOSE)] = None
    for_: Annotated[
        Annotated[str, SOME_TIME] | None,
        Field(alias="for"),
        spans("For how long", 'Of store = "away", and of a pause.', "1ms"),
    ] = None


class MostTable(Table, title="The most starts in any window"):
    """An upper bound."""

    starts: Annotated[
        int, Field(title="How many", description="A whole number from 0 to 10000000.", ge=0, le=MOST_MESSAGES)
    ]
    in_: Annotated[str, Field(alias="in"), spans("In which time", "In any stretch of it.", "1ms"), SOME_TIME]


class LeastTable(Table, title="The least starts in any window in which something waits"):
    """A lower bound."""

    starts: Annotated[
        int, Field(title="How many", description="A whole number from 1 to 10000000.", ge=1, le=MOST_MESSAGES)
    ]
    in_: Annotated[
        str,
        Field(alias="in"),
        spans("In which time", "In any stretch of it in which something waits.", "1ms"),
        SOME_TIME,
    ]


class ExpectTable(Table, title="What must hold"):
    """What is expected of the starts of a task, or of all tasks under a limit."""

    task: Annotated[NameField | None, Field(title="The task", description="A name, or a pattern with *.")] = None
    limit: Annotated[NameField | None, Field(title="The limit", description="A limit's name in the config.")] = None
    started_within: Annotated[
        Annotated[str, SPAN] | None, spans("How long each may wait", "From its sending to its start.")
    ] = None
    most: Annotated[MostTable | None, Field(title="The most starts", description="In any window.")] = None
    least: Annotated[
        LeastTable | None, Field(title="The least starts", description="In any window in which something waits.")
    ] = None
    lost: Annotated[
        int | None,
        Field(title="How many may be lost", description="At most; mostly 0.", ge=0, le=MOST_MESSAGES),
    ] = None
    drained_by: Annotated[
        Annotated[str, SPAN] | None, spans("When all have started", "From the beginning of the test.")
    ] = None


class ScenarioTable(Table, title="Scenario"):
    """What is played, by which workers."""

    workers: Annotated[int, Field(title="Workers", description="A whole number from 1 to 1000.", ge=1, le=1000)] = 1
    processes: Annotated[
        int, Field(title="Pool processes of each worker", description="A whole number from 1 to 1000.", ge=1, le=1000)
    ] = 4
    prefetch_multiplier: Annotated[
        int,
        Field(title="worker_prefetch_multiplier", description="A whole number from 1 to 1000.", ge=1, le=1000),
    ] = 4
    task_seconds: Annotated[
        TaskSecondsField,
        Field(
            title="How long tasks run",
            description='A duration for all, or a table: task or pattern -> duration. Default: "0s".',
            default_factory=dict,
            json_schema_extra={"type": ["string", "object"]},
        ),
    ]
    begins_at: Annotated[
        dt.datetime,
        Field(title="When it begins", description="A date and time with its offset, for schedules and resets."),
        WITH_OFFSET,
    ] = DEFAULT_BEGIN
    until: Annotated[
        Annotated[str, SOME_TIME] | None,
        spans("When it ends at the latest", "Without it, a day after the last message.", "1ms"),
    ] = None
    seed: Annotated[int, Field(title="The seed", description="Of all that is left to chance.", ge=0, le=2**63 - 1)] = 0
    send: Annotated[
        list[SendTable], Field(title="What is sent", description="One table for each kind of message.", min_length=1)
    ]
    fault: Annotated[
        list[FaultTable],
        Field(title="What goes wrong", description="Or is changed meanwhile.", default_factory=list),
    ]


class CaseTable(ScenarioTable, title="Test"):
    """One test: what is played, and what must come of it."""

    name: Annotated[str, Field(title="Its name", description="What it shows; no two tests have the same."), NAME]
    expect: Annotated[list[ExpectTable], Field(title="What must hold", description="All of it.", min_length=1)]


_CONFIG: Final = Field(
    title="The config",
    description="Relative to this file. Default: the nearest ratelimits.toml, here or in a folder above.",
)


class LimitsTests(Table, title="Tests of limits"):
    """The whole of a ``*.limits.toml``."""

    config: Annotated[str | None, _CONFIG] = None
    test: Annotated[list[CaseTable], Field(title="Tests", description="Each is played alone.", min_length=1)]


class ScenarioFile(ScenarioTable, title="A scenario"):
    """The whole of a scenario file: one test without a name and expectations."""

    config: Annotated[str | None, _CONFIG] = None


TABLES: Final[dict[str, type[Table]]] = {
    "test": CaseTable,
    "send": SendTable,
    "fault": FaultTable,
    "expect": ExpectTable,
    "override": OverrideTable,
    "most": MostTable,
    "least": LeastTable,
}
"""By the key under which they stand."""


def errors(model: type[_Model], data: object) -> tuple[_Model | None, list[dict[str, Any]]]:
    """Check plain data: returns the model, or None and all of pydantic's errors."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [dict(each) for each in error.errors(include_url=False)]
