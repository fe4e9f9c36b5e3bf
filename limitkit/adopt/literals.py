"""Values that stand in the code: literals, and constants of the same module. Nothing is run."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from limitkit.adopt.source import binds, dotted
from limitkit.config.task_words import is_text
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from limitkit.adopt.source import Source

_KEYWORDS: Final = {"True": True, "False": False, "None": None}
_DEEPEST: Final = 20


class NotConstantError(Exception):
    """A value that is known only when the program runs; the text says why."""


def value_of(source: Source, node: cst.BaseExpression, depth: int = 0) -> Any:
    """Return a string, a number (an int, a Decimal or a Fraction), True, False or None. Raises NotConstantError."""
    if depth > _DEEPEST:
        raise NotConstantError("it is defined by itself")
    if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
        text = node.evaluated_value
        if isinstance(text, str):
            if text and not is_text(text):
                raise NotConstantError("it has lone surrogates, which can't stand in a file")
            return text
        raise NotConstantError("it is put together when the program runs" if text is None else "it is bytes")
    if isinstance(node, cst.Integer):
        return node.evaluated_value
    if isinstance(node, cst.Float):
        return Decimal(node.value.replace("_", ""))
    if isinstance(node, cst.Name):
        return _named(source, node, depth)
    if isinstance(node, (cst.UnaryOperation, cst.BinaryOperation)):
        return _computed(source, node, depth)
    if isinstance(node, cst.Attribute):
        raise NotConstantError(f"{dotted(node) or 'what it names'} is not a constant of this module")
    raise NotConstantError("it is put together when the program runs")


def definition(source: Source, node: cst.BaseExpression) -> cst.BaseExpression:
    """Follow a name to the expression that this module sets it to, once. Raises NotConstantError."""
    if not isinstance(node, cst.Name) or node.value in _KEYWORDS:
        return node
    name = node.value
    for around in source.above(node):
        if isinstance(around, cst.Lambda) or (isinstance(around, cst.ClassDef) and binds(around.body, name)):
            raise NotConstantError(f"{name} is not a constant of this module")
    scope = source.scope_of(node)
    while scope is not None:
        if binds(scope, name):
            raise NotConstantError(f"{name} is a variable of a function")
        scope = source.scope_of(scope)
    if name in source.imports:
        raise NotConstantError(f"{name} comes from another module")
    found = source.bindings.get(name, ())
    if not found:
        raise NotConstantError(f"{name} is not set in this module")
    if len(found) > 1:
        raise NotConstantError(f"{name} is set more than once")
    if found[0] is None:
        raise NotConstantError(f"{name} is not set plainly, at the top of this module")
    return found[0]


def _named(source: Source, node: cst.Name, depth: int) -> Any:
    if node.value in _KEYWORDS:
        return _KEYWORDS[node.value]
    return value_of(source, definition(source, node), depth + 1)


def _computed(source: Source, node: cst.UnaryOperation | cst.BinaryOperation, depth: int) -> int | Decimal | Fraction:
    """Work out a sum of numbers, exactly."""
    if isinstance(node, cst.UnaryOperation):
        number = _number(source, node.expression, depth)
        if isinstance(node.operator, (cst.Minus, cst.Plus)):
            return -number if isinstance(node.operator, cst.Minus) else number
        raise NotConstantError("it is put together when the program runs")
    left, right = Fraction(_number(source, node.left, depth)), Fraction(_number(source, node.right, depth))
    if isinstance(node.operator, cst.Multiply):
        return left * right
    if isinstance(node.operator, cst.Divide) and right:
        return left / right
    if isinstance(node.operator, cst.FloorDivide) and right:
        return left // right
    if isinstance(node.operator, cst.Add):
        return left + right
    if isinstance(node.operator, cst.Subtract):
        return left - right
    raise NotConstantError("it is put together when the program runs")


def _number(source: Source, node: cst.BaseExpression, depth: int) -> int | Decimal | Fraction:
    value = value_of(source, node, depth + 1)
    if isinstance(value, (int, Decimal, Fraction)) and not isinstance(value, bool):
        return value
    raise NotConstantError("it is put together when the program runs")


def shown(value: object) -> str:
    """Write a value as people would."""
    return quote(value) if isinstance(value, str) else str(value)
