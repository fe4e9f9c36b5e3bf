"""Finds keys that name an argument with few values: each value has a bucket, so all users would share those few."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from limitkit.config.app_check import key_path, task_signature
from limitkit.config.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.errors import Problem

FEW_VALUES: Final = "LK112"
_FEW: Final = 10
"""More words than this may well tell customers apart: their regions, or their shops."""
_DEEPEST: Final = 8
"""Types may hold themselves."""


def few_values(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Find keys all of whose parts are a bool, or one of few words, by the annotations of the tasks."""
    seen = set()
    for name in sorted(tasks or ()):
        rule = config.rules.for_task(name)
        for limit in rule.limits if rule else ():
            values = _values(limit, (tasks or {})[name])
            path = key_path(config, rule, limit, "key") if rule and values else None
            if not values or path is None or path in seen:
                continue
            seen.add(path)
            fact = f"{name} takes it as one of {values} values, so all its messages share {count(values, 'bucket')}"
            hint = "name an argument that tells users apart, such as an id"
            yield config.document.problem(FEW_VALUES, path, fact, hint, severity="warning")


def _values(limit: Limit, task: Any) -> int:
    """Return how many values the key of a limit has in a task, if those are few; else 0."""
    if limit.key is None or limit.mode == "off" or limit.partitions:  # partitions: each value is meant
        return 0
    try:
        hints = _annotations(task)
        found = [[] if part.header else _at(hints.get(part.path[0]), part.path[1:]) for part in limit.key.parts]
        numbers = [_count(each) for each in found]
    except (Exception, SystemExit):  # noqa: BLE001 (annotations are code of the app)
        return 0
    product = 1
    for number in numbers:
        product *= number
    yes_or_no = len(found) == 1 and bool in found[0]
    return product if yes_or_no or (limit.strategy == "per_user" and product <= _FEW) else 0


def _annotations(task: Any) -> dict[str, Any]:
    """Return the annotations of the arguments, with those in quotes read."""
    signature = task_signature(task)
    if signature is None:
        return {}
    run = inspect.unwrap(getattr(task, "_orig_run", None) or task.run)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    taken = {name for name, each in signature.parameters.items() if each.kind not in variadic}
    return {name: hint for name, hint in typing.get_type_hints(run, include_extras=True).items() if name in taken}


def _at(hint: Any, path: tuple[str, ...]) -> list[Any]:
    """Return the types that may stand at a path into an argument; none when that is not known."""
    for step in path:
        inside = [each for each in _alternatives(hint) if each is not type(None)]
        if len(inside) != 1 or not isinstance(inside[0], type):
            return []
        hint = typing.get_type_hints(inside[0], include_extras=True).get(step)
    return _alternatives(hint)


def _count(hints: list[Any]) -> int:
    """Count the values of some types; 0 when that is not known of one."""
    numbers = [_of_type(each) for each in hints]
    return sum(numbers) if all(numbers) else 0


def _of_type(hint: Any) -> int:
    if hint is bool:
        return len((True, False))
    if hint is type(None):
        return 1
    if get_origin(hint) is Literal:
        return len(set(get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and not issubclass(hint, enum.Flag):
        return len(hint)
    return 0


def _alternatives(hint: Any, depth: int = 0) -> list[Any]:
    """Return the types of a union, without what is around them: ``Annotated``, ``NewType`` and names of types."""
    inner = getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None)
    if depth < _DEEPEST and inner is not None and not isinstance(hint, type):
        return _alternatives(inner, depth + 1)
    if get_origin(hint) is Annotated:
        return _alternatives(get_args(hint)[0], depth + 1)
    if get_origin(hint) in (Union, types.UnionType):
        return [each for part in get_args(hint) for each in _alternatives(part, depth + 1)]
    return [hint]
