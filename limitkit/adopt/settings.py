"""Rates in Celery's settings: ``task_annotations`` and ``task_default_rate_limit``, under all their names."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.found import EVERY, Edit, Found, Note, Whole
from limitkit.adopt.later_annotations import OPTION, set_later
from limitkit.adopt.literals import NotConstantError, definition, value_of
from limitkit.adopt.rates import NoRateError, of_celery
from limitkit.adopt.source import dotted
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.adopt.found import Kind
    from limitkit.adopt.project import Project
    from limitkit.adopt.source import Source

_ANNOTATIONS: Final = re.compile(r"task_annotations|(?:[A-Z0-9]+_)*TASK_ANNOTATIONS|CELERY_ANNOTATIONS")
_DEFAULT: Final = re.compile(
    r"task_default_rate_limit|(?:[A-Z0-9]+_)*TASK_DEFAULT_RATE_LIMIT|CELERYD?_DEFAULT_RATE_LIMIT"
)
_TAKERS: Final = frozenset({"update", "Celery", "dict", "add_defaults", "setdefault", "config_from_object"})
"""Calls whose options are settings."""
_BRANCHES: Final = (cst.If, cst.For, cst.While, cst.Try, cst.Else, cst.ExceptHandler, cst.IfExp, cst.Match)
_BY_HAND: Final = "write its entry into the file by hand"
_ALL_BY_HAND: Final = "write the entries of its tasks into the file by hand"


def settings_rates(project: Project) -> Iterator[Found | Note]:
    """Find the rates that settings give to tasks."""
    for source in project.sources:
        seen: set[cst.CSTNode] = set()
        settings = [*_settings(source)]
        torn = {
            bool(_DEFAULT.fullmatch(name))
            for name, node, _ in settings
            if any(isinstance(around, _BRANCHES) for around in source.above(node))
        }
        for name, node, value in settings:
            if bool(_DEFAULT.fullmatch(name)) in torn:
                fact, default = f"{name} is set only in some cases here", bool(_DEFAULT.fullmatch(name))
                yield Note(source, node, fact, _BY_HAND, keeps_rate=True, sets_default=default)
            elif _DEFAULT.fullmatch(name):
                yield from _default(source, name, node, value)
            else:
                yield from _annotations(source, name, node, value, seen)
        named = [value for name, _, value in settings if _ANNOTATIONS.fullmatch(name)]
        held = {value.value for value in named if isinstance(value, cst.Name)}
        yield from set_later(source, functools.partial(_holds_annotations, held=held))


def _holds_annotations(node: cst.BaseExpression, held: set[str]) -> bool:
    """Whether an expression is the dict of annotations; ``held`` names the variables that hold it."""
    return bool(_ANNOTATIONS.fullmatch(_target(node))) or (isinstance(node, cst.Name) and node.value in held)


def _settings(source: Source) -> Iterator[tuple[str, cst.CSTNode, cst.BaseExpression]]:
    """Go through what is set by a name of these settings: name, what could be taken out, value."""
    for assign in source.all(cst.Assign):
        name = _target(assign.targets[0].target) if len(assign.targets) == 1 else ""
        if name:
            yield name, assign, assign.value
    for typed in source.all(cst.AnnAssign):
        name = _target(typed.target)
        if name and typed.value is not None:
            yield name, typed, typed.value
    yield from _given(source)


def _given(source: Source) -> Iterator[tuple[str, cst.CSTNode, cst.BaseExpression]]:
    """Go through settings that are options of calls, or elements of dicts."""
    for arg in source.all(cst.Arg):
        if arg.keyword is not None and _is_setting(arg.keyword.value):
            call = source.parents.get(arg)
            func = dotted(call.func) if isinstance(call, cst.Call) else None
            if (func or "").rpartition(".")[2] in _TAKERS:
                yield arg.keyword.value, arg, arg.value
    for element in source.all(cst.DictElement):
        if isinstance(element.key, cst.SimpleString):
            name = str(element.key.evaluated_value)
            if _is_setting(name):
                yield name, element, element.value


def _is_setting(name: str) -> bool:
    return bool(_ANNOTATIONS.fullmatch(name) or _DEFAULT.fullmatch(name))


def _target(node: cst.BaseExpression) -> str:
    name = ""
    if isinstance(node, cst.Name):
        name = node.value
    elif isinstance(node, cst.Attribute):
        name = node.attr.value
    elif isinstance(node, cst.Subscript) and len(node.slice) == 1:
        index = node.slice[0].slice
        if isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString):
            name = str(index.value.evaluated_value)
    return name if _is_setting(name) else ""


def _default(source: Source, name: str, node: cst.CSTNode, value: cst.BaseExpression) -> Iterator[Found | Note]:
    try:
        rate = of_celery(value_of(source, value))
    except (NotConstantError, NoRateError) as error:
        yield Note(source, node, f"{name}: {error}", _BY_HAND, sets_default=True)
        return
    if rate is not None:
        table: dict[str, object] = {"strategy": "static", "rate": rate}
        yield Found(EVERY, table, source, node, "default", edits=(Edit(source, node),))


def _annotations(
    source: Source, name: str, node: cst.CSTNode, value: cst.BaseExpression, seen: set[cst.CSTNode]
) -> Iterator[Found | Note]:
    try:
        given = definition(source, value)
    except NotConstantError as error:
        yield Note(source, node, f"{name}: {error}", _ALL_BY_HAND, keeps_rate=True)
        return
    if given in seen or (isinstance(given, cst.Name) and given.value == "None"):
        return
    seen.add(given)
    own = [element.value for element in given.elements] if isinstance(given, (cst.List, cst.Tuple)) else [given]
    unknown = [each for each in own if not isinstance(each, cst.Dict)]
    for each in unknown:  # for tasks that it is for, it comes before the others, or after them
        fact = f"{name}: what {source.code(each).strip()[:60]} sets is known only when the program runs"
        yield Note(source, each, fact, _ALL_BY_HAND, keeps_rate=True)
    for each in own if not unknown else ():
        if isinstance(each, cst.Dict):
            yield from _entries(source, name, each, node if value is each else None)


def _entries(source: Source, name: str, given: cst.Dict, setting: cst.CSTNode | None) -> Iterator[Found | Note]:
    """Go through the tasks of a dict. Where nothing is left of it, the setting itself goes."""
    whole = Whole(setting, tuple(given.elements)) if setting is not None else None
    for element in given.elements:
        try:
            entry = _entry(source, element)
        except (NotConstantError, NoRateError) as error:
            task = _task_of(source, element)
            yield Note(source, element, f"{name}: {error}", _BY_HAND, keeps_rate=True, annotates=task)
            continue
        if entry is None:
            continue
        task, rate_at, rate = entry
        if EVERY in task and task != EVERY:
            fact = f"{name}: {quote(task)} has no effect: Celery looks for a task of exactly this name"
            yield Note(source, element, fact, "remove it, or write the pattern into the file by hand")
            continue
        table: dict[str, object] = {"strategy": "static", "rate": rate} if rate else {"limits": []}
        if rate is None:
            table = {}
        kind: Kind = "every" if task == EVERY else "annotation"
        edit = Edit(source, rate_at, whole=whole if rate_at is element else None)
        yield Found(task, table, source, element, kind, edits=(edit,))


def _task_of(source: Source, element: cst.BaseDictElement) -> str:
    """Name the task of an entry, if that can be read."""
    try:
        name = value_of(source, element.key) if isinstance(element, cst.DictElement) else ""
    except NotConstantError:
        return ""
    return name if isinstance(name, str) else ""


def _entry(source: Source, element: cst.BaseDictElement) -> tuple[str, cst.DictElement, str | None] | None:
    """Read ``"task": {"rate_limit": "10/s"}``: the task, what goes (the rate, or all if that is all), and the rate.

    It is empty for no limit, and None for the default rate.
    """
    if not isinstance(element, cst.DictElement):
        raise NotConstantError("some of it comes from elsewhere (**)")
    options = definition(source, element.value)
    if isinstance(options, cst.Call) and dotted(options.func) == "dict" and not any(arg.star for arg in options.args):
        if not any(arg.keyword is not None and arg.keyword.value == OPTION for arg in options.args):
            return None
        raise NotConstantError("its rate is written as dict(…)")
    if not isinstance(options, cst.Dict):
        raise NotConstantError("what it sets is known only when the program runs")
    rates = []
    for each in options.elements:
        if not isinstance(each, cst.DictElement):
            raise NotConstantError("some of it comes from elsewhere (**)")
        if value_of(source, each.key) == OPTION:
            rates.append(each)
    if not rates:
        return None
    task = value_of(source, element.key)
    if not isinstance(task, str) or not task:
        raise NotConstantError("a task's name is not a string")
    gone = element if len(options.elements) == 1 else rates[-1]
    given = value_of(source, rates[-1].value)
    return task, gone, None if given is None else of_celery(given) or ""
