"""Annotations that are put into their dict after it is made: ``app.conf.task_annotations["shop.send"] = …``.

Which of them holds in the end is known only when the program runs, so they are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.found import Note
from limitkit.adopt.literals import NotConstantError, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from limitkit.adopt.source import Source

OPTION: Final = "rate_limit"
_MERGING: Final = frozenset({"update", "append", "extend", "insert"})
"""Methods that put more into a dict or a list of annotations."""


def set_later(source: Source, is_dict: Callable[[cst.BaseExpression], bool]) -> Iterator[Note]:
    """Find rates that are put into a dict of annotations; ``is_dict`` knows such dicts."""
    for assign in source.all(cst.Assign):
        for each in assign.targets:
            yield from _assigned(source, assign, each.target, is_dict)
    for added in source.all(cst.AugAssign):
        if is_dict(added.target):
            yield from _merged(source, added, added.value)
    for call in source.all(cst.Call):
        if isinstance(call.func, cst.Attribute) and call.args and is_dict(call.func.value):
            if call.func.attr.value == "setdefault":
                yield _note(source, call, call.args[0].value)
            elif call.func.attr.value in _MERGING:
                yield from _merged(source, call, call.args[-1].value)


def _assigned(
    source: Source, assign: cst.Assign, target: cst.BaseExpression, is_dict: Callable[[cst.BaseExpression], bool]
) -> Iterator[Note]:
    """Look at ``DICT["task"] = {…}`` and ``DICT["task"]["rate_limit"] = …``."""
    keys: list[cst.BaseExpression | None] = []
    while isinstance(target, cst.Subscript) and not is_dict(target):
        index = target.slice[0].slice if len(target.slice) == 1 else None
        keys.insert(0, index.value if isinstance(index, cst.Index) else None)
        target = target.value
    if not keys or not is_dict(target):
        return
    option = keys[1] if len(keys) > 1 else None
    plain = isinstance(option, cst.SimpleString) if len(keys) > 1 else isinstance(assign.value, cst.Dict)
    if not plain or OPTION in source.code(assign):
        yield _note(source, assign, keys[0])


def _merged(source: Source, node: cst.CSTNode, value: cst.BaseExpression) -> Iterator[Note]:
    """Go through the tasks of a dict that is merged into another."""
    if not isinstance(value, cst.Dict):
        yield _note(source, node, None)
        return
    for each in value.elements:
        if not isinstance(each, cst.DictElement):
            yield _note(source, node, None)
        elif not isinstance(each.value, cst.Dict) or OPTION in source.code(each):
            yield _note(source, each, each.key)


def _note(source: Source, node: cst.CSTNode, key: cst.BaseExpression | None) -> Note:
    try:
        task = value_of(source, key) if key is not None else None
    except NotConstantError:
        task = None
    name = task if isinstance(task, str) else ""
    fact = f"task_annotations: the rate of {name or 'some tasks'} is set outside of its dict"
    remedy = "write its entry into the file by hand" if name else "write their entries into the file by hand"
    return Note(source, node, fact, remedy, keeps_rate=True, annotates=name)
