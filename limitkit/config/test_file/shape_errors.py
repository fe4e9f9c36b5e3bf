"""Says what is wrong with the shape of a test file: turns pydantic's errors into problems."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.spelling import Nearest
from limitkit.config.test_file.tables import TABLES, CaseTable, LimitsTests
from limitkit.config.wording import listed, quote, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.model.table import Table
    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

_KINDS: Final = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "dict_type": "a table",
    "model_type": "a table",
    "list_type": "an array",
    "datetime_type": "a date and time",
    "datetime_from_date_parsing": "a date and time",
}
_CODES: Final = {"greater_than_equal": "LK015", "less_than_equal": "LK015", "literal_error": "LK014"}
_EXAMPLES: Final = {
    **dict.fromkeys(("at", "every", "for", "in", "until"), '"8s"'),
    **dict.fromkeys(("started_within", "drained_by"), '"8s"'),
    **dict.fromkeys(("most", "least"), '{ starts = 100, in = "10s" }'),
    "task_seconds": '"200ms", or { "emails.campaign" = "200ms" }',
    "begins_at": "2026-01-05T00:00:00Z",
    "override": '{ limit = "gateway", rate = "5/s" }',
    **dict.fromkeys(("kill", "stop", "disconnect"), '"worker-1"'),
    **dict.fromkeys(("pause", "resume"), '"gateway"'),
    "args": '["acme", 42]',
    "kwargs": '{ tenant_id = "acme" }',
    "headers": '{ tenant = "acme" }',
    "config": '"ratelimits.toml"',
    "rate": '"5/s"',
}
"""What may stand at a key."""
_MISSING: Final = {
    "name": 'write what it shows, e.g. name = "a campaign holds up no receipt"',
    "task": 'write which task it is, e.g. task = "emails.campaign"',
    "at": 'write when it happens, e.g. at = "8s"',
    "starts": "write how many, e.g. starts = 100",
    "in": 'write in which time, e.g. in = "10s"',
    "test": 'write one: [[test]] with name = "a campaign holds up no receipt"',
    "send": 'write what is sent: [[{}]] with task = "emails.campaign"',
    "expect": 'write what must hold: [[{}]] with task = "emails.campaign" and lost = 0',
}
_OTHER_WORDS: Final = {
    "task": "tasks name task_name",
    "count": "n number amount times repeat messages",
    "every": "interval period gap delay spacing",
    "at": "after time when start begin from countdown",
    "args": "arguments positional",
    "kwargs": "keywords named",
    "send": "sends sending message messages arrivals",
    "fault": "faults event events failure chaos",
    "expect": "expects expected expectation expectations assert must then",
    "test": "tests case cases",
    "until": "end ends duration length timeout max_time",
    "workers": "worker",
    "processes": "concurrency pool pool_size",
    "prefetch_multiplier": "worker_prefetch_multiplier prefetch",
    "task_seconds": "seconds runtime run_time task_duration takes",
    "begins_at": "begin start starts_at now clock date",
    "started_within": "starts_within within max_wait waits_at_most",
    "drained_by": "drained done_by finished_by empty_by drained_in",
    "most": "max maximum at_most",
    "least": "min minimum at_least",
    "in": "per window within every",
    "starts": "count number n",
    "for": "duration seconds during",
    "override": "set rate",
}
_MEANT: Final = {(key, word): key for key, words in _OTHER_WORDS.items() for word in words.split()}


def problems_of(document: Document, found: Iterable[dict[str, Any]], root: type[Table]) -> list[Problem]:
    """Turn the errors of a model into problems; ``root`` is the model of the whole file."""
    return [_problem(document, error, root) for error in found]


def _problem(document: Document, error: dict[str, Any], root: type[Table]) -> Problem:
    kind, context, path = error["type"], error.get("ctx", {}), _in_file(document, error["loc"])
    if kind == "missing":
        return missing(document, path, str(error["loc"][-1]))
    if kind == "too_short":
        return missing(document, path[:-1], str(path[-1]))
    if kind == "extra_forbidden":
        return document.problem("LK010", path, "unknown key", _known(path, root), at="key")
    if kind == "meaning":
        return document.problem(context["code"], path, context["fact"], context["hint"])
    return document.problem(_CODES.get(kind, "LK013"), path, *_of_value(path, error, root))


def _of_value(path: Path, error: dict[str, Any], root: type[Table]) -> tuple[str, str]:
    """Write fact and hint for a value of a wrong type, or out of its bounds."""
    kind, value = error["type"], error["input"]
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"{show(value)} is out of range", _bounds(path, root)
    if kind == "literal_error":
        return f"{show(value)} is not a value of {key}", suggest(value, ["away"]) or 'write store = "away"'
    if kind in _KINDS:
        shown = f"the string {show(value)}" if isinstance(value, str) else show(value)
        return f"{shown} stands where {_KINDS[kind]} belongs", _written(path, key, kind)
    return f"{show(value)} can't be used here", f"write another value ({error['msg']})"


def missing(document: Document, table: Path, key: str) -> Problem:
    """Say that a table lacks a key."""
    whole = ".".join(str(part) for part in (*table, key) if isinstance(part, str))
    return document.problem("LK011", table, f'"{key}" is missing', _MISSING[key].format(whole), at="header")


def _in_file(document: Document, location: Iterable[str | int]) -> Path:
    """Return a location as far as the file has it: of a value in a short form the model reads a table."""
    value: Any = document.data
    path: Path = ()
    with suppress(LookupError, TypeError):
        for part in location:
            if not isinstance(value, (dict, list)):
                break
            inner: Any = value
            value = inner[part]
            path = (*path, part)
    return path


def _known(path: Path, root: type[Table]) -> str:
    """Say which key is meant, or which ones a table may have."""
    key, table = str(path[-1]), _table_at(path[:-1], root)
    names = [field.alias or name for name, field in table.model_fields.items()]
    plain = key.casefold().replace("-", "_")
    if root is LimitsTests and len(path) == 1 and plain in CaseTable.model_fields:
        return "write it in a test, below [[test]]"
    meant = next((name for name in names if (name, plain) in _MEANT), None)
    if meant is not None:
        return f"did you mean {quote(meant)}?"
    return suggest(key, Nearest(names)) or f"take it out; known here: {listed(names, 'and')}"


def _table_at(path: Path, root: type[Table]) -> type[Table]:
    names = [part for part in path if isinstance(part, str)]
    return TABLES.get(names[-1], root) if names else root


def _bounds(path: Path, root: type[Table]) -> str:
    """Say from where to where a number may be."""
    fields = {field.alias or name: field for name, field in _table_at(path[:-1], root).model_fields.items()}
    found = [*fields[str(path[-1])].metadata]
    least = next(each.ge for each in found if hasattr(each, "ge"))
    most = next(each.le for each in found if hasattr(each, "le"))
    return f"write a whole number from {least} to {most}"


def _written(path: Path, key: str, kind: str) -> str:
    """Say how to write a value of the right type."""
    if kind == "list_type" and key in TABLES:
        return f"write it in two brackets: [[{'.'.join(part for part in path if isinstance(part, str))}]]"
    if key in _EXAMPLES and path[-1] == key:
        return f"write e.g. {key} = {_EXAMPLES[key]}"
    if kind == "string_type":
        return 'write a duration, e.g. "200ms"' if "task_seconds" in path else "write a string in quotes"
    return {"int_type": "write a whole number, e.g. 4", "int_from_float": "write a whole number, e.g. 4"}.get(
        kind, "write a table, e.g. { … }"
    )
