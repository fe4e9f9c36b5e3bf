"""The tables inside a limit or a task: partitions, schedules, costs, and the limits that a task names."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from limitkit.config.model.cost_errors import cost_fault, cost_number_fault
from limitkit.config.model.fields import meaning
from limitkit.config.model.limit_fields import (
    KEY_PATTERN,
    BurstField,
    DaysField,
    DefaultCostField,
    KeyField,
    MaxRunningField,
    PlusField,
    RateField,
    SettleField,
    TimeFromField,
    TimesField,
    TimeToField,
    ZoneField,
)
from limitkit.config.model.table import Table


class PartitionTable(Table, title="Partition"):
    """What holds for one partition in place of the limit's own."""

    rate: RateField | None = None
    burst: BurstField | None = None
    max_running: MaxRunningField | None = None


class ScheduleTable(Table, title="Schedule"):
    """What holds from a time of the day to another, in place of the limit's own; the first that fits."""

    from_: Annotated[TimeFromField, Field(alias="from")] = "00:00"
    to: TimeToField = "24:00"
    days: DaysField | None = None
    timezone: ZoneField = "UTC"
    rate: RateField | None = None
    burst: BurstField | None = None
    max_running: MaxRunningField | None = None


CostOfField = Annotated[
    str,
    Field(
        title="What it is read from",
        description='An argument, or a dotted path into it, e.g. "max_tokens"; a last step "length" is how many '
        'there are, or of a text its characters: "emails.length". "headers:NAME" is a header of the message.',
    ),
    meaning("LK068", cost_fault),
]


class CostTable(Table, title="Cost"):
    """What one start takes: a whole number, what it is read from, or that times and plus something."""

    of: CostOfField | None = None
    times: TimesField = 1.0
    plus: PlusField = 0.0
    default: DefaultCostField = 1

    @model_validator(mode="before")
    @classmethod
    def _read_short_forms(cls, said: Any) -> Any:
        """Read a number as the cost itself, and a text as what it is read from."""
        if isinstance(said, int):
            if isinstance(said, bool) or cost_number_fault(said):
                raise PydanticCustomError("cost", "not a cost, or out of range")
            return {"default": said}
        if isinstance(said, str) and not re.fullmatch(KEY_PATTERN, said):  # the schema says so
            raise PydanticCustomError("cost", "not a path")
        if isinstance(said, dict) and "of" not in said:
            raise PydanticCustomError("cost", "of is missing")
        return {"of": said} if isinstance(said, str) else said


CostField = Annotated[
    CostTable,
    Field(
        title="How many tokens a start takes",
        description='A whole number from 1 to the burst; what it is read from: "max_tokens", "emails.length"; or '
        '{ of = "prompt.length", times = 0.25, plus = 500, default = 1000 }. Default: 1.',
    ),
]


class EntryTable(Table, title="A limit that a task names"):
    """The name of a limit, or a table with its name and what is different for this task."""

    limit: Annotated[str, Field(title="The limit's name", description="As in [limits.NAME].")]
    key: KeyField | None = None
    cost: CostField | None = None
    settle: SettleField | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_name(cls, said: Any) -> Any:
        return {"limit": said} if isinstance(said, str) else said
