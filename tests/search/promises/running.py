"""Never more at once than a concurrency limit allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.config.model.units import parse_duration
from search.life import seconds
from search.story import Broken, ends_of
from search.terms import on_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.story import Story


def never_more_at_once(story: Story) -> Iterator[Broken]:
    """At each start no more than ``max_running`` run, with that one."""
    # Then Celery hands over more than its pool can run: who had a slot when more were allowed may start much later.
    lost = any("disconnect" in fault for fault in story.faults)
    for limit, partition in story.by_bucket:
        table = story.table(limit)
        if table["strategy"] != "concurrency":
            continue
        own = on_error(story.life.config, limit) == "own"
        excused = [] if own else _unrenewed(story, limit)
        groups: dict[str, list[tuple[float, int, float]]] = {}
        for run, _ in story.by_bucket[limit, partition]:
            if run.starts and run.workers:
                end = ends_of(run)
                events = groups.setdefault(run.workers[-1] if own else "", [])
                events += [(run.starts[-1], 1, run.starts[-1]), (end, -1, end)]
        for worker, events in groups.items():
            count = 0
            for at, more, _ in sorted(events):
                count += more
                spans = story.spans(limit, partition)
                span = next((each for each in spans if each.begin <= at <= each.end), spans[-1])
                most = max(each.upper.most for each in spans) if lost else span.upper.most
                if more > 0 and count > most and not any(begin <= at <= end for begin, end in excused):
                    what = f"{limit} {partition} {worker}: {count} run at {at:.3f} s, of {most}"
                    yield Broken("never more at once", what)
                    break


def _unrenewed(story: Story, limit: str) -> list[tuple[float, float]]:
    """Return when leases may have ended, or were not asked for, since the store was away."""
    lease = parse_duration(story.table(limit).get("lease", "15s"))
    longest = max(
        (seconds(story.life.test["task_seconds"], name) for name in story.life.test["task_seconds"]), default=0.0
    )
    found = []
    for fault in story.faults:
        if "store" in fault:
            at, away = seconds(fault, "at"), seconds(fault, "for")
            if on_error(story.life.config, limit) != "hold" or away + 2.0 > lease * 2 / 3:
                found.append((at, at + away + lease + longest + 3.0))
    return found
