"""The text of ``simulate``: what was played, tables of tasks and limits, what it costs, and what it can't know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.cli.simulate.numbers import bytes_text, count_text, number_text, time_text
from limitkit.cli.simulate.promises import allowed, debts, over
from limitkit.cli.table_width import fitted, wrapped
from limitkit.config.wording import count
from limitkit.trial.figures import HELD_BYTES
from limitkit.trial.not_known import not_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.cli.simulate.played import Played
    from limitkit.trial.figures import Peak, Row

_COMMON: Final = ("started", "p50", "p95", "max", "backlog", "drained at")
_FATES: Final = ("waiting", "started again", "dropped", "failed", "lost")
_LIMITS: Final = ("limit", "declared", "sent", *_COMMON, "in 1s", "in 1m", "buckets", "at once", *_FATES)
_LIMITS_FIRST: Final = ("limit", *_COMMON, "waiting", "lost", "declared", "in 1s", "in 1m", "at once")
_TASKS: Final = ("task", "sent", *_COMMON, "in 1s", "in 1m", *_FATES)
_TASKS_FIRST: Final = ("task", *_COMMON, "waiting", "lost", "sent", "in 1s")
_LEFT: Final = ("limit", "task", "declared")
_INDENT: Final = "  "


def report(played: Played, width: int | None) -> list[str]:
    """Return what comes before the charts; ``width`` is that of the terminal, if there is one.

    Waits are from sending to the first start. ``in 1s`` and ``in 1m`` are the most starts of one bucket in any second
    and minute, and how many the file allows.
    """
    figures = played.figures
    limits, tasks = [_limit(played, row) for row in figures.limits], [_task(row) for row in figures.tasks]
    lines = [each for said in _head(played) for each in wrapped(said, width)]
    for headings, first, cells in ((_LIMITS, _LIMITS_FIRST, limits), (_TASKS, _TASKS_FIRST, tasks)):
        order = (*first, *(heading for heading in headings if heading not in first))
        numbers = [heading for heading in headings if heading not in _LEFT]
        lines += ["", *fitted(headings, cells, width=width, first=order, numbers=numbers)] if cells else []
    return [
        *lines,
        "",
        *(each for said in (*_cost(played), *debts(played), *over(played)) for each in wrapped(said, width)),
    ]


def below(played: Played, width: int | None) -> list[str]:
    """Return what comes after the charts: what workers have logged, and what this can't know."""
    lines: list[str] = []
    unknown = not_known(played.scenario, played.limits, played.figures, traced=played.traced)
    for title, said in (("Workers logged:", played.outcome.warnings), ("What this can't know:", list(unknown))):
        lines += ["", title] if said else []
        lines += [line for each in said for line in wrapped(f"- {each}", width, _INDENT)]
    return lines


def _head(played: Played) -> Iterator[str]:
    scenario, figures, whole = played.scenario, played.figures, played.figures.whole
    workers = f"{count(scenario.workers, 'worker')} with {_processes(scenario.processes)}"
    sent = f"{whole.sent:,} message{'' if whole.sent == 1 else 's'}"
    yield f"{played.source} under {played.path}: {sent}, {workers}, seed {played.seed}."
    gone = ", ".join(f"{number:,} {fate}" for fate, number in _fates(whole) if number)
    if whole.drained_at is not None:
        yield f"The last one began after {time_text(whole.drained_at)}{f'; {gone}' if gone else ''}."
    elif whole.sent:
        begun = f"After {time_text(figures.ended)}, {whole.started:,} of them have started"
        yield f"{begun}; {gone}. Waits are of those that have."


def _processes(number: int) -> str:
    return f"{number} process{'' if number == 1 else 'es'}"


def _fates(row: Row) -> tuple[tuple[str, int], ...]:
    return (
        ("still waiting", row.waiting),
        ("started again", row.again),
        ("dropped", row.dropped),
        ("failed", row.failed),
        ("lost", row.lost),
    )


def _limit(played: Played, row: Row) -> tuple[str, ...]:
    limit = played.limits.get(row.name)
    kept = limit is not None and limit.mode == "enforce"
    declared = "-" if limit is None else limit.text if kept else f"{limit.text} ({limit.mode})"
    windows = (_of(row.second, allowed(limit, row, 1)), _of(row.minute, allowed(limit, row, 60)))
    buckets = count_text(row.buckets) if row.buckets != 1 else "-"
    return row.name, declared, *_counted(row), *windows, buckets, count_text(row.most_running or 0), *_more(row)


def _task(row: Row) -> tuple[str, ...]:
    return row.name, *_counted(row), f"{row.second.most:,}", f"{row.minute.most:,}", *_more(row)


def _counted(row: Row) -> tuple[str, ...]:
    waits = row.waits
    said = (waits.p50, waits.p95, waits.longest) if waits is not None else (None, None, None)
    drained = time_text(row.drained_at)
    return f"{row.sent:,}", f"{row.started:,}", *map(time_text, said), f"{row.backlog.most:,}", drained


def _more(row: Row) -> tuple[str, ...]:
    return tuple(count_text(number) for _, number in _fates(row))


def _of(peak: Peak, most: int | None) -> str:
    return f"{peak.most:,}" if most is None else f"{peak.most:,} of {most:,}"


def _cost(played: Played) -> Iterator[str]:
    figures = played.figures
    each = f", {number_text(figures.store_calls / figures.whole.started)} a start" if figures.whole.started else ""
    room = f"; {figures.room_calls:,} of the waiting room" if figures.room_calls else ""
    back = f"; {figures.sent_back:,} messages sent back to their queues" if figures.sent_back else ""
    yield f"Calls of the store: {figures.store_calls:,}{each}{room}{back}."
    held = f"a worker holds up to {figures.most_held:,} messages: about {bytes_text(figures.held_bytes)}"
    parked = ""
    if figures.most_parked:
        parked = f". Up to {figures.most_parked:,} are parked: about {bytes_text(figures.parked_bytes)} in the broker"
    yield f"Memory: {held}, at {bytes_text(HELD_BYTES)} each{parked}; long arguments come on top."
