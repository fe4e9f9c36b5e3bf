"""A row of the table: a work to measure, and what its figures must reach."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Target:
    """What the median of a figure must reach; no bounds for one that is only shown."""

    figure: str
    says: str
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""
    every: bool = False
    """Whether each single measurement must reach it."""
    pool_bound: bool = False
    """Whether it says nothing where the workers are too slow (``Row.needs``)."""

    def reached(self, values: list[float]) -> bool | None:
        """Judge measured values; None where nothing was asked for."""
        if math.isinf(self.least) and math.isinf(self.most):
            return None
        judged = values if self.every else [statistics.median(values)]
        return all(self.least <= value <= self.most for value in judged)

    @property
    def wanted(self) -> str:
        """Write the bounds."""
        bounds = {">=": self.least, "<=": self.most}
        if self.least == self.most:
            return f"{self.least:g}"
        return ", ".join(f"{sign} {value:g}{self.unit}" for sign, value in bounds.items() if not math.isinf(value))


@dataclass(frozen=True)
class Row:
    """One work: how to measure it once, and what its figures must reach."""

    key: str
    work: str
    targets: tuple[Target, ...]
    measure: Callable[[], dict[str, float]] | None = None
    pairs: Callable[[int], list[dict[str, float]]] | None = None
    """In place of ``measure`` where pairs of short measurements alternate: the number of pairs is its own."""
    needs: float = 0.0
    """Starts a second that the same workers must reach with no limit (figure ``unlimited``), else some say nothing."""
    waits: bool = False
    """Whether it waits nearly all of the time, so that it may be measured while others that do are."""


LOST = Target("lost", "messages lost", most=0, least=0, every=True)
TWICE = Target("twice", "messages started twice", most=0, least=0, every=True)
