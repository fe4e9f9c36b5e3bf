"""Marks the tasks that have a guard around their own code: it may stop a start in the pool."""

from __future__ import annotations

from typing import Any, Final

GUARDED: Final = "_limitkit_guarded"
"""The attribute that marks them."""


def mark_guarded(task: Any) -> None:
    """Note that a task has a guard."""
    setattr(task, GUARDED, True)


def is_guarded(task: Any) -> bool:
    """Whether a task has a guard around its own code; also when its limits were removed later."""
    return GUARDED in vars(task)
