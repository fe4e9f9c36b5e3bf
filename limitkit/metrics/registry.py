"""Metrics: what a worker has counted, and how things stand in it, for Prometheus.

All of it is in the worker's main process, what happens in pool processes too, so no multiprocess mode is needed.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from limitkit.metrics.families import WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry, Metric

    from limitkit.metrics.counters import Shown
    from limitkit.metrics.families import Family


class Collector:
    """What a registry of prometheus-client asks; it has nothing to tell where no worker has started."""

    def __init__(self, families: Iterable[Family] = ()) -> None:
        self._families = tuple(families)
        self.source: Callable[[], Iterable[Shown]] | None = None
        self._thread = threading.local()

    def describe(self) -> Iterable[Metric]:
        """Name all metrics, before a worker has started too: by these a registry finds what is asked for by name."""
        from limitkit.metrics.counters import made  # noqa: PLC0415 (imports prometheus-client, as who asks has done)

        return [made(family, {}).metric() for family in self._families]

    def collect(self) -> Iterable[Metric]:
        """Tell all metrics as they are now."""
        if self.source is None or getattr(self._thread, "left_out", False):
            return ()
        return [each.metric() for each in self.source()]

    def text(self, *, openmetrics: bool = False) -> str:
        """Write all metrics as they are now; the end that OpenMetrics wants is left to what comes behind."""
        return "".join(each.text(openmetrics=openmetrics) for each in self.source()) if self.source is not None else ""

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Tell a registry nothing, in this thread and for this long: it is told in another way."""
        self._thread.left_out = True
        try:
            yield
        finally:
            self._thread.left_out = False


logger = logging.getLogger("limitkit")

COLLECTOR = Collector(WORKER)
"""The one of this process."""
_registries: list[CollectorRegistry] = []
_shown_in: list[CollectorRegistry] = []


def register(registry: CollectorRegistry) -> None:
    """Have a registry of one's own show limitkit's metrics; the file needs no ``[metrics]`` then.

    To be called in the worker's main process before it has started, e.g. where the app is made. What else is in the
    registry, and how it is shown, is left alone.
    """
    _registries.append(registry)
    show_in(registry)


def show_in(registry: CollectorRegistry) -> None:
    """Have a registry show limitkit's metrics, once."""
    if registry in _shown_in:
        return
    _shown_in.append(registry)
    try:
        registry.register(COLLECTOR)
    except ValueError as error:
        logger.warning(
            "The app has metrics of the same names as limitkit's (%s); both are shown, and Prometheus may refuse that. "
            "Take the app's out: limitkit counts the same.",
            error,
        )
        registry.register(_Unnamed())


class _Unnamed:
    """The collector, where its metrics' names are taken."""

    def describe(self) -> Iterable[Metric]:
        """Name nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Tell all metrics as they are now."""
        return COLLECTOR.collect()


def registered() -> bool:
    """Whether a registry was told of the metrics."""
    return bool(_registries)
