"""Which requests will never start, since somebody has revoked them or they have expired."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker import state

logger = logging.getLogger("limitkit")


def is_revoked(request: Any) -> bool:
    """Whether a request was revoked or has expired; if that can't be told to the result backend, it is let go."""
    try:
        return bool(request.revoked())
    except Exception:
        logger.exception("%s was revoked, which can't be recorded; the broker delivers it again.", request)
        state.requests.pop(request.id, None)
        return True


def may_be_revoked(request: Any) -> bool:
    """Whether that is worth asking, which costs more than this."""
    return bool(request.expires and request.maybe_expire()) or request.id in state.revoked or bool(state.revoked_stamps)
