"""Lets Celery's autoscaler see what is held: it counts reserved requests, and those that are held are not reserved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.worker import state

if TYPE_CHECKING:
    from collections.abc import Iterable


def scale(worker: Any, heads: Iterable[Any]) -> bool:
    """Count these requests, whose tokens have come, beside the reserved ones; says if there are more processes now."""
    scaler = getattr(worker, "autoscaler", None)
    if scaler is None:
        return False
    heads = list(heads)
    before = scaler.processes
    state.reserved_requests.update(heads)
    try:
        scaler.maybe_scale()
    finally:
        state.reserved_requests.difference_update(heads)
    return bool(scaler.processes > before)
