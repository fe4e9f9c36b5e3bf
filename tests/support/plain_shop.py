"""The shop's app, where its broker may be one that kombu does not bring."""

import contextlib

import support.plain_transport  # noqa: F401 (names it)
from support.shop import app  # noqa: F401 (Celery looks for it here)

with contextlib.suppress(ImportError):
    import celery_redis_plus  # noqa: F401 (likewise)
