"""Finds requests that will never start, since they were revoked or have expired."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from celery.worker import state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger("limitkit")

_MOST: Final = 100
"""The most revoked requests that are dropped at a time: each is written to the result backend."""


class _Waiting(Protocol):
    """Something that waits with a request."""

    request: Any


_T = TypeVar("_T", bound=_Waiting)


def is_revoked(request: Any) -> bool:
    """Whether a request was revoked or has expired; also when that can't be written to the result backend."""
    try:
        return bool(request.revoked())
    except Exception:
        logger.exception("%s was revoked, which can't be recorded; the broker delivers it again.", request)
        state.requests.pop(request.id, None)
        return True


def revoked(held: Iterable[_T]) -> Iterator[_T]:
    """Find held requests that will never start; of many, only some."""
    suspects = [each for each in held if _may_be_revoked(each.request)]
    for each in suspects[:_MOST]:
        if is_revoked(each.request):
            yield each


def _may_be_revoked(request: Any) -> bool:
    """Whether the full check is needed, which costs more than this one."""
    return bool(request.expires and request.maybe_expire()) or request.id in state.revoked or bool(state.revoked_stamps)
