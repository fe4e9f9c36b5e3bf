"""Looks at the app's settings and the file together: what a worker would refuse, and what works against the limits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from limitkit.config import app_check
from limitkit.config.load import CONFIG_VARIABLE
from limitkit.config.wording import count, quote
from limitkit.control.status.drift import few
from limitkit.control.task_limits import declared
from limitkit.doctor.finding import found, of_problem
from limitkit.install_check import problems as of_installation
from limitkit.worker.bypasses import STRANGE_POOL, pool_of
from limitkit.worker.pool.kinds import kind_of
from limitkit.worker.startup_checks import BySettings, refusals

if TYPE_CHECKING:
    from limitkit.config.load import Config
    from limitkit.doctor.finding import Finding, Sheet

MODE_SET: Final = "LK131"
NO_PREFETCH_LIMIT: Final = "LK144"
MUCH_PREFETCHED: Final = "LK145"
PREFETCH_DISABLED: Final = "LK146"
ETA_TASK_LIMIT: Final = "LK147"
UNTOLD: Final = "LK162"
_MUCH: Final = 100
"""Messages that are fetched ahead for each process; Celery's default is 4."""


def look_at_file(sheet: Sheet, config: Config, app: Any) -> None:
    """Note which file is looked at, what it warns of, and where it and the app disagree."""
    rules = config.rules
    limits = {(limit.name, limit.own) for limit in declared(rules)} | {(name, False) for name in rules.named}
    by = ", by LIMITKIT_CONFIG" if os.environ.get(CONFIG_VARIABLE) == config.path else ""
    seen = f"{config.path} ({config.digest}){by}: {count(len(limits), 'limit')}"
    sheet.add("config", "the file", seen, *map(of_problem, config.found))
    if rules.mode != config.file_mode:
        does = {"off": "no limit is kept", "shadow": "limits are counted, and nothing waits for them"}
        fact = f'LIMITKIT_MODE is "{rules.mode}" here, and wins over mode = "{config.file_mode}" in the file'
        then = f"in a worker with this environment {does.get(rules.mode, 'limits are enforced')}"
        mode = found(MODE_SET, "warning", fact, then, "unset LIMITKIT_MODE to go by the file")
        sheet.add("config", "mode", f"{rules.mode}, by LIMITKIT_MODE", mode)
    else:
        sheet.add("config", "mode", rules.mode)
    disagree = [of_problem(each) for each in app_check.problems(config, dict(app.tasks))]
    limited = sum(rules.for_task(name) is not None for name in app.tasks)
    sheet.add("config", "tasks", f"{limited} of the app's tasks have an entry", *disagree)


def look_at_app(sheet: Sheet, config: Config, app: Any) -> None:
    """Note whether the app's workers would keep the limits, by its settings."""
    installed = [of_problem(each) for each in of_installation(config, app)]
    sheet.add("app", "limitkit.install", "the app calls it" if not installed else "as workers find it", *installed)
    known = {each for check in sheet.checks for each in check.findings}
    refused = [each for each in map(of_problem, refusals(config, BySettings(app))) if each not in known]
    sheet.add("app", "start-up", "what makes a worker refuse to start, by the app's settings", *refused)
    _pool(sheet, config, app)
    _prefetch(sheet, app)
    _results(sheet, config, app)


def _pool(sheet: Sheet, config: Config, app: Any) -> None:
    pool = str(app.conf.worker_pool)
    try:
        strange = pool_of(pool)
        paced = kind_of(pool) is not None
    except Exception as error:  # noqa: BLE001 (importing another package's pool runs its code)
        sheet.unknown("app", "pool", f"worker_pool = {quote(pool)} can't be imported here: {type(error).__name__}")
        return
    if strange is not None and not paced:
        fact = (
            f"worker_pool is {strange}, none of Celery's; the guard alone keeps shared limits, and nothing static ones"
        )
        hint = "see how fast tasks start, or use a pool of Celery's"
        problem = config.document.problem(STRANGE_POOL, (), fact, hint, severity="warning")
        sheet.add("app", "pool", f"worker_pool = {quote(pool)}", of_problem(problem))
    else:
        sheet.add("app", "pool", f"worker_pool = {quote(pool)}, which can be paced")


def _prefetch(sheet: Sheet, app: Any) -> None:
    conf = app.conf
    multiplier, noted = int(conf.worker_prefetch_multiplier or 0), list[Any]()
    if multiplier == 0:
        fact = "worker_prefetch_multiplier is 0, so a worker fetches all messages there are"
        then = "the first worker hoards them, others have nothing to start, and what it holds is lost time if it dies"
        noted.append(found(NO_PREFETCH_LIMIT, "warning", fact, then, "set it to 1 to 4"))
    elif multiplier >= _MUCH:
        fact = f"worker_prefetch_multiplier is {multiplier}, so a worker fetches {multiplier} messages for each process"
        then = "others may have nothing to start meanwhile, and urgent tasks wait behind them"
        noted.append(found(MUCH_PREFETCHED, "warning", fact, then, "set it to 1 to 4, more only for tasks of some ms"))
    if getattr(conf, "worker_disable_prefetch", False):
        fact = "worker_disable_prefetch is on, and a task that waits for its limit does not count as fetched"
        then = "a worker still holds such tasks, up to the bounds of [waiting]"
        remedy = "set per_worker and per_limit in [waiting] if it should hold fewer"
        noted.append(found(PREFETCH_DISABLED, "warning", fact, then, remedy))
    most = getattr(conf, "worker_eta_task_limit", None)
    if most:
        fact = f"worker_eta_task_limit is {most}, and the prefetch window never grows beyond it"
        then = "then tasks that wait for limits take the places of tasks that could start, and are parked sooner"
        remedy = "take it out, or set it far above worker_prefetch_multiplier times the processes"
        noted.append(found(ETA_TASK_LIMIT, "warning", fact, then, remedy))
    ahead = f"{multiplier} messages for each process" if multiplier else "no bound"
    kind = str(getattr(conf, "task_default_queue_type", "classic"))
    sheet.add("app", "prefetch", f"{ahead}{', quorum queues' if kind == 'quorum' else ''}", *noted)


def _results(sheet: Sheet, config: Config, app: Any) -> None:
    """Find tasks that may be dropped or failed by a limit, and whose callers can't learn of it."""
    backend = str(app.conf.result_backend or "")
    disabled = not backend or backend.startswith("disabled")
    noted: list[Finding] = []
    by_reason: dict[tuple[str, str], list[str]] = {}
    for name, task in sorted(app.tasks.items()):
        rule = config.rules.for_task(name)
        if rule is None or rule.patience is None:
            continue
        if disabled:
            by_reason.setdefault((rule.patience.action, "the app has no result_backend"), []).append(name)
        elif getattr(task, "ignore_result", False) and not getattr(task, "store_errors_even_if_ignored", False):
            by_reason.setdefault((rule.patience.action, "it ignores results (ignore_result)"), []).append(name)
    for (action, why), names in by_reason.items():
        does = "drop" if action == "drop" else "fail"
        fact = f'limits may {does} {few(names)} (on_limit = "{action}"), and {why}'
        then = "whoever waits for such a task does not learn that it never ran, and a get() may wait for ever"
        remedy = (
            "set result_backend"
            if disabled
            else "set task_store_errors_even_if_ignored = True, or take ignore_result out"
        )
        noted.append(found(UNTOLD, "warning", fact, then, remedy))
    seen = "no result_backend" if disabled else "a result_backend is set"
    sheet.add("app", "results", seen, *noted)
