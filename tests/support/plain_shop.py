"""The shop's app, where its broker may be the one of ``support.plain_transport``."""

import support.plain_transport  # noqa: F401 (names it)
from support.shop import app  # noqa: F401 (Celery looks for it here)
