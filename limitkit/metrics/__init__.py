"""Metrics: what a worker has counted, and how things stand in it, for Prometheus.

All of it is in the worker's main process, what happens in pool processes too, so no multiprocess mode is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry, Metric


class Collector:
    """What a registry of prometheus-client asks; it has nothing to tell where no worker has started."""

    def __init__(self) -> None:
        self.source: Callable[[], Iterable[Metric]] | None = None

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: a registry may be asked to register it before a worker has started."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Tell all metrics as they are now."""
        return self.source() if self.source is not None else ()


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
