"""Follows one request from its arrival to its end.

The callbacks of that request alone are replaced, so what is not recorded is not touched.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from celery.exceptions import Retry

from limitkit.buckets import ticket
from limitkit.errors import RateLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

RAN: Final = "ran"
"""``[RAN, key, when it began, for how many seconds it kept its place in the pool, or None]``"""
GONE: Final = "gone"
"""``[GONE, key, when]``: it was revoked, dropped or failed, and has not started."""
DIGITS: Final = 6


class Followed:
    """One request; its callbacks are called in any thread."""

    def __init__(self, key: str, request: Any, note: Callable[..., None], comes_back: Callable[[], bool]) -> None:
        """``comes_back`` tells whether a task that limitkit has sent back has not run."""
        self._key, self._note, self._comes_back = key, note, comes_back
        self._began: float | None = None
        """Seconds of ``time.monotonic()``."""
        self._over = False
        self._accepted, self._succeeded, self._failed = request.on_accepted, request.on_success, request.on_failure
        self._timed_out, self._announce = request.on_timeout, request._announce_revoked  # noqa: SLF001 (Celery's one way of it)
        request.on_accepted, request.on_success, request.on_failure = self.begin, self.succeed, self.fail
        request.on_timeout, request._announce_revoked = self.time_out, self.revoke  # noqa: SLF001 (as above)

    def begin(self, pid: int, time_accepted: float) -> Any:
        """Note that a place of the pool has it."""
        self._began = time_accepted
        return self._accepted(pid, time_accepted)

    def succeed(self, failed__retval__runtime: Any, **words: Any) -> Any:
        """Note its end: it has run, or was sent back, as what Celery passes tells."""
        failed, value, _ = failed__retval__runtime
        error = _error_in(value) if failed else None
        if isinstance(error, Retry) and error.message == ticket.REASON and self._comes_back():
            self._over = True
        else:
            self._end(started=not isinstance(error, RateLimitExceeded))
        return self._succeeded(failed__retval__runtime, **words)

    def fail(self, exc_info: Any, *rest: Any, **words: Any) -> Any:
        """Its process was lost, or could not send its result."""
        self._end()
        return self._failed(exc_info, *rest, **words)

    def time_out(self, soft: bool, timeout: float) -> Any:  # noqa: FBT001 (as Celery has it)
        """Note that it has run for too long, unless it may still end by itself."""
        if not soft:
            self._end()
        return self._timed_out(soft, timeout)

    def revoke(self, *words: Any) -> Any:
        """Note that it was revoked, has expired, or was dropped by its limits."""
        self._end()
        return self._announce(*words)

    def leave(self) -> None:
        """Follow it no more; note its beginning if it runs."""
        if not self._over and self._began is not None:
            self._note(RAN, self._key, since_1970(self._began), None)
        self._over = True

    def _end(self, *, started: bool = True) -> None:
        if self._over:
            return
        self._over = True
        if self._began is None or not started:
            self._note(GONE, self._key, since_1970(time.monotonic()))
        else:
            # Not what Celery measures in the pool: its place is free only when this process has heard of the end.
            took = time.monotonic() - self._began
            self._note(RAN, self._key, since_1970(self._began), round(took, DIGITS))


def since_1970(moment: float) -> float:
    """Return a moment of ``time.monotonic()`` in seconds since 1970, by this machine's clock."""
    return round(time.time() - (time.monotonic() - moment), DIGITS)


def _error_in(value: Any) -> Any:
    """Return the exception in what Celery passes; what can't be pickled is wrapped there."""
    error = getattr(value, "exception", None)
    return error if isinstance(error, Retry) else getattr(error, "exc", error)
