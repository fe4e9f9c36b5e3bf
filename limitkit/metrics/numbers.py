"""Numbers that only grow, by their labels, and how families become what prometheus-client shows."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.metrics.families import Family

Labels = tuple[str, ...]


class Numbers:
    """Counters and histograms. Plainer than prometheus-client's own, so that a scrape of thousands is quick.

    They are counted from the event loop, or from a pool's threads, and read by the thread that a scrape comes in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[Family, dict[Labels, float]] = defaultdict(dict)
        self._observed: defaultdict[Family, dict[Labels, list[float]]] = defaultdict(dict)
        """For each bucket how many, and last the sum."""

    def add(self, family: Family, *labels: str) -> None:
        """Count one more."""
        with self._lock:
            counts = self._counts[family]
            counts[labels] = counts.get(labels, 0.0) + 1.0

    def observe(self, family: Family, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        with self._lock:
            observed = self._observed[family]
            numbers = observed.get(labels)
            if numbers is None:
                numbers = observed[labels] = [0.0] * (len(family.bounds) + 2)
            numbers[bisect_left(family.bounds, value)] += 1.0
            numbers[-1] += value

    def count(self, family: Family) -> dict[Labels, float]:
        """Return a counter's numbers."""
        with self._lock:
            return dict(self._counts[family])

    def metric(self, family: Family, zeros: Iterable[Labels] = ()) -> Metric:
        """Return a family with all that was counted, and zeros for labels that are known in advance."""
        if family.kind == "histogram":
            with self._lock:
                observed = {labels: list(numbers) for labels, numbers in self._observed[family].items()}
            for labels in zeros:
                observed.setdefault(labels, [0.0] * (len(family.bounds) + 2))
            metric = Metric(family.name, family.help, family.kind)
            metric.samples = list(_buckets(family, observed))
            return metric
        return made(family, {**dict.fromkeys(zeros, 0.0), **self.count(family)})


def made(family: Family, values: Mapping[Labels, float]) -> Metric:
    """Make a counter or a gauge of these values, by their labels."""
    metric = Metric(family.name, family.help, family.kind)
    names = family.labels
    metric.samples = [
        Sample(family.shown, dict(zip(names, labels, strict=True)), value) for labels, value in values.items()
    ]
    return metric


def _buckets(family: Family, observed: Mapping[Labels, list[float]]) -> Iterator[Sample]:
    bounds = [*map(floatToGoString, family.bounds), "+Inf"]
    for values, numbers in observed.items():
        labels = dict(zip(family.labels, values, strict=True))
        *counts, total = numbers
        for bound, count in zip(bounds, accumulate(counts), strict=True):
            yield Sample(f"{family.name}_bucket", {**labels, "le": bound}, count)
        yield Sample(f"{family.name}_count", labels, sum(counts))
        yield Sample(f"{family.name}_sum", labels, total)
