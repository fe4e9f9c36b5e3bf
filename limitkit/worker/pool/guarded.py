"""Which tasks have a guard around their own code, which may stop a start in the pool."""

from __future__ import annotations

from typing import Any, Final

GUARDED: Final = "_limitkit_guarded"
"""The attribute that marks them."""


def mark_guarded(task: Any) -> None:
    """Note that a task has a guard."""
    setattr(task, GUARDED, True)


def is_guarded(task: Any) -> bool:
    """Whether a task has a guard around its own code, or has had one before its limits were taken away."""
    return GUARDED in vars(task)
