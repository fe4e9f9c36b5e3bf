"""Warnings about messages that do not say what the file reads from them: each once a task, or the log would fill."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from limitkit.buckets.partition import Partition
    from limitkit.config.declared import Limit

logger = logging.getLogger("limitkit")

_SHARED: Final = {"key": "share one bucket", "fair_by": "take turns as one"}


class MessageWarnings:
    """Logs what is wrong with the messages of tasks."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def partition(self, found: Partition, task: str, limit: Limit, setting: Literal["key", "fair_by"]) -> None:
        """Log that a message lacks a part of its key, or that its value can't be told from others."""
        if found.absent and self._is_new(task, f"absent {setting}"):
            remedy = "send the argument, or give it a default"
            if all(name.startswith("headers:") for name in found.absent):
                remedy = "send the header"
            logger.warning(
                "%s was sent without %s, %s of limit %s; such messages %s; %s",
                task,
                " and ".join(found.absent),
                f"the {setting}" if found.missing else f"a part of the {setting}",
                limit.name,
                _SHARED[setting] if found.missing else f"{_SHARED[setting]} if the rest is equal",
                remedy,
            )
        if found.vague and self._is_new(task, f"vague {setting}"):
            logger.warning(
                "The %s %s of limit %s has %s in a message of %s; those that differ in that alone %s; "
                "send an id or a text instead.",
                setting,
                limit.key if setting == "key" else limit.fair_by,
                limit.name,
                found.vague,
                task,
                _SHARED[setting],
            )

    def cost(self, fault: str, tokens: int, task: str, limit: Limit) -> None:
        """Log that the cost in a message can't be used, and what is taken instead."""
        if self._is_new(task, "cost"):
            logger.warning(
                "The cost of limit %s, %s, %s in a message of %s; such a start takes %d; "
                "send a number from 1 on, or set the default of the cost.",
                limit.name,
                limit.cost.of,
                fault,
                task,
                tokens,
            )

    def unsettled(self, task: str, limit: Limit) -> None:
        """Log that what a task returned does not say the true cost."""
        if self._is_new(task, "settle"):
            logger.warning(
                "What %s returned has no number from 0 on at %s, the settle of limit %s; such a start keeps its "
                "estimate; return the true cost there.",
                task,
                ".".join(limit.settle or ()),
                limit.name,
            )

    def _is_new(self, task: str, about: str) -> bool:
        new = (about, task) not in self._logged
        self._logged.add((about, task))
        return new
