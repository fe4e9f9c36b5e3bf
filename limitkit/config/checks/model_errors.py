"""Finds errors of meaning, placed in the file, also when the shape of the file is broken elsewhere."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks import between_tables, costs, terms
from limitkit.config.checks.declared_limits import rate_of, table_of
from limitkit.config.model.cross_checks import cross_checked_limit, cross_checked_task
from limitkit.config.model.fields import files_meaning
from limitkit.config.wording import quote, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.config.model.tables import RateLimits
    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

UNUSABLE_FILE: Final = "LK056"


def check(document: Document, model: RateLimits | None, found: Iterable[dict[str, Any]]) -> list[Problem]:
    """Check the meaning; the problems include warnings. ``found`` are the model's errors, when there is no model."""
    problems = [_placed(document, error) for error in found if error["type"] == "meaning"]
    problems += _between_keys(document)
    problems += _misfits(document)
    problems += terms.check(document)
    problems += costs.check(document)
    problems += between_tables.check(document)
    if model is not None and model.store.url is not None:
        problems += _unusable_files(document, model.store.url)
    return problems


def unreported(document: Document, found: Iterable[dict[str, Any]]) -> list[Problem]:
    """Report each value that the model rejects, for the case that no other check has found a problem."""
    problems = []
    for error in found:
        path, value = _found_at(document, error["loc"])
        fact = f"{show(value)} can't be used here" if path else "this can't be used"
        problems.append(document.problem("LK029", path, fact, f"write another value ({error['msg']})"))
    return problems


def _placed(document: Document, error: dict[str, Any]) -> Problem:
    context = error["ctx"]
    return document.problem(context["code"], _found_at(document, error["loc"])[0], context["fact"], context["hint"])


def _found_at(document: Document, location: Iterable[str | int]) -> tuple[Path, Any]:
    """Return the path to a value that the model means, as far as the file has it, and what is there.

    Of a value in a short form, such as ``cost = 5``, the model reads a table.
    """
    value: Any = document.data
    path: Path = ()
    with suppress(LookupError, TypeError):
        for part in location:
            if isinstance(value, str):  # it has letters, and not the parts that are meant
                break
            value = value[part]
            path = (*path, part)
    return path, value


def _between_keys(document: Document) -> Iterator[Problem]:
    for section, judge in (("limits", cross_checked_limit), ("tasks", cross_checked_task)):
        for name, table in table_of(document.data.get(section)).items():
            for fault in judge(table) if isinstance(table, dict) else ():
                path = (section, name, fault.key) if fault.key else (section, name)
                yield document.problem(fault.code, path, fault.fact, fault.hint, at=fault.at)


def _unusable_files(document: Document, url: str) -> Iterator[Problem]:
    """Warn of files that the store's address names and that are missing here: the workers' machines may have them."""
    for fact, hint in files_meaning(url):
        yield document.problem(UNUSABLE_FILE, ("store", "url"), fact, hint, severity="warning")


def _misfits(document: Document) -> Iterator[Problem]:
    """Find rates of a feedback table that have no effect, or do not fit each other or the limit's own rate."""
    for section in ("limits", "tasks"):
        for name, table in table_of(document.data.get(section)).items():
            feedback = table_of(table_of(table).get("feedback"))
            recover, path = table_of(feedback.get("recover")), (section, name, "feedback", "recover")
            if feedback.get("action") == "pause" and "recover" in feedback:
                fact = "a pause leaves the rate as it is, so recover has no meaning here"
                yield document.problem("LK033", path, fact, 'take it out, or write action = "slow"', at="key")
            if not recover:
                continue
            own, floor, ceiling = map(
                rate_of, (table_of(table).get("rate"), recover.get("floor"), recover.get("ceiling"))
            )
            if own is not None and ceiling is not None and ceiling.per_second > own.per_second:
                fact = f"{quote(ceiling.text)} is above the limit's own rate, {quote(own.text)}"
                yield document.problem("LK033", (*path, "ceiling"), fact, "write at most that, or take it out")
            top = own if ceiling is None else ceiling
            if floor is not None and top is not None and floor.per_second > top.per_second:
                fact = f"{quote(floor.text)} is above {quote(top.text)}, up to which the rate comes back"
                yield document.problem("LK033", (*path, "floor"), fact, "write at most that, or take it out")
