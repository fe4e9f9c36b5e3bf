"""Metrics: what a worker has counted, and how things stand in it, for Prometheus.

All of it is in the worker's main process, what happens in pool processes too, so no multiprocess mode is needed.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry, Metric

    from limitkit.metrics.numbers import Shown


class Collector:
    """What a registry of prometheus-client asks; it has nothing to tell where no worker has started."""

    def __init__(self) -> None:
        self.source: Callable[[], Iterable[Shown]] | None = None
        self._thread = threading.local()

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: a registry may be asked to register it before a worker has started."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Tell all metrics as they are now."""
        if self.source is None or getattr(self._thread, "left_out", False):
            return ()
        return [each.metric() for each in self.source()]

    def text(self) -> str:
        """Write all metrics as they are now."""
        return "".join(each.text() for each in self.source()) if self.source is not None else ""

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Tell a registry nothing, in this thread and for this long: it is told in another way."""
        self._thread.left_out = True
        try:
            yield
        finally:
            self._thread.left_out = False


COLLECTOR = Collector()
"""The one of this process."""
_registries: list[CollectorRegistry] = []


def register(registry: CollectorRegistry) -> None:
    """Have a registry of one's own show limitkit's metrics; the file needs no ``[metrics]`` then.

    To be called in the worker's main process before it has started, e.g. where the app is made. What else is in the
    registry, and how it is shown, is left alone.
    """
    _registries.append(registry)
    registry.register(COLLECTOR)


def registered() -> bool:
    """Whether a registry was told of the metrics."""
    return bool(_registries)
