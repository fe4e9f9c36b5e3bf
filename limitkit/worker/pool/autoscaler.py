"""Has Celery's autoscaler count held requests: it counts reserved ones, and held requests are not reserved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.worker import state

if TYPE_CHECKING:
    from collections.abc import Iterable


def scale(worker: Any, heads: Iterable[Any]) -> bool:
    """Let the autoscaler count these requests, whose tokens have come; returns whether there are more processes now."""
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
