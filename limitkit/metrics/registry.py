"""The link to prometheus-client: a collector with limitkit's metrics, and the registries that show it.

The worker's main process counts, also what happens in pool processes, so no multiprocess mode is needed.
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
    """The collector that a registry of prometheus-client asks; it is empty where no worker has started."""

    def __init__(self, families: Iterable[Family] = ()) -> None:
        self._families = tuple(families)
        self.source: Callable[[], Iterable[Shown]] | None = None
        self._thread = threading.local()

    def describe(self) -> Iterable[Metric]:
        """Name all metrics, also before a worker has started: a registry needs the names to find a single metric."""
        from limitkit.metrics.counters import made  # noqa: PLC0415 (imports prometheus-client, as who asks has done)

        return [made(family, {}).metric() for family in self._families]

    def collect(self) -> Iterable[Metric]:
        """Return all metrics as they are now."""
        if self.source is None or getattr(self._thread, "left_out", False):
            return ()
        return [each.metric() for each in self.source()]

    def text(self, *, openmetrics: bool = False) -> str:
        """Write all metrics as they are now, without the end line of OpenMetrics: the rest of the registry follows."""
        return "".join(each.text(openmetrics=openmetrics) for each in self.source()) if self.source is not None else ""

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Return nothing to a registry, in this thread, in this context: the metrics are written in another way."""
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
    """Have a registry of your own show limitkit's metrics; the file needs no ``[metrics]`` then.

    Call it in the worker's main process before it has started, e.g. where the app is made. What else is in the
    registry, and how it is shown, does not change.
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
            "Remove the app's own: limitkit counts the same.",
            error,
        )
        registry.register(_Unnamed())


class _Unnamed:
    """The collector without names, for a registry that has metrics of the same names already."""

    def describe(self) -> Iterable[Metric]:
        """Name nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return all metrics as they are now."""
        return COLLECTOR.collect()


def registered() -> bool:
    """Whether ``register`` was called with a registry."""
    return bool(_registries)
