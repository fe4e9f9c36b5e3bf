"""Checks costs, settles and keys that tasks and queues give to limits: whether those can have them, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.declared_limits import DeclaredLimit, entries_of, named_in, table_of
from limitkit.config.checks.terms import key_parts
from limitkit.config.model.cost_errors import cost_number_fault
from limitkit.config.wording import dotted, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

_CAN: Final[Mapping[str, frozenset[str]]] = {
    "cost": frozenset({"static", "token_bucket", "per_user", "window"}),
    "settle": frozenset({"token_bucket", "per_user", "window"}),
}
"""The strategies that can have each key."""
_WHY: Final = {
    "concurrency": "a concurrency limit counts what runs, one slot each",
    "static": "a static limit counts at the start alone, in each worker's memory",
}


def check(document: Document) -> Iterator[Problem]:
    """Find costs, settles and keys without a meaning, and costs that no bucket holds."""
    known = named_in(document)
    for section in ("tasks", "queues"):
        for name, table in table_of(document.data.get(section)).items():
            if not isinstance(table, dict):
                continue
            path = (section, name)
            for entry in entries_of(path, table):
                if entry.name in known:
                    yield from _entry(document, entry.path, entry.said, known[entry.name])
            if section == "tasks":
                yield from _task(document, path, table, known)


def _entry(document: Document, path: Path, said: dict[str, Any], limit: DeclaredLimit) -> Iterator[Problem]:
    yield from _given(document, path, said, [limit])
    if "key" not in said:
        return
    if "key" not in limit.table and limit.strategy:
        fact = f"{dotted(limit.path)} has one bucket for all, so a key of its own has no meaning here"
        yield document.problem("LK079", (*path, "key"), fact, "take it out, or give the limit a key", at="key")
    fair_by = key_parts(limit.table.get("fair_by"))
    if fair_by and set(fair_by) <= set(key_parts(said["key"])):
        fact = f"{dotted(limit.path)} takes turns by it, and with this key each value would have a bucket of its own"
        yield document.problem("LK072", (*path, "key"), fact, "take it out, or name another argument", at="key")


def _task(document: Document, path: Path, table: dict[str, Any], known: dict[str, DeclaredLimit]) -> Iterator[Problem]:
    """Check what a task says for its own limit, or for all that it names."""
    if "limits" not in table:
        yield from _given(document, path, table, [DeclaredLimit(path, table)])
        return
    entries = entries_of(path, table)
    if table["limits"] == []:
        for key in [key for key in _CAN if key in table]:
            fact = f"the task has no limit, so {key} has no meaning here"
            yield document.problem("LK070", (*path, key), fact, "take it out", at="key")
        return
    for key in [key for key in _CAN if key in table]:
        limits = [known[entry.name] for entry in entries if entry.name in known and key not in entry.said]
        yield from _given(document, path, {key: table[key]}, limits)


def _given(document: Document, path: Path, said: dict[str, Any], limits: list[DeclaredLimit]) -> Iterator[Problem]:
    """Check a cost and a settle that are given to some limits: one of them at least must be able to have it."""
    limits = [limit for limit in limits if limit.strategy]
    for key in [key for key in _CAN if key in said and limits]:
        able = [limit for limit in limits if limit.strategy in _CAN[key]]
        if not able:
            fact = f"{_WHY.get(limits[0].strategy, limits[0].strategy)}, so {key} has no meaning here"
            yield document.problem("LK070", (*path, key), fact, "take it out", at="key")
        elif key == "cost":
            yield from _too_much(document, (*path, key), said[key], able)


def _too_much(document: Document, path: Path, cost: object, limits: list[DeclaredLimit]) -> Iterator[Problem]:
    """Find the first limit whose bucket does not hold a cost that is known from the file."""
    path = (*path, "default") if isinstance(cost, dict) else path
    number = cost.get("default", 1) if isinstance(cost, dict) else cost
    if not isinstance(number, int) or isinstance(number, bool) or cost_number_fault(number):
        return  # that has a message of its own
    for limit in limits:
        window = limit.strategy == "window"
        for share in limit.shares():
            if share.most is None or not 1 <= share.most < number:
                continue
            holds = f"rate {show(share.table['rate'])}" if window else f"burst {show(share.table.get('burst', 1))}"
            fact = f"{show(number)} is more than {dotted(share.path)} holds ({holds}), so each start would leave debt"
            masked = hasattr(number, "masked")
            remedy = (
                "write a larger rate" if window else "write a larger burst" if masked else f"write burst = {number}"
            )
            yield document.problem("LK069", path, fact, f"{remedy} there, or a smaller cost")
            return
