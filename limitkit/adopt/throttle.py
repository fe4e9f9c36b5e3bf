"""Queues of celery-throttle: ``create_queue("10/1m", "mail")``, and the tasks that are submitted to them.

Read in its release 0.1.0b1. A queue becomes a named limit, and each task that goes through it names that limit. How
tasks are sent stays as it is, and is listed: ``submit_task`` says whether a task went at once, which nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.found import Found, Note, Table
from limitkit.adopt.limiter_tasks import limit_name
from limitkit.adopt.literals import NotConstantError, value_of
from limitkit.adopt.rates import NoRateError, of_throttle
from limitkit.adopt.source import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.adopt.project import Project
    from limitkit.adopt.source import Source

_PACKAGE: Final = "celery_throttle"
_MANY: Final = "submit_multiple_tasks"


def throttled_tasks(project: Project) -> Iterator[Found | Note]:
    """Find the queues, and the tasks that go through them."""
    if not any(_PACKAGE in name for source in project.sources for name in source.imports.values()):
        return
    queues: dict[str, tuple[str, Table]] = {}
    for source in project.sources:
        for call in _calls(source, "create_queue"):
            try:
                name = _queue(source, call)
                rate, burst = of_throttle(_argument(source, call, 0, "rate_limit"))
            except (NotConstantError, NoRateError) as error:
                yield Note(source, call, f"create_queue: {error}", "write the limit into the file by hand")
                continue
            table: Table = {"strategy": "token_bucket", "rate": rate, "burst": burst}
            if queues.setdefault(name, (limit_name(name), table))[1] != table:
                yield Note(source, call, f"create_queue: {name} has two rates", "write one of them into the file")
    for source in project.sources:
        for call in _calls(source, "submit_task"):
            yield from _submitted(source, call, queues)
        for call in _calls(source, _MANY):
            yield Note(source, call, f"{_MANY}: it can't be seen which tasks these are", "write their entries by hand")


def _calls(source: Source, method: str) -> Iterator[cst.Call]:
    for node in source.all(cst.Call):
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == method:
            yield node


def _submitted(source: Source, call: cst.Call, queues: dict[str, tuple[str, Table]]) -> Iterator[Found | Note]:
    try:
        name = _argument(source, call, 1, "task_name")
        queue = _named_queue(source, call)
    except NotConstantError as error:
        yield Note(source, call, f"submit_task: {error}", "write the task's entry into the file by hand")
        return
    limit = queues.get(queue)
    if limit is None or not isinstance(name, str):
        yield Note(source, call, f"submit_task: no create_queue for {queue} was found", "write the limit by hand")
        return
    yield Found(name, {"limits": [limit[0]]}, source, call, named=(limit,))
    hint = f"send it by app.send_task or delay instead; {limit[0]} in the file limits {name} then"
    yield Note(source, call, "submit_task sends a task through celery-throttle", hint)


def _queue(source: Source, call: cst.Call) -> str:
    """Name a queue that is created: as it is told, or by the variable that holds its made-up name."""
    if len(call.args) > 1:
        return str(_argument(source, call, 1, "queue_name"))
    target = source.parents.get(call)
    names = [each.target for each in target.targets] if isinstance(target, cst.Assign) else []
    if len(names) == 1 and isinstance(names[0], cst.Name):
        return names[0].value
    raise NotConstantError("the queue has no name")


def _named_queue(source: Source, call: cst.Call) -> str:
    node = _node(call, 0, "queue_name")
    if isinstance(node, cst.Name):
        values = source.bindings.get(node.value, ())
        made = values[0] if len(values) == 1 else None
        if isinstance(made, cst.Call) and (dotted(made.func) or "").endswith("create_queue"):
            return _queue(source, made)
    return str(value_of(source, node))


def _argument(source: Source, call: cst.Call, index: int, name: str) -> object:
    found: object = value_of(source, _node(call, index, name))
    return found


def _node(call: cst.Call, index: int, name: str) -> cst.BaseExpression:
    for position, arg in enumerate(call.args):
        if not arg.star and (arg.keyword.value == name if arg.keyword is not None else position == index):
            return arg.value
    raise NotConstantError(f"its {name} is not written here")
