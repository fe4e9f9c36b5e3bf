"""Counters and histograms by their labels, and how they are written for prometheus-client or as text."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from functools import lru_cache
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Final

from prometheus_client import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.metrics.families import Family

_REMEMBERED: Final = 65_536
"""Sets of label values whose written form is cached."""
Labels = tuple[str, ...]


class Shown:
    """A metric as it is now: for a registry of prometheus-client, or as text.

    Such a registry writes ten thousand samples in a tenth of a second, which a worker's event loop would feel; the text
    is written in a fifth of that.
    """

    __slots__ = ("family", "samples")

    def __init__(self, family: Family, samples: list[tuple[str, Labels, float]]) -> None:
        self.family = family
        self.samples = samples
        """Each with its suffix, its labels' values (of a bucket the last is its bound), and its value."""

    def metric(self) -> Metric:
        """Return it as a registry collects it."""
        family = self.family
        metric = Metric(family.name, family.help, family.kind)
        names = (*family.labels, "le")
        metric.samples = [
            Sample(family.shown + suffix, dict(zip(names, labels, strict=False)), value)
            for suffix, labels, value in self.samples
        ]
        return metric

    def text(self, *, openmetrics: bool = False) -> str:
        """Write it in Prometheus' text format, version 0.0.4, or as OpenMetrics: a counter has two names there."""
        name, names = self.family.shown, (*self.family.labels, "le")
        head, text = (self.family.name, _escaped(self.family.help)) if openmetrics else (name, self.family.help)
        lines = [f"# HELP {head} {text}\n# TYPE {head} {self.family.kind}\n"]
        lines += [
            f"{name}{suffix}{_labelled(names, labels)} {'+Inf' if value == inf else repr(value)}\n"
            for suffix, labels, value in self.samples
        ]
        return "".join(lines)


@lru_cache(_REMEMBERED)
def _labelled(names: Labels, values: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=False))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Numbers:
    """Counters and histograms.

    The event loop and a pool's threads count; the thread of a scrape reads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[Family, dict[Labels, float]] = defaultdict(dict)
        self._observed: defaultdict[Family, dict[Labels, list[float]]] = defaultdict(dict)
        """For each bucket how many, and last the sum."""

    def add(self, family: Family, *labels: str, number: float = 1.0) -> None:
        """Count one more, or another number."""
        with self._lock:
            counts = self._counts[family]
            counts[labels] = counts.get(labels, 0.0) + number

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

    def shown(self, family: Family, zeros: Iterable[Labels] = ()) -> Shown:
        """Return a family with all that was counted, and zeros for labels that are known in advance."""
        if family.kind != "histogram":
            return made(family, {**dict.fromkeys(zeros, 0.0), **self.count(family)})
        with self._lock:
            observed = {labels: list(numbers) for labels, numbers in self._observed[family].items()}
        for labels in zeros:
            observed.setdefault(labels, [0.0] * (len(family.bounds) + 2))
        return Shown(family, list(_buckets(family, observed)))


def made(family: Family, values: Mapping[Labels, float]) -> Shown:
    """Make a counter or a gauge of these values, by their labels."""
    return Shown(family, [("", labels, value) for labels, value in values.items()])


def _buckets(family: Family, observed: Mapping[Labels, list[float]]) -> Iterator[tuple[str, Labels, float]]:
    bounds = [*map(floatToGoString, family.bounds), "+Inf"]
    for labels, numbers in observed.items():
        *counts, total = numbers
        for bound, count in zip(bounds, accumulate(counts), strict=True):
            yield "_bucket", (*labels, bound), count
        yield "_count", labels, sum(counts)
        yield "_sum", labels, total
