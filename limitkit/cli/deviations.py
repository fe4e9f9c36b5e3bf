"""Where what runs is not what the file says, each as a fact and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.bucket import MICROSECONDS
from limitkit.cli.managed import rated, until
from limitkit.units import interval_text
from limitkit.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.cli.survey import Row, Survey
    from limitkit.declared import Limit
    from limitkit.override import Override

_NAMED = 3
"""Names that are written out where there may be many."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is not as the file says."""

    kind: str
    """One of ``override``, ``pause``, ``stricter file``, ``other rate``, ``dialled``, ``cap``, ``other file``,
    ``refused file``, ``unguarded``, ``not installed``."""
    limit: str
    """Empty when it is about a worker as a whole."""
    worker: str
    """Empty when it is about all of them."""
    fact: str
    hint: str

    @property
    def subject(self) -> str:
        """What it is about."""
        return " in ".join(part for part in (self.limit, self.worker) if part)


def of_limits(survey: Survey) -> Iterator[Deviation]:
    """Find the limits that do not go by the file."""
    for over in survey.overrides:
        row = survey.row_of(over)
        if row is not None:
            yield _of_override(row.current.limit, over, survey.now)
    for row in survey.rows:
        yield from _of_row(row)


def lost(survey: Survey) -> Iterator[Deviation]:
    """Find what is set for limits that are not in the file."""
    for over in survey.overrides:
        if survey.row_of(over) is not None:
            continue
        what = f"{over.rate or 'a pause'} was set, {one_line(over.told())}".rstrip(", ")
        hint = f"limitkit restore {over.target.name}"
        yield Deviation("override", str(over.target), "", f"{what}, and the file has no such limit in force", hint)


def of_workers(survey: Survey) -> Iterator[Deviation]:
    """Find the workers that do not go by this file, or not all of them."""
    for worker, report in sorted((survey.workers or {}).items()):
        if "digest" not in report:
            fact = str(report.get("error", "it answers as another version of limitkit"))
            yield Deviation("not installed", "", worker, one_line(fact), "call limitkit.install(app) in its app")
            continue
        if report["digest"] != survey.digest:
            fact = f"goes by another file, {report['path']} ({report['digest']}): {_differing(survey, report)}"
            hint = "bring both to one state; of a shared limit the stricter rate holds meanwhile"
            yield Deviation("other file", "", worker, fact, hint)
        if report["refused"]:
            fact = f"has refused its changed file, and goes on with the one before: {one_line(report['refused'])}"
            yield Deviation("refused file", "", worker, fact, "mend the file")
        if report["unguarded"]:
            names = few(report["unguarded"])
            fact = f"has pool processes from before {names} had limits; these starts are paced, but not guarded"
            yield Deviation("unguarded", "", worker, fact, "restart it, or its pool: celery control pool_restart")
        for task, seconds in sorted(report.get("caps", {}).items()):
            fact = f"starts {task} at {_per(seconds)} at most, which control.rate_limit has set"
            yield Deviation("cap", "", worker, fact, f"celery control rate_limit {task} 0")


def reasons(row: Row, survey: Survey) -> Iterator[str]:
    """Say in a few words why a limit does not go by the file."""
    current = row.current
    if current.override is not None:
        over = current.override
        told = f" {one_line(over.told())}" if over.told() else ""
        what = "paused" if over.kind == "pause" else "set"
        which = f" for {over.target.name}" if over.target != current.target else ""
        yield f"{what}{which}{told}, until {until(over, survey.now)}"
    elif current.source == "stricter file":
        yield "another file is stricter"
    if row.slowed:
        yield f"{_per(row.slowed)} now, since the other side has refused"
    if current.limit.mode == "shadow":
        yield f"shadow: {row.shadowed} of {row.seen} would have waited"
    for seconds in sorted({*row.dialled.values()}):
        yield f"{_per(seconds)} dialled in {few(_with(row.dialled, seconds))}"
    for rate in sorted({*row.apart.values()}):
        yield f"{rate} in {few(_with(row.apart, rate))}"


def few(names: list[str]) -> str:
    """Name the first ones, and count the others."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _of_override(limit: Limit, over: Override, now: float) -> Deviation:
    told = f" {one_line(over.told())}" if over.told() else ""
    end = f"until {until(over, now)}"
    target, name = str(over.target), over.target.name
    if over.rate is None:
        return Deviation("pause", target, "", f"paused{told}, {end}", f"limitkit resume {name}")
    fact = f"{rated(over.rate.text, over.burst or limit.burst)} was set{told}, {end}"
    declared = rated(limit.rate.text, limit.burst)
    return Deviation("override", target, "", f"{fact}, over {declared}", f"limitkit restore {name}, or promote {name}")


def _of_row(row: Row) -> Iterator[Deviation]:
    current = row.current
    name, declared = str(current.target), rated(current.limit.rate.text, current.limit.burst)
    if current.source == "stricter file":
        fact = f"{rated(current.rate, current.burst)} holds, which another worker's file says, over {declared}"
        yield Deviation("stricter file", name, "", fact, "bring the files to one state")
    for worker, seconds in sorted(row.dialled.items()):
        fact = f"{_per(seconds)} holds, which control.rate_limit has set, over {declared}"
        yield Deviation("dialled", name, worker, fact, f"celery control rate_limit {current.target.name} 0")
    for worker, rate in sorted(row.apart.items()):
        fact = f"{rate} holds, which that worker alone was told, over {declared}"
        yield Deviation("other rate", name, worker, fact, f"limitkit restore {current.target.name}")


def _differing(survey: Survey, report: Mapping[str, Any]) -> str:
    """Say which limits two files declare differently, as far as this worker's tasks have them."""
    ours = {row.tag: row.current.limit for row in survey.rows}
    theirs = report["limits"]
    names = [
        theirs[tag]["limit"]
        for tag in theirs
        if tag not in ours
        or (ours[tag].rate.text, ours[tag].burst, ours[tag].strategy)
        != (theirs[tag]["declared"], theirs[tag]["declared_burst"], theirs[tag]["strategy"])
    ]
    if not names:
        return "no limit of its tasks is another one"
    return f"{few(sorted(names))} {'are other ones' if len(names) > 1 else 'is another one'}"


def _per(seconds: float) -> str:
    return interval_text(round(seconds * MICROSECONDS))


def _with(by_worker: Mapping[str, Any], value: object) -> list[str]:
    return sorted(worker for worker, each in by_worker.items() if each == value)
