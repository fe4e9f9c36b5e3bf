"""The tables that declare limits: ``[limits.NAME]``, ``[tasks."NAME"]`` and ``[queues."NAME"]``."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, Strict, model_validator

from limitkit.config.model.cross_checks import cross_checked_limit, cross_checked_task
from limitkit.config.model.feedback_tables import FeedbackField
from limitkit.config.model.fields import MaxWaitField, ModeField, OnErrorField, OnLimitField
from limitkit.config.model.limit_fields import (
    BurstField,
    FairByField,
    KeyField,
    LeaseField,
    MaxRunningField,
    RateField,
    ResetsField,
    ScopeField,
    SettleField,
    ShowKeyField,
    StrategyField,
    WeightField,
)
from limitkit.config.model.share_tables import CostField, EntryTable, PartitionTable, ScheduleTable
from limitkit.config.model.table import Table, raise_first

MOST_LIMITS: Final = 8

NamedLimitsField = Annotated[
    tuple[EntryTable, ...],
    Strict(strict=False),
    Field(
        title="Named limits",
        description="Up to 8 limits that hold together, each by its name or as { limit, key, cost, settle }; [] for "
        "no limit at all.",
        max_length=MOST_LIMITS,
    ),
]


class _Terms(Table):
    """What a limit may have beside its strategy, whether it is named or a task's own."""

    strategy: StrategyField | None = None
    rate: RateField | None = None
    burst: BurstField = 1
    key: KeyField | None = None
    resets: ResetsField | None = None
    max_running: MaxRunningField | None = None
    lease: LeaseField | None = None
    scope: ScopeField = "all"
    partitions: Annotated[
        dict[str, PartitionTable],
        Field(
            title="Partitions with terms of their own",
            description='By the value of the key: { rate, burst } or { max_running }. "42" is also the number 42.',
            default_factory=dict,
        ),
    ]
    show_key: ShowKeyField = False
    fair_by: FairByField | None = None
    weights: Annotated[
        dict[str, WeightField],
        Field(
            title="Weights of those that take turns",
            description="By the value of fair_by: a number above 0; all others have 1.",
            default_factory=dict,
        ),
    ]
    schedule: Annotated[
        tuple[ScheduleTable, ...],
        Strict(strict=False),
        Field(
            title="Terms by the time of the day",
            description="Tables of from, to, days, timezone, and rate, burst or max_running: the first that fits holds "
            "in place of the limit's own.",
        ),
    ] = ()
    on_limit: OnLimitField | None = None
    max_wait: MaxWaitField | None = None
    on_error: OnErrorField | None = None
    feedback: FeedbackField | None = None
    mode: ModeField = "enforce"

    def said(self) -> dict[str, Any]:
        """Return the keys that the file has, and their values."""
        return {key: getattr(self, key) for key in self.model_fields_set}


class LimitTable(_Terms, title="Named limit"):
    """A named limit: one bucket for all the tasks that name it."""

    strategy: StrategyField
    on_limit: OnLimitField = "wait"

    @model_validator(mode="after")
    def _check_keys(self) -> LimitTable:
        raise_first(cross_checked_limit(self.said()))
        return self


class TaskTable(_Terms, title="Task"):
    """The limits of a task, or of each task that a pattern matches: one of its own, or named ones."""

    limits: NamedLimitsField | None = None
    cost: CostField | None = None
    settle: SettleField | None = None

    @model_validator(mode="after")
    def _check_keys(self) -> TaskTable:
        raise_first(cross_checked_task(self.said()))
        return self


class QueueTable(Table, title="Queue"):
    """Limits of all tasks that come from a queue, or from each queue that a pattern matches, beside their own."""

    limits: NamedLimitsField
    mode: ModeField = "enforce"
