"""Checks what no value of a test file shows by itself, on plain data: what is malformed is skipped here.

``shape_errors`` reports that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.rules import matches
from limitkit.config.spelling import Nearest
from limitkit.config.test_file.durations import parse_span
from limitkit.config.test_file.fields import LONGEST, MOST_MESSAGES
from limitkit.config.wording import count, listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

_FAULTS: Final = ("kill", "stop", "disconnect", "store", "override", "pause", "resume")
_OF_WORKERS: Final = ("kill", "stop", "disconnect")
_TERMS: Final = ("rate", "max_running")
_EXPECTED: Final = ("started_within", "most", "least", "lost", "drained_by")
_SUBJECTS: Final = ("task", "limit")
_WORKER: Final = re.compile(r"worker-([1-9][0-9]{0,8})")


def of_tests(document: Document) -> Iterator[Problem]:
    """Check all tests of a file: each by itself, and their names."""
    seen: dict[str, int] = {}
    for index, test in _tables(document.data.get("test")):
        path: Path = ("test", index)
        yield from of_scenario(document, path, test)
        yield from _expectations(document, path, test)
        name = test.get("name")
        if isinstance(name, str):
            first = seen.setdefault(name, index)
            if first != index:
                line = document.place(("test", first), "header")[0]
                fact = f"the test in line {line} has the same name, so nobody could tell them apart"
                yield document.problem("LK095", (*path, "name"), fact, "write another name")


def of_scenario(document: Document, path: Path, table: Mapping[str, Any]) -> Iterator[Problem]:
    """Check one test, or a scenario: what it sends, and what goes wrong in it."""
    together = 0
    for index, send in _tables(table.get("send")):
        number = _number(send.get("count", 1))
        together += number
        last = (_seconds(send.get("at")) or 0.0) + (number - 1) * (_seconds(send.get("every")) or 0.0)
        if last > parse_span(LONGEST) and number <= MOST_MESSAGES:
            fact = f"the last of these messages would be sent after more than {LONGEST}"
            yield document.problem("LK096", (*path, "send", index), fact, "send fewer, or sooner", at="header")
        elif together > MOST_MESSAGES >= together - number and number <= MOST_MESSAGES:
            fact = f"with these, {together} messages would be sent, and a play has up to {MOST_MESSAGES}"
            yield document.problem("LK096", (*path, "send", index, "count"), fact, "send fewer")
    workers = table.get("workers", 1)
    for index, fault in _tables(table.get("fault")):
        where = (*path, "fault", index)
        yield from _fault(document, where, fault)
        yield from _workers(document, where, fault, workers)


def _fault(document: Document, path: Path, fault: Mapping[str, Any]) -> Iterator[Problem]:
    kinds = [key for key in _FAULTS if key in fault]
    if not kinds and fault.keys() <= {"at", "for"}:
        fact = "this fault does nothing"
        yield document.problem("LK093", path, fact, f"write one of {listed(_FAULTS)}", at="header")
    for key in kinds[1:]:
        fact = f"this fault is {quote(kinds[0])} already"
        hint = f"write a table for each: [[{'.'.join(str(part) for part in path if isinstance(part, str))}]]"
        yield document.problem("LK093", (*path, key), fact, hint, at="key")
    if kinds == ["store"] and "for" not in fault:
        hint = 'write for how long it is away, e.g. for = "30s"'
        yield document.problem("LK011", path, '"for" is missing', hint, at="header")
    if "for" in fault and kinds and kinds[0] not in ("store", "pause"):
        fact = f"{quote(kinds[0])} happens at once, so for has no meaning here"
        hint = "write it in the override's table" if kinds[0] == "override" else "take it out"
        yield document.problem("LK093", (*path, "for"), fact, hint, at="key")
    override = fault.get("override")
    if isinstance(override, dict):
        yield from _one_of(document, (*path, "override"), override, _SUBJECTS, code="LK093", what="an override is of")
        yield from _one_of(document, (*path, "override"), override, _TERMS, code="LK093", what="an override sets")


def _workers(document: Document, path: Path, fault: Mapping[str, Any], workers: object) -> Iterator[Problem]:
    for key in _OF_WORKERS:
        name = fault.get(key)
        if isinstance(name, str) and isinstance(workers, int) and not isinstance(workers, bool) and workers > 0:
            found = _WORKER.fullmatch(name)
            if found is None or int(found[1]) > workers:
                names = '"worker-1"' if workers == 1 else f'"worker-1" to "worker-{workers}"'
                fact = f"there is no worker {quote(name)}, since the test has {count(workers, 'worker')}"
                yield document.problem("LK092", (*path, key), fact, f"write {names}, or more workers")


def _expectations(document: Document, path: Path, test: Mapping[str, Any]) -> Iterator[Problem]:
    sent = [send["task"] for _, send in _tables(test.get("send")) if isinstance(send.get("task"), str)]
    near, known = Nearest(sent), frozenset(sent)
    for index, expect in _tables(test.get("expect")):
        where = (*path, "expect", index)
        yield from _one_of(document, where, expect, _SUBJECTS, code="LK094", what="an expectation is of")
        if expect.keys() <= {*_SUBJECTS}:  # a misspelt key is reported as such
            fact = "nothing is expected here, so it would always hold"
            yield document.problem("LK094", where, fact, f"write one of {listed(_EXPECTED)}", at="header")
        task = expect.get("task")
        if isinstance(task, str) and sent and task not in known and not any(matches(task, each) for each in sent):
            fact = f"no [[test.send]] of this test sends {quote(task)}, so there is nothing to expect of it"
            hint = suggest(task, near) or f"name a task that is sent: {listed(dict.fromkeys(sent))}"
            yield document.problem("LK090", (*where, "task"), fact, hint)


def _one_of(
    document: Document, path: Path, table: Mapping[str, Any], keys: tuple[str, ...], *, code: str, what: str
) -> Iterator[Problem]:
    """Check that a table has one of these keys, and no two."""
    has = [key for key in keys if key in table]
    if not has:
        yield document.problem(code, path, f"{what} a {' or a '.join(keys)}", f"write {listed(keys)}", at="header")
    for key in has[1:]:
        fact = f"{what} one {' or one '.join(keys)}, not both"
        yield document.problem(code, (*path, key), fact, f"take one of {has[0]} and {key} out", at="key")


def _tables(value: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Go through the tables of an array, whatever else is in it."""
    for index, each in enumerate(value) if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield index, each


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def _seconds(value: object) -> float | None:
    try:
        return parse_span(value) if isinstance(value, str) and len(value) < 64 else None  # noqa: PLR2004
    except ValueError:
        return None
