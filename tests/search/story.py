"""A life that was played, as it is judged: its outcome beside what was sent and what was left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from limitkit.config.model.units import parse_duration, parse_rate
from search.intervals import intersect
from search.life import seconds
from search.terms import Use, spans, table_of, uses

if TYPE_CHECKING:
    from limitkit.trial.outcome import Outcome, Run
    from limitkit.trial.scenario import Arrival
    from search.intervals import Intervals
    from search.life import Data, Life
    from search.terms import Span

STOPPED = 24.0
"""Seconds after a stop until all is as before: what was held then waits behind what was parked."""
RESCUED = 21.0
"""Seconds after a kill until others have what the worker held."""


class Broken(NamedTuple):
    """A promise that was not kept."""

    promise: str
    what: str


@dataclass
class Story:
    """What is judged."""

    life: Life
    outcome: Outcome
    left: list[str] = field(default_factory=list)

    @cached_property
    def arrivals(self) -> list[Arrival]:
        """What was sent, by the numbers of the runs."""
        return self.life.arrivals()

    @cached_property
    def uses(self) -> list[tuple[Use, ...]]:
        """What the start of each run takes."""
        return [uses(self.life.config, self.arrivals[run.number]) for run in self.outcome.runs]

    @cached_property
    def by_bucket(self) -> dict[tuple[str, str], list[tuple[Run, int]]]:
        """The runs of each bucket, by limit and partition, with what they cost."""
        found: dict[tuple[str, str], list[tuple[Run, int]]] = {}
        for run, each in zip(self.outcome.runs, self.uses, strict=True):
            for use in each:
                found.setdefault((use.limit, use.partition), []).append((run, use.cost))
        return found

    @property
    def faults(self) -> list[Data]:
        """What goes wrong in it."""
        return self.life.test.get("fault", [])

    def table(self, limit: str) -> Data:
        """Return the table of a limit."""
        return table_of(self.life.config, limit)

    def spans(self, limit: str, partition: str) -> list[Span]:
        """Return what holds when."""
        key = (limit, partition)
        if key not in self._spans:
            self._spans[key] = spans(self.life, limit, partition, self.outcome.ended + 1.0)
        return self._spans[key]

    @cached_property
    def _spans(self) -> dict[tuple[str, str], list[Span]]:
        return {}

    @cached_property
    def disturbed(self) -> list[tuple[float, float]]:
        """Return when something goes wrong with workers or the store, and the time until that is over."""
        found = []
        leases = [parse_duration(each.get("lease", "15s")) for each in self._slots]
        for fault in self.faults:
            at = seconds(fault, "at")
            if "kill" in fault:
                found.append((at, at + max([RESCUED, *(each + 3 for each in leases)])))
            elif "stop" in fault:
                found.append((at, at + STOPPED))
            elif "disconnect" in fault:  # Celery forgets what its pool has, and tasks wait in there from then on
                found.append((at, float("inf")))
            elif "store" in fault:
                away = seconds(fault, "for")
                found.append((at, at + away + max([4.0, *(each + 3 for each in leases)])))
        return found

    @property
    def _slots(self) -> list[Data]:
        tables = [*self.life.config["limits"].values(), *self.life.config["tasks"].values()]
        return [each for each in tables if each.get("strategy") == "concurrency"]

    @cached_property
    def free(self) -> Intervals:
        """When each worker that is there has a process that runs nothing."""
        found: Intervals = [(0.0, self.outcome.ended)]
        size = self.life.test.get("processes", 4)
        for worker in self.outcome.workers:
            events = [(run.starts[-1], 1) for run in self.outcome.runs if run.workers[-1:] == [worker.name]]
            events += [(ends_of(run), -1) for run in self.outcome.runs if run.workers[-1:] == [worker.name]]
            count, since, there = 0, 0.0, []
            for at, more in sorted(events):
                if more > 0 and count + 1 == size:
                    there.append((since, at))
                count += more
                if more < 0 and count + 1 == size:
                    since = at
            if count < size:
                there.append((since, self.outcome.ended))
            found = intersect(found, there)
        return found

    def free_throughout(self, begin: float, end: float) -> bool:
        """Return whether there are free processes all that time."""
        return any(since <= begin and end <= until for since, until in self.free)

    def period(self, limit: str) -> float:
        """Return the seconds of a window."""
        rate = parse_rate(self.table(limit)["rate"], calendar=True)
        return float(rate.tokens / rate.per_second)


def ends_of(run: Run) -> float:
    """Return when a run has ended; inf if it has not."""
    return float("inf") if run.ended is None else run.ended
