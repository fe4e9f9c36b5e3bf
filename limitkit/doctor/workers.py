"""Looks at the workers that answer: whether they keep the limits of this file, at one time, with one version."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.units import duration_text
from limitkit.config.wording import count, one_line
from limitkit.control.manager import RateLimitManager
from limitkit.control.status.collect import collect
from limitkit.control.status.drift import few, of_workers
from limitkit.control.status.snapshot import Snapshot
from limitkit.control.workers import NoRemoteControlError, UnreachableError, ask, pools, running
from limitkit.doctor.bounded import TooLateError, within
from limitkit.doctor.finding import found
from limitkit.doctor.settings import MODE_SET
from limitkit.errors import StoreError
from limitkit.waiting.room_names import UnusableBrokerError
from limitkit.worker.bypasses import STRANGE_POOL, STRANGE_STRATEGY, STRANGE_TRACER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.control.status.drift import Deviation
    from limitkit.doctor.finding import Finding, Sheet
    from limitkit.errors import Severity

OTHER_FILE: Final = "LK132"
NOT_IN_FORCE: Final = "LK133"
OTHER_VERSION: Final = "LK134"
UNPACED: Final = "LK135"
STORE_GONE: Final = "LK136"
UNGUARDED: Final = "LK137"
CAPPED: Final = "LK138"
NOT_ASKED: Final = "LK139"
CLOCK_APART: Final = "LK157"
NOBODY: Final = "LK161"
_KINDS: Final[dict[str, tuple[str, Severity, str]]] = {
    "other file": (OTHER_FILE, "error", "two files are in force, so this one does not say what happens"),
    "refused file": (OTHER_FILE, "error", "it keeps other limits than the file says"),
    "not installed": (NOT_IN_FORCE, "error", "the tasks that it starts count for no limit"),
    "mode": (MODE_SET, "warning", "so it does not do what the file says"),
    "unpaced": (UNPACED, "error", "their tasks start at any speed there"),
    "store": (STORE_GONE, "error", "it goes on as on_error says"),
    "unguarded": (UNGUARDED, "warning", "a start that comes late may come without a token"),
    "cap": (CAPPED, "warning", "the file does not know of that"),
}
"""Of the differences that ``limitkit drift`` knows: code, severity, and what follows where the fact does not say it."""
_SIGNS: Final = {"Strategy": STRANGE_STRATEGY, "pool": STRANGE_POOL, "tracer": STRANGE_TRACER}
_APART: Final = 1.0
"""Seconds: an ETA of Celery's is no more exact than its workers' clocks."""
_BESIDE: Final = 10.0
"""Seconds beside the workers' own: connecting to the broker, and asking the store."""


def look_at_workers(
    sheet: Sheet, config: Config, app: Any, patience: float, ahead: float | None
) -> Mapping[str, list[str]] | None:
    """Note what each worker says; returns the queues that each consumes from, None when workers can't be asked.

    ``patience`` are the seconds that workers have to answer, ``ahead`` those by which the store's clock is ahead of
    this machine's.
    """
    try:
        consumed = within(patience + _BESIDE, lambda: running(app, patience=patience))
    except NoRemoteControlError as error:
        fact, then = str(error), "it is not known which file they use, which queues they consume from, nor their clocks"
        remedy = "look into their logs: the start line names file, store and pool"
        sheet.unknown("workers", "answers", str(error), found(NOT_ASKED, "warning", fact, then, remedy))
        return None
    except (UnreachableError, TooLateError, UnusableBrokerError) as error:
        sheet.unknown("workers", "answers", f"the broker can't be asked ({one_line(str(error))})")
        return None
    if not consumed:
        fact = f"no worker answered within {duration_text(patience)}"
        then = "what they would say is not known: files, pools, queues, clocks, versions"
        remedy = "start one, or give slow ones more time: --timeout 10"
        sheet.unknown("workers", "answers", fact, found(NOBODY, "warning", fact, then, remedy))
        return None
    names = sorted(consumed)
    sheet.add("workers", "answers", f"{count(len(names), 'worker')}: {few(names)}")
    try:
        within(patience * 3 + _BESIDE, lambda: _ask(sheet, config, app, names, (patience, ahead)))
    except (UnreachableError, TooLateError, StoreError, UnusableBrokerError) as error:
        sheet.unknown("workers", "limits", f"they could not be asked: {one_line(str(error))}")
    return consumed


def _ask(sheet: Sheet, config: Config, app: Any, names: list[str], waits: tuple[float, float | None]) -> None:
    patience, ahead = waits
    began = time.time()
    reports = ask(app, "limitkit_status", patience=patience, to=names)
    ended = time.time()
    snapshot = _snapshot(config, app, reports)
    noted = [_of(deviation) for deviation in of_workers(snapshot)]
    digests = sorted({str(each.get("digest", "none")) for each in reports.values()})
    seen = f"this file is {config.digest}; theirs: {few(digests)}"
    sheet.add("workers", "limits", seen, *noted)
    missing = [name for name in names if name not in reports]
    if missing:
        sheet.unknown("workers", "limits", f"{few(missing)} did not answer in time")
    known_pools = pools(app, names, patience=patience)
    said = sorted({pool.rpartition(".")[2] if pool.startswith("celery.") else pool for pool in known_pools.values()})
    sheet.add("workers", "pools", ", ".join(said) or "not said", *_bypasses(config, reports, known_pools))
    here = version("celery-limitkit")
    theirs = {name: str(report.get("limitkit") or "") for name, report in reports.items() if "digest" in report}
    others = sorted(name for name, each in theirs.items() if each != here)
    sheet.add("workers", "limitkit", f"{here} here", *_versions(theirs, others, here))
    clocks = {name: float(report["now"]) for name, report in reports.items() if report.get("now")}
    _clocks(sheet, clocks, began, ended, ahead)


def _snapshot(config: Config, app: Any, reports: Mapping[str, Any]) -> Snapshot:
    """Return the state of limits with these reports; without what only the store knows, where it can't be asked."""
    try:
        manager = RateLimitManager(app, config)
        try:
            return replace(collect(manager, patience=0.1), workers=reports)
        finally:
            if manager.store is not None:
                manager.store.close()
    except (StoreError, UnreachableError):
        empty = Snapshot(config.path, config.digest, time.time(), config.file_mode, [], (), reports, None, "")
        return replace(empty, mode_here=config.rules.mode)


def _of(deviation: Deviation) -> Finding:
    code, severity, then = _KINDS.get(deviation.kind, (OTHER_FILE, "warning", "so it does not do what the file says"))
    return found(code, severity, f"{deviation.subject} {deviation.fact}", then, deviation.hint)


def _bypasses(config: Config, reports: Mapping[str, Any], known_pools: Mapping[str, str]) -> Iterator[Finding]:
    """Say what a worker says of its own risks; a pool that is none of Celery's, also of one that says nothing."""
    for name, report in sorted(reports.items()):
        for fact, hint in report.get("passing", ()):
            code = next((code for sign, code in _SIGNS.items() if sign in fact), STRANGE_POOL)
            yield found(code, "warning", f"{name}: {fact}", "so it is not sure that limits hold there", hint)
    for name, pool in sorted(known_pools.items()):
        if "digest" not in reports.get(name, {}) and not pool.startswith("celery.concurrency") and config.rules.exact:
            fact = f"the pool of {name}, {pool}, is none of Celery's"
            yield found(STRANGE_POOL, "warning", fact, "it has no pacer", "use a pool of Celery's")


def _versions(versions: Mapping[str, str], others: list[str], here: str) -> Iterator[Finding]:
    if others:
        theirs = ", ".join(sorted({versions[name] or "an older one" for name in others}))
        fact = f"{few(others)} {'run' if len(others) > 1 else 'runs'} limitkit {theirs}, and here is {here}"
        then = "they may know other keys of the file, or keep limits in another way"
        yield found(OTHER_VERSION, "warning", fact, then, "deploy one version to all workers")


def _clocks(sheet: Sheet, clocks: Mapping[str, float], began: float, ended: float, ahead: float | None) -> None:
    """Compare the workers' clocks with the store's, else with this machine's: an answer was made some time between."""
    if not clocks:
        sheet.unknown("workers", "clocks", "no worker says what time it is")
        return
    whose, base = ("the store's", ahead) if ahead is not None else ("this machine's", 0.0)
    noted = []
    for name, now in sorted(clocks.items()):
        least, most = now - ended - base, now - began - base
        off = least if least > 0 else most if most < 0 else 0.0
        if abs(off) > _APART:
            ahead_of = "ahead of" if off > 0 else "behind"
            fact = f"the clock of {name} is {duration_text(round(abs(off), 1))} {ahead_of} {whose}"
            then = "rates hold, but ETA, expires and max_wait go by its clock, so too soon or too late"
            noted.append(found(CLOCK_APART, "warning", fact, then, "have its machine set its clock by NTP"))
    sheet.add("workers", "clocks", f"{count(len(clocks), 'clock')} beside {whose}", *noted)
