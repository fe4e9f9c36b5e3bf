"""Takes the limits of all apps away for a while."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_limits() -> Iterator[None]:
    """Let no limit of any app hold in this process meanwhile: what the fixture ``limits_off`` does.

    A worker that starts meanwhile asks no store, and has no limits as long as it runs. Worker processes that were
    started before, by the shell for instance, keep their limits.
    """
    from limitkit.worker.installation import suspended  # noqa: PLC0415 (imports Celery)

    with suspended():
        yield
