"""Says what a play can't know of production: only what matters for what was played, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.config.rules import matches
from limitkit.config.wording import count
from limitkit.trial.engine.played_parts import TRIP
from limitkit.trial.engine.pool import BEGINS_AFTER
from limitkit.trial.scenario import Kill, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.trial.figures import Figures
    from limitkit.trial.scenario import Scenario

_FAST: Final = 400
"""Starts a second of tasks that do nothing, by one worker on one core: 880 to 1,000 were measured on two."""
_NAMED: Final = 3


def not_known(scenario: Scenario, limits: Mapping[str, Limit], figures: Figures, *, traced: bool) -> Iterator[str]:
    """Go through what may be otherwise in production; ``traced`` is whether arrivals and run times were recorded."""
    yield from _run_times(scenario, figures, traced=traced)
    trip, begins = (f"{seconds * 1000:g} ms" for seconds in (TRIP, BEGINS_AFTER))
    yield f"A call of Redis takes {trip} here, and a process begins a task after {begins}; a network takes longer."
    yield "The broker is played as Redis; another one delivers messages in another way."
    yield "No task fails or retries by itself; a retry is sent again, and is one start more."
    what = "recording" if traced else "scenario"
    yield f"Only what the {what} has is sent: other producers, and what waits already, come on top."
    yield from _of_limits(limits)
    most = figures.whole.second.most
    if most > _FAST * scenario.workers:
        depends = f"whether {count(scenario.workers, 'worker')} can do that depends on the machine"
        yield f"{most:,} tasks start in one second here; {depends}: one core starts some {_FAST} that do nothing."
    if any(isinstance(fault, Kill) for fault in scenario.faults):
        yield "What a killed worker ran counts as started, and its work is lost; with acks_late it would start again."
    gone = any(isinstance(fault, (Kill, Stop)) for fault in scenario.faults)
    stay = (
        "Workers that are killed or stopped stay away, and none is added"
        if gone
        else "Workers stay as many as they are"
    )
    yield f"{stay}: there is no autoscaling, and no deployment."


def _of_limits(limits: Mapping[str, Limit]) -> Iterator[str]:
    slowed = [name for name, limit in limits.items() if limit.feedback is not None]
    if slowed:
        yield f'Nobody answers "slow down" here: the feedback of {_some(slowed)} changes nothing.'
    settled = [name for name, limit in limits.items() if limit.settle is not None]
    if settled:
        yield f"What tasks return is not known: for {_some(settled)} the cost that is taken at the start stands."


def _run_times(scenario: Scenario, figures: Figures, *, traced: bool) -> Iterator[str]:
    if traced:
        yield "Tasks run as long as they did when they were recorded."
        return
    names = [row.name for row in figures.tasks]
    untimed = [name for name in names if not any(matches(each, name) for each in scenario.task_seconds)]
    if len(untimed) < len(names):
        yield "Tasks run as long as task_seconds says, each time the same."
    if untimed:
        yield f"task_seconds does not name {_some(untimed)}: no process is busy with such a task for any time."


def _some(names: list[str]) -> str:
    """Name some of many."""
    shown, more = names[:_NAMED], len(names) - _NAMED
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
