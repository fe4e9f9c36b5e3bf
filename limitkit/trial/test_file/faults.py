"""Makes the faults of a scenario from its tables; what an operator changes is checked as by ``limitkit set``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from limitkit.buckets.override import Override, OverrideError, Target
from limitkit.config.test_file.durations import parse_span
from limitkit.config.wording import quote
from limitkit.control import inputs
from limitkit.control.declarations import declared_for
from limitkit.control.targets import find
from limitkit.trial.scenario import Disconnect, Kill, SetOverride, Stop, StoreAway

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.config.source.toml import Document
    from limitkit.config.test_file.tables import FaultTable, OverrideTable
    from limitkit.config.wording import Path
    from limitkit.errors import Problem
    from limitkit.trial.scenario import Fault


def faults_of(
    document: Document, path: Path, tables: Sequence[FaultTable], config: Config, tasks: Collection[str] = ()
) -> tuple[tuple[Fault, ...], list[Problem]]:
    """Make the faults of tables, in the order of their times, and the problems of those that can't be made.

    ``path`` is where the tables stand; ``tasks`` are the app's tasks, where it is known.
    """
    found: list[Fault] = []
    problems: list[Problem] = []
    for index, table in sorted(enumerate(tables), key=lambda pair: parse_span(pair[1].at)):
        key = next((key for key in ("override", "pause", "resume") if getattr(table, key) is not None), "")
        try:
            found = _with(found, table, key, config, tasks)
        except OverrideError as error:
            fact, _, hint = str(error).partition("; ")
            problems.append(document.problem("LK097", (*path, index, key), fact, hint))
    return tuple(found), problems


def _with(found: list[Fault], table: FaultTable, key: str, config: Config, tasks: Collection[str]) -> list[Fault]:
    """Add a table's fault to those before it. Raises OverrideError."""
    at = parse_span(table.at)
    if not key:
        return [*found, _by_itself(table, at)]
    if table.override is not None:
        return [*found, SetOverride(at=at, override=_override(table.override, at, config, tasks))]
    target, limit = _find(str(getattr(table, key)), config, tasks)
    if key == "resume":
        return _resumed(found, target, at)
    return [*found, SetOverride(at=at, override=_made(target, limit, at, _until(at, table.for_), kind="pause"))]


def _by_itself(table: FaultTable, at: float) -> Fault:
    """Make a fault that nobody has wanted."""
    if table.kill is not None:
        return Kill(at=at, worker=table.kill)
    if table.stop is not None:
        return Stop(at=at, worker=table.stop)
    if table.disconnect is not None:
        return Disconnect(at=at, worker=table.disconnect)
    return StoreAway(at=at, seconds=parse_span(table.for_ or "0s"))


def _override(table: OverrideTable, at: float, config: Config, tasks: Collection[str]) -> Override:
    target, limit = _find(str(table.limit or table.task), config, tasks)
    if table.partition is not None:
        target = inputs.partition(target, limit, table.partition)
    if limit.strategy == "concurrency" and table.rate is not None:
        raise OverrideError(f"{target} counts running tasks, and has no rate; write max_running in its place")
    if limit.strategy != "concurrency" and table.max_running is not None:
        raise OverrideError(f"{target} counts starts, not what runs; write rate in the place of max_running")
    rate, running = inputs.terms(target, limit, table.max_running if table.rate is None else table.rate)
    burst = inputs.burst_of(target, limit, table.burst)
    terms: dict[str, Any] = {"rate": rate, "burst": burst, "max_running": running}
    return _made(target, limit, at, _until(at, table.for_), kind="rate", **terms)


def _find(name: str, config: Config, tasks: Collection[str]) -> tuple[Target, Limit]:
    target, limit = find(config.rules, name, tasks)
    if limit.mode == "off":
        raise OverrideError(f"{target} is off, so it has no rate; set its mode, or LIMITKIT_MODE, to enforce first")
    return target, limit


def _made(target: Target, limit: Limit, at: float, until: float | None, **what: Any) -> Override:
    declared = declared_for(limit, target.partition)
    shown = target if limit.show_key else replace(target, shown="")
    kept: dict[str, Any] = {
        "declared_rate": declared.rate_text,
        "declared_burst": declared.most,
        "at": at,
        "until": until,
    }
    return Override(target=shown, **kept, **what)


def _until(at: float, span: str | None) -> float | None:
    return None if span is None else at + parse_span(span)


def _resumed(found: list[Fault], target: Target, at: float) -> list[Fault]:
    """End the last pause of a limit. Raises OverrideError when there is none."""
    for index in range(len(found) - 1, -1, -1):
        fault = found[index]
        if isinstance(fault, SetOverride) and (fault.override.kind, fault.override.target) == ("pause", target):
            until = at if fault.override.until is None else min(at, fault.override.until)
            return [*found[:index], replace(fault, override=replace(fault.override, until=until)), *found[index + 1 :]]
    raise OverrideError(f"{quote(str(target))} is not paused before this; write a pause of it first, or take this out")
