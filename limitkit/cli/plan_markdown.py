"""What ``plan`` writes for a pull request: tables in GitHub's Markdown, in which no name can be more than a name.

Names, keys and values come from the file of whoever opens the pull request. They stand in spans of code, where nothing
is a link, a mention or HTML; in sentences, all signs of Markdown are escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from limitkit.cli.plan_text import (
    HEADINGS,
    WORST_COLUMNS,
    names,
    said,
    summary,
    title,
    waits_below,
    waits_columns,
    waits_rows,
    where,
    worst_below,
    worst_rows,
)
from limitkit.config.wording import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from limitkit.trial.plan.changes import Change, Plan

_ROOM: Final = 19_000
"""Characters of a table: GitHub takes comments of up to 65,536."""
_LONGEST: Final = 300
_BELOW: Final = 5
"""Lines below a table."""
_SIGNS: Final = re.compile(r"[\\`*_\[\]<#!|~$&]")
_AS_HTML: Final = {"&": "&amp;", "<": "&lt;"}
_NOT_LINKED: Final = re.compile(r"@|#(?=\d)|(?<=GH)-(?=\d)|(?<=:)//|(?<=www)\.|(?<=\w):(?=\w)", re.IGNORECASE)
"""After these signs GitHub makes links, mentions and pictures also of plain text."""
_NOTHING: Final = "&#8203;"
"""A space without width, which ends what would be linked."""


def markdown(plan: Plan) -> Iterator[str]:
    """Write a plan as a comment."""
    yield f"**limitkit plan**: {text(summary(plan))}"
    if plan.changes:
        yield from _table(
            ["", "what", "before", "after", "what it does", "where"], map(_change, plan.changes), "changes"
        )
    rows = worst_rows(plan.worst)
    if rows:
        at = [at for at in range(1, len(WORST_COLUMNS) + 1) if any(row[at] != "-" for row in rows)]
        cells = ([code(row[0]), *(text(row[each]) for each in at)] for row in rows)
        yield from ("", "The most that may start:")
        yield from _table(["limit", *(WORST_COLUMNS[each - 1] for each in at)], cells, "limits")
        yield from _below(worst_below(plan.worst))
    waits = waits_rows(plan.waits)
    if waits:
        yield from ("", "What tasks wait:")
        columns = waits_columns(plan.waits)
        yield from _table(["task", *columns], ([code(row[0]), *map(text, row[1:])] for row in waits), "tasks")
        yield from _below(waits_below(plan.waits))
    if plan.notes:
        yield from ("", "When it is deployed:", "")
        yield from (f"- {text(note)}" for note in plan.notes)


def code(words: str) -> str:
    """Write a text as a span of code in a table; empty without any."""
    words = shorten(one_line(words), _LONGEST)
    if not words.strip():
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", words)), default=0))
    pad = " " if words[0] in "` " or words[-1] in "` " else ""
    return f"{fence}{pad}{words}{pad}{fence}".replace("|", "\\|")


def text(words: str) -> str:
    """Write a sentence, which may have names in it, as plain text."""
    plain = _NOT_LINKED.sub(lambda sign: f"\0{sign[0]}\0", one_line(words))
    escaped = _SIGNS.sub(lambda sign: _AS_HTML.get(sign[0], f"\\{sign[0]}"), plain)
    return escaped.replace("\0", _NOTHING)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], what: str) -> Iterator[str]:
    """Draw a table, as much of it as has room in a comment."""
    yield ""
    yield _row(headings)
    yield _row(["---"] * len(headings))
    room, left = _ROOM, 0
    for row in rows:
        line = _row(row)
        room -= len(line) + 1
        if room < 0:
            left += 1
        else:
            yield line
    if left:
        yield from ("", f"{left} more {what} do not fit here.")


def _below(said: Iterable[str]) -> Iterator[str]:
    """Write what is to be known of a table, as much of it as has room in a comment."""
    shown = list(said)
    for each in shown[:_BELOW]:
        yield from ("", text(shorten(each, _LONGEST)))


def _change(change: Change) -> list[str]:
    effect = f"**{HEADINGS[change.effect].lower()}**" if change.effect == "looser" else HEADINGS[change.effect].lower()
    told = text(said(change))
    if change.names:
        told += f" {code(names(change))}"
    place = [effect if change.effect != "other" else "", code(title(change))]
    return [*place, code(change.before or ""), code(change.after or ""), told, code(where(change))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
