"""What ``plan`` writes for people and for programs: text for a terminal, and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.cli.output import Drawn, styled
from limitkit.cli.table_width import as_wide_as_the_terminal, width_of_terminal, wrapped
from limitkit.config.wording import count, one_line, shorten, span
from limitkit.trial.plan.changes import EFFECTS
from limitkit.trial.plan.worst_windows import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from limitkit.trial.figures import Row
    from limitkit.trial.plan.changes import Change, Plan, Worst
    from limitkit.trial.plan.waits import Waited

HEADINGS: Final = {"looser": "Lets more through", "stricter": "Lets less through", "other": "Other changes"}
WORST_COLUMNS: Final = (*WINDOWS, "at once")
WAITS_COLUMNS: Final = ("p50", "p95", "longest", "drained at", "given up")
_COUNTS: Final = ("started", "still waiting")
NOTHING: Final = "nothing changes in what the file means"
_COLORS: Final = {"looser": "red", "stricter": "yellow", "other": None}
_SIGNS: Final = {"add": "+", "remove": "-", "change": "~", "rename": "~"}
_SHOWN: Final = 20
"""Names of tasks that are listed; JSON has all of them."""


def lines(plan: Plan) -> Iterator[str]:
    """Write a plan for a terminal."""
    yield from _wrapped(f"{plan.old} -> {plan.new}: {summary(plan)}")
    for effect in EFFECTS:
        those = [each for each in plan.changes if each.effect == effect]
        if those:
            yield ""
            yield styled(HEADINGS[effect], bold=True, fg=_COLORS[effect])
            for each in those:
                yield from _change(each)
    yield from _worst(plan.worst)
    yield from _waits(plan.waits)
    if plan.notes:
        yield ""
        yield styled("When it is deployed", bold=True)
        for note in plan.notes:
            yield from _wrapped(f"  {note}", "  ")


def summary(plan: Plan) -> str:
    """Count the changes; the dangerous ones apart."""
    if not plan.changes:
        return NOTHING
    looser = plan.count("looser")
    more = "lets more through" if looser == 1 else "let more through"
    return f"{count(len(plan.changes), 'change')}, {looser or 'none'} {more if looser else 'lets more through'}"


def title(change: Change) -> str:
    """Name what has changed."""
    whole = change.subject if change.subject != change.field else ""
    parts = [whole, change.field] if change.field else [whole]
    return f"{whole} {change.field}" if whole.startswith("[") or " " in whole else ".".join(filter(None, parts))


def where(change: Change) -> str:
    """Say where it is declared, in the new file and in the old one."""
    if change.new is None:
        return f"was {change.old}" if change.old is not None else ""
    return f"{change.new}{f', was {change.old}' if change.old is not None else ''}"


def said(change: Change) -> str:
    """Write what a change does as a sentence."""
    text = change.message
    return f"{text[:1].upper()}{text[1:]}." if not text.startswith('"') else f"{text}."


def names(change: Change, most: int = _SHOWN) -> str:
    """List the tasks, or queues, of a change."""
    more = f" and {len(change.names) - most} more" if len(change.names) > most else ""
    return f"{', '.join(change.names[:most])}{more}"


def cell(before: int | None, after: int | None) -> str:
    """Write what may start in one window, before and after."""
    was, now = ("no limit" if each is None else f"{each:,}" for each in (before, after))
    return _arrow(was, now)


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def worst_rows(worst: Iterable[Worst]) -> list[tuple[str, ...]]:
    """Return the rows of the table of worst windows; a limit without a number has none in that column."""
    rows = []
    for each in worst:
        pairs = zip(each.before, each.after, strict=True)
        cells = ["-" if was is now is None else cell(was, now) for was, now in pairs]
        rows.append((each.subject, *cells))
    return rows


def worst_below(worst: Iterable[Worst]) -> Iterator[str]:
    """Say of which limits schedules and partitions count in the table of worst windows."""
    for each in worst:
        if each.highest:
            whose = [f"its {of.of} ({_arrow(of.before or 'none', of.after or 'none')})" for of in each.highest]
            yield f"{each.subject}: this counts what is highest in {' and in '.join(whose)}."


def as_json(plan: Plan) -> dict[str, Any]:
    """Write a plan for programs."""
    return {
        "version": 1,
        "old": plan.old,
        "new": plan.new,
        "summary": {effect: plan.count(effect) for effect in EFFECTS},
        "changes": [_change_json(each) for each in plan.changes],
        "worst": [_worst_json(each) for each in plan.worst],
        "notes": list(plan.notes),
        "waits": [
            {"task": each.task, "before": _waits_json(each.before), "after": _waits_json(each.after)}
            for each in plan.waits
        ],
    }


def _change_json(change: Change) -> dict[str, Any]:
    old, new = change.old, change.new
    return {
        "action": change.action,
        "kind": change.kind,
        "subject": change.subject,
        "field": change.field,
        "before": change.before,
        "after": change.after,
        "effect": change.effect,
        "message": change.message,
        "new_buckets": change.new_buckets,
        "names": list(change.names),
        "path": new.path if new is not None else None,
        "line": new.line if new is not None else None,
        "old_path": old.path if old is not None else None,
        "old_line": old.line if old is not None else None,
    }


def _worst_json(worst: Worst) -> dict[str, Any]:
    keys = [heading.replace(" ", "_") for heading in WORST_COLUMNS]
    return {
        "limit": worst.subject,
        "before": dict(zip(keys, worst.before, strict=True)),
        "after": dict(zip(keys, worst.after, strict=True)),
        "highest": {each.of: {"before": each.before, "after": each.after} for each in worst.highest},
    }


def _waits_json(row: Row) -> dict[str, Any]:
    return {
        "sent": row.sent,
        "started": row.started,
        "waiting": row.waiting,
        "p50": row.waits.p50 if row.waits is not None else None,
        "p95": row.waits.p95 if row.waits is not None else None,
        "longest": row.waits.longest if row.waits is not None else None,
        "drained_at": row.drained_at,
    }


def waits_columns(waits: Sequence[Waited]) -> tuple[str, ...]:
    """Return the headings of the table of waits; how many have started is there where not all have."""
    return (*_COUNTS, *WAITS_COLUMNS) if _some_never(waits) else WAITS_COLUMNS


def waits_below(waits: Sequence[Waited]) -> Iterator[str]:
    """Say what the waits are of, where not all have started."""
    if _some_never(waits):
        yield "Waits are of those that have started, so before and after they may be of other messages."


def _some_never(waits: Sequence[Waited]) -> bool:
    return any(row.started < row.sent for each in waits for row in (each.before, each.after))


def waits_rows(waits: Sequence[Waited]) -> list[tuple[str, ...]]:
    """Return the rows of the table of waits: before and after, where that differs."""
    rows, counted = [], _some_never(waits)
    for each in waits:
        was, now = (_waits_cells(row, counted=counted) for row in (each.before, each.after))
        rows.append((each.task, *(_arrow(one, other) for one, other in zip(was, now, strict=True))))
    return rows


def _waits_cells(row: Row, *, counted: bool) -> list[str]:
    counts = [f"{row.started:,}", f"{row.waiting:,}"] if counted else []
    quantiles = [row.waits.p50, row.waits.p95, row.waits.longest] if row.waits is not None else [None] * 3
    cells = ["-" if each is None else "0s" if not each else span(each) for each in quantiles]
    drained = "still waits" if row.waiting else "-" if row.drained_at is None else span(row.drained_at)
    return [*counts, *cells, drained, str(row.dropped + row.failed)]


def _change(change: Change) -> Iterator[str]:
    head = f"  {_SIGNS[change.action]} {title(change)}"
    if change.before is not None or change.after is not None:
        head += f": {shorten(change.before or 'none', 200)} -> {shorten(change.after or 'none', 200)}"
    yield from _wrapped(head, "    ")
    yield from _wrapped(f"      {said(change)}", "      ")
    if change.names:
        yield from _wrapped(f"      {names(change)}", "      ")
    if where(change):
        yield styled(f"      {where(change)}", dim=True)


def _worst(worst: Sequence[Worst]) -> Iterator[str]:
    rows = worst_rows(worst)
    if rows:
        yield ""
        yield styled("The most that may start", bold=True)
        first = ("limit", "in an hour", "at once", "in a minute", "in a second", "in a day")
        yield from as_wide_as_the_terminal(("limit", *WORST_COLUMNS), rows, numbers=WORST_COLUMNS, first=first)
        for said in worst_below(worst):
            yield from _wrapped(said, "  ")


def _waits(waits: Sequence[Waited]) -> Iterator[str]:
    rows = waits_rows(waits)
    if rows:
        yield ""
        yield styled("What tasks wait", bold=True)
        columns = waits_columns(waits)
        first = ("task", "started", "still waiting", "p95", "drained at", "longest", "p50", "given up")
        order = [each for each in first if each in ("task", *columns)]
        yield from as_wide_as_the_terminal(("task", *columns), rows, numbers=columns, first=order)
        for said in waits_below(waits):
            yield from _wrapped(said, "  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    begin = text[: len(text) - len(text.lstrip())]
    width = width_of_terminal()
    found = wrapped(text.strip(), None if width is None else width - len(begin), indent[len(begin) :])
    return [Drawn(f"{begin}{one_line(line)}") for line in found]
