"""Tasks whose base class limits them: as named buckets, and as limits for each user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import libcst as cst

from limitkit.adopt.found import Edit, Found, Note, Table
from limitkit.adopt.limiter_classes import (
    BUCKET,
    USERS,
    Limiter,
    asked_in,
    is_retry,
    limiter_of,
    statements_of,
    uses_of,
)
from limitkit.adopt.literals import NotConstantError, value_of
from limitkit.adopt.rates import NoRateError, burst, of_numbers, of_users
from limitkit.adopt.source import dotted
from limitkit.adopt.tasks import may_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.adopt.source import Source
    from limitkit.adopt.tasks import Task

_BY_HAND = "write its entry into the file by hand, and take its base class away"


class NotLiftedError(Exception):
    """Something about a task that stands in the way; the text says what."""


def limiter_tasks(tasks: Sequence[Task]) -> Iterator[Found | Note]:
    """Find the tasks that a base class limits."""
    for task in tasks:
        limiter = limiter_of(task.chain, task.own)
        given = [name for name in (*BUCKET, USERS) if name in task.options]
        if limiter is None:
            given += [name for name in ("tokens_per_second", USERS) if task.chain.attribute(name) and not given]
            if given:
                fact = (
                    f"{given[0]}: the base class that reads it is not among what is searched, or does not limit by it"
                )
                at = task.options.get(given[0], task.node)
                yield Note(task.source, at, fact, "search its folder, too, or " + _BY_HAND)
            continue
        try:
            yield _found(task, limiter)
        except (NotLiftedError, NotConstantError, NoRateError) as error:
            yield Note(task.source, task.node, f"limited by its base class {_shown(limiter)}: {error}", _BY_HAND)


def _shown(limiter: Limiter) -> str:
    return limiter.classes[0].name


def _found(task: Task, limiter: Limiter) -> Found:
    if limiter.more:
        raise NotLiftedError(limiter.more)
    if task.name is None:
        raise NotLiftedError(task.unnamed)
    if any(may_set(task, name) for name in (*BUCKET, USERS)):
        raise NotLiftedError("its options come from elsewhere (**)")
    guard = _guard(task, limiter)
    edits = [*_edits(task, limiter), *([Edit(task.source, guard[0])] if guard is not None else [])]
    if limiter.kind == "users":
        if guard is None:
            raise NotLiftedError("the task never asks it, so nothing limits the task")
        rate, many = of_users(_value(task, USERS))
        table: Table = {"strategy": "per_user", "rate": rate, "burst": many, "key": _key(task, guard[1])}
        return Found(task.name, table, task.source, task.node, edits=tuple(edits))
    if guard is None and not limiter.automatic:
        raise NotLiftedError("the task never asks it, so nothing limits the task")
    bucket: Table = {
        "strategy": "token_bucket",
        "rate": of_numbers(_value(task, "tokens_per_second")),
        "burst": burst(_value(task, "bucket_size")),
    }
    key = _value(task, "rate_limit_key", missing=None)
    name = limit_name(key if isinstance(key, str) and key else _snake(_shown(limiter)))
    return Found(task.name, {"limits": [name]}, task.source, task.node, named=((name, bucket),), edits=tuple(edits))


def limit_name(text: str) -> str:
    """Turn a text into the name of a limit: letters, digits, underscores and dashes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "limit"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _value(task: Task, name: str, missing: Any = NotImplemented) -> Any:
    found = task.attribute(name)
    if found is None:
        if missing is NotImplemented:
            raise NotLiftedError(f"{name} is not set")
        return missing
    source, _, value = found
    if value is None:
        raise NotLiftedError(f"{name} is not set plainly")
    try:
        return value_of(source, value)
    except NotConstantError as error:
        raise NotLiftedError(f"{name}: {error}") from None


def _edits(task: Task, limiter: Limiter) -> Iterator[Edit]:
    """Say what to take out: the options that the base class reads, and the base class."""
    wanted = BUCKET if limiter.kind == "bucket" else (USERS,)
    for name in (*wanted, "base"):
        if name in task.options:
            yield Edit(task.source, task.options[name])
    if task.own is None:
        return
    for name, statement, _ in task.own.members():
        if name in wanted and not isinstance(statement, cst.FunctionDef):
            yield Edit(task.source, statement)
    bases = [arg for arg in task.own.node.bases if dotted(arg.value) in {each.name for each in limiter.classes}]
    if len(bases) != 1 or limiter.ground is None:
        raise NotLiftedError("its base classes can't be replaced by one")
    source, ground = limiter.ground
    if source is not task.source and (dotted(ground) is None or not _imports_alike(task.source, source, ground)):
        raise NotLiftedError(f"this module does not import {dotted(ground) or 'the class on which that stands'}")
    yield Edit(task.source, bases[0], bases[0].with_changes(value=ground.deep_clone()))


def _imports_alike(source: Source, other: Source, node: cst.BaseExpression) -> bool:
    first = (dotted(node) or "").partition(".")[0]
    return first in source.imports and source.imports[first] == other.imports.get(first)


def _guard(task: Task, limiter: Limiter) -> tuple[cst.CSTNode, cst.Call] | None:
    """Find ``if not self.check(…): raise self.retry(…)`` as the first statement of a task, and nothing else of it."""
    itself = task.first_parameter
    if task.function is None or itself is None:
        return None
    body = statements_of(task.function)
    call = asked_in(body[0], itself, limiter.methods) if body else None
    guard = body[0] if call is not None else None
    if isinstance(guard, cst.If):
        inside = guard.body.body
        small = inside[0].body if len(inside) == 1 and isinstance(inside[0], cst.SimpleStatementLine) else inside
        if len(small) != 1 or not is_retry(small[0], itself):
            raise NotLiftedError("over the limit, the task does something other than to retry")
    for statement in body:
        if statement is not guard:
            for name, _ in uses_of(statement, itself):
                if name in limiter.members - {"name", "run", "abstract"}:
                    raise NotLiftedError(
                        f"the task uses {itself}.{name}, and not only to retry at once at its beginning"
                    )
    return (guard, call) if guard is not None and call is not None else None


def _key(task: Task, call: cst.Call) -> str:
    """Return the key of a limit for each user: a parameter of the task, or a path into one."""
    if len(call.args) != 1 or call.args[0].star:
        raise NotLiftedError("it is asked with more than one value")
    path = _path(call.args[0].value)
    params = task.function.params if task.function is not None else cst.Parameters()
    named = [*params.posonly_params, *params.params, *params.kwonly_params]
    if path is None or path[0] not in {param.name.value for param in named} - {task.first_parameter}:
        raise NotLiftedError("what it is asked with is not an argument of the task")
    return ".".join(path)


def _path(node: cst.BaseExpression) -> list[str] | None:
    if isinstance(node, cst.Name):
        return [node.value]
    if isinstance(node, cst.Attribute):
        before = _path(node.value)
        return None if before is None else [*before, node.attr.value]
    if isinstance(node, cst.Subscript) and len(node.slice) == 1:
        before, index = _path(node.value), node.slice[0].slice
        text = (
            index.value.evaluated_value
            if isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString)
            else None
        )
        if before is None or not isinstance(text, str) or not text or "." in text:
            return None
        return [*before, text]
    if isinstance(node, cst.Call) and dotted(node.func) == "str" and len(node.args) == 1:
        return _path(node.args[0].value)  # a partition is a value's text
    return None
