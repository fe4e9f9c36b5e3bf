"""A call that a worker's timer makes again and again, until it is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Repeated:
    """Repeats a call on a timer of Celery's, which in gevent and eventlet returns only the first time to cancel."""

    def __init__(self, timer: Any, seconds: float, call: Callable[[], Any]) -> None:
        self._call: Callable[[], Any] | None = call
        self._first = timer.call_repeatedly(seconds, self._make)

    def cancel(self) -> None:
        """Make it no more."""
        self._call = None
        self._first.cancel()
        getattr(self._first, "entry", self._first).cancel()  # of all times, where the first is a greenlet

    def _make(self) -> None:
        if self._call is not None:
            self._call()
