"""Celery's ``rate_limit`` of tasks: in decorators, calls and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from limitkit.adopt.found import Edit, Found, Note
from limitkit.adopt.literals import NotConstantError, value_of
from limitkit.adopt.rates import NoRateError, of_celery
from limitkit.adopt.source import dotted
from limitkit.adopt.tasks import is_factory, may_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.adopt.project import Class, Project
    from limitkit.adopt.source import Source
    from limitkit.adopt.tasks import Task

OPTION = "rate_limit"
_BY_HAND = "write its entry into the file by hand"


def own_rates(project: Project, tasks: Sequence[Task]) -> Iterator[Found | Note]:
    """Find the tasks' own rates, and those that can't be read."""
    functions = {task.function.name.value for task in tasks if task.function is not None}
    later = {source: {*_set_later(source, functions)} for source in project.sources}
    for task in tasks:
        if task.function is None or task.function.name.value not in {name for name, _ in later[task.source]}:
            yield from _of_task(task)
    yield from _unused(project, tasks)
    seen = {task.call for task in tasks}
    for source in project.sources:
        for name, node in later[source]:
            fact = f"rate_limit of {name} is set outside of its definition"
            remedy = "write its entry into the file, and remove this line"
            yield Note(source, node, fact, remedy, keeps_rate=True)
        yield from _elsewhere(source, seen)


def _of_task(task: Task) -> Iterator[Found | Note]:
    star = may_set(task, OPTION)
    if star is not None and OPTION not in task.options:
        yield Note(
            task.source,
            star,
            "the options come from elsewhere (**), and may have a rate_limit",
            _BY_HAND,
            keeps_rate=True,
        )
        return
    attribute = task.attribute(OPTION)
    if attribute is None:
        return
    source, node, value = attribute
    try:
        given = value_of(source, value if value is not None else cst.Tuple([]))
        rate = of_celery(given)
    except (NotConstantError, NoRateError) as error:
        yield Note(source, node, f"rate_limit: {error}", _BY_HAND, keeps_rate=True)
        return
    if given is None:  # as if it were not there: the default rate applies
        return
    if task.name is None:
        yield Note(source, node, f"rate_limit: {task.unnamed}", _BY_HAND, keeps_rate=True)
        return
    table: dict[str, object] = {"limits": []} if rate is None else {"strategy": "static", "rate": rate}
    yield Found(task.name, table, task.source, task.node, edits=(Edit(source, node),))


def _unused(project: Project, tasks: Sequence[Task]) -> Iterator[Note]:
    """Find classes with a rate that no task of the project has."""
    used: set[Class] = {found for task in tasks for found in task.chain.classes}
    for found in project.classes.values():
        if found in used or not project.chain(found.source, [arg.value for arg in found.node.bases]).is_of_tasks:
            continue
        for member, statement, value in found.members():
            if member == OPTION and not (isinstance(value, cst.Name) and value.value == "None"):
                fact = f"rate_limit of {found.name}, but no task that uses this class was found"
                yield Note(found.source, statement, fact, "search the folders of its tasks, too", keeps_rate=True)


def _set_later(source: Source, functions: set[str]) -> Iterator[tuple[str, cst.AssignTarget]]:
    """Find ``task.rate_limit = …``: tasks, and where that is."""
    for node in source.all(cst.AssignTarget):
        if isinstance(node.target, cst.Attribute):
            name = dotted(node.target.value)
            if name in functions and node.target.attr.value == OPTION:
                yield name, node


def _elsewhere(source: Source, seen: set[cst.Call | None]) -> Iterator[Note]:
    """Find rates where no task is made that could be named."""
    for node in source.all(cst.Call):
        if node not in seen:
            given = [arg for arg in node.args if arg.keyword is not None and arg.keyword.value == OPTION]
            if given and (is_factory(source, node.func) or _makes_tasks(source, node)):
                name = dotted(node.func) or "this call"
                fact = f"rate_limit: it can't be seen which tasks {name} makes here"
                yield Note(source, given[0], fact, _BY_HAND, keeps_rate=True)


def _makes_tasks(source: Source, node: cst.Call) -> bool:
    """Whether a call looks like a decorator that makes tasks in a way of its own."""
    name = (dotted(node.func) or "").rpartition(".")[2]
    if name == "partial":
        return bool(node.args) and is_factory(source, node.args[0].value)
    return "task" in name.lower() and isinstance(source.parents.get(node), cst.Decorator)
