"""Shows when a prefork pool has done with a request, however that ends: each way passes through its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS = ("_set", "discard")
"""A job gets a result, also when its process is lost, terminated or too slow; or its connection's end discards it."""


def watch_job(request: Any, on_end: Callable[[], None]) -> None:
    """Call back, once, when the pool has done with a request; now if the pool never got it, or it has ended."""
    reference = getattr(request, "_apply_result", None)
    job = reference() if callable(reference) else None
    if job is None or job.ready():
        on_end()
        return
    watching = True

    def ended() -> None:
        nonlocal watching
        if watching:
            watching = False
            on_end()

    for name in _ENDS:
        setattr(job, name, _then(getattr(job, name), ended))


def _then(method: Callable[..., Any], ended: Callable[[], None]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        finally:
            ended()

    return called
