"""What may pass the limits by: Strategies, pools and tracers that are not Celery's own."""

from __future__ import annotations

from typing import Any

from celery.utils.imports import symbol_by_name


def strategy_of(task: Any) -> str | None:
    """Name the Strategy of a task that is none of Celery's."""
    strategy = symbol_by_name(task.Strategy)
    module = getattr(strategy, "__module__", "") or ""
    return None if _is_celerys(module) else f"{module}.{getattr(strategy, '__qualname__', strategy)}"


def _is_celerys(module: str) -> bool:
    return module == "celery" or module.startswith("celery.")
