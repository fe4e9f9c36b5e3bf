"""Rates of celery-heimdall: ``heimdall={"rate_limit": RateLimit((2, 60))}`` is 2 in 60 seconds, across all workers.

Read in its release 1.0.1: it counts runs from the first one on, for ``per`` seconds, under its ``key``. Without a key,
it counts each set of arguments by itself. ``unique``, its lock, is no rate: it stays, with its base class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from limitkit.adopt.found import Edit, Found, Note, Table
from limitkit.adopt.limiter_tasks import NotLiftedError, limit_name
from limitkit.adopt.literals import NotConstantError, definition, value_of
from limitkit.adopt.rates import NoRateError, burst, of_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.adopt.source import Source
    from limitkit.adopt.tasks import Task

_OPTION: Final = "heimdall"
_RATES: Final = ("rate_limit", "times", "per")
_BASE: Final = "HeimdallTask"
_BY_ARGUMENTS: Final = (
    "celery-heimdall counts each set of arguments by itself, since it has no key; the file's limit counts all of them "
    "together"
)


def heimdall_rates(tasks: Sequence[Task]) -> Iterator[Found | Note]:
    """Find the tasks that celery-heimdall limits."""
    for task in tasks:
        found = task.attribute(_OPTION)
        if found is None:
            continue
        source, node, value = found
        try:
            given = definition(source, value) if value is not None else None
            entries = _entries(given)
            if entries is not None and not ("rate_limit" in entries or {"times", "per"} <= {*entries}):
                continue  # only its lock
            yield _found(task, source, node, given, entries)
        except (NotLiftedError, NotConstantError, NoRateError) as error:
            yield Note(source, node, f"heimdall: {error}", "write its entry into the file by hand")


def _entries(node: cst.BaseExpression | None) -> dict[str, cst.DictElement] | None:
    if not isinstance(node, cst.Dict):
        return None
    found: dict[str, cst.DictElement] = {}
    for element in node.elements:
        if not isinstance(element, cst.DictElement) or not isinstance(element.key, cst.SimpleString):
            return None
        found[str(element.key.evaluated_value)] = element
    return found


def _found(
    task: Task,
    source: Source,
    node: cst.CSTNode,
    given: cst.BaseExpression | None,
    entries: dict[str, cst.DictElement] | None,
) -> Found:
    if entries is None or given is None:
        raise NotLiftedError("its options are not written as one dict")
    if task.name is None:
        raise NotLiftedError(task.unnamed)
    if "rate_limit" in entries:
        times, per = _rate(source, entries["rate_limit"].value)
    else:
        times, per = (value_of(source, entries[name].value) for name in ("times", "per"))
    rate: Table = {"strategy": "token_bucket", "rate": of_numbers(times, per), "burst": burst(times)}
    shared = _key(source, entries["key"].value) if "key" in entries else None
    unique = "unique" in entries
    gone = [*_RATES, *([] if unique else ["key"])]
    left = [name for name in entries if name not in gone]
    edits = [Edit(source, entries[name]) for name in gone if name in entries]
    if not left and isinstance(node, cst.Arg):
        edits = [Edit(source, node)]
        base = task.base
        if base is not None and source.resolve(base.value).rpartition(".")[2] == _BASE and not _helps(task):
            edits.append(Edit(source, base))
    elif not left:
        edits = [Edit(source, node)] if source.parents.get(given) is node else edits
    if shared is None:
        alone = task.function is not None and not _takes_arguments(task)
        mention = "" if alone else _BY_ARGUMENTS
        return Found(task.name, rate, task.source, task.node, edits=tuple(edits), mention=mention)
    name = limit_name(shared)
    return Found(task.name, {"limits": [name]}, task.source, task.node, named=((name, rate),), edits=tuple(edits))


def _rate(source: Source, node: cst.BaseExpression) -> tuple[Any, Any]:
    made = definition(source, node)
    if not isinstance(made, cst.Call) or source.resolve(made.func).rpartition(".")[2] != "RateLimit" or not made.args:
        raise NotLiftedError("its rate_limit is not written as RateLimit((times, per))")
    pair = definition(source, made.args[0].value)
    if not isinstance(pair, (cst.Tuple, cst.List)) or len(pair.elements) != 2:  # noqa: PLR2004 (times, per)
        raise NotLiftedError("its rate is worked out for each call")
    times, per = (value_of(source, element.value) for element in pair.elements)
    return times, per


def _key(source: Source, node: cst.BaseExpression) -> str:
    made = definition(source, node)
    try:
        text = value_of(source, made.body if isinstance(made, cst.Lambda) else made)
    except NotConstantError:
        raise NotLiftedError("its key is worked out for each call") from None
    if not isinstance(text, str) or not text:
        raise NotLiftedError("its key is not a string")
    return text


def _helps(task: Task) -> bool:
    """Whether the task's code uses what the base class has for it."""
    code = task.source.code(task.function) if task.function is not None else ""
    return "only_after" in code or "heimdall_" in code


def _takes_arguments(task: Task) -> bool:
    if task.function is None:
        return True
    params = task.function.params
    count = len(params.posonly_params) + len(params.params) + len(params.kwonly_params)
    bound = task.own is not None or "bind" in task.options
    return count > (1 if bound else 0) or isinstance(params.star_arg, cst.Param) or params.star_kwarg is not None
