"""``docs/reference/python.md``: the public names of the package, from their docstrings."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import itertools
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import limitkit
from limitkit import metrics, signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

HEAD = """\
# Python

<!-- Made by `make reference` from the docstrings; a test says when it is stale. -->

These names are public, and stay as they are; all others may change with each version. Times are seconds, as floats,
unless it says otherwise.

"""
WIDTH = 90
"""Longer signatures have a line for each parameter."""


def text() -> str:
    """Write the page."""
    parts = [HEAD, _prose(inspect.getdoc(limitkit)), "\n"]
    for name in _in_order():
        parts += _section(f"limitkit.{name}", getattr(limitkit, name))
    parts += ["\n## limitkit.signals\n\n", _prose(inspect.getdoc(signals)), "\n"]
    for name, said in _described(signals).items():
        parts.append(f"\n### limitkit.signals.{name}\n\n{_prose(said)}\n")
    parts += _section("limitkit.metrics.register", metrics.register)
    if importlib.util.find_spec("limitkit.testing"):
        testing = importlib.import_module("limitkit.testing")
        parts += ["\n## limitkit.testing\n\n", _prose(inspect.getdoc(testing)), "\n"]
        for name in getattr(testing, "__all__", ()):
            parts += _section(f"limitkit.testing.{name}", getattr(testing, name), "###")
    return "".join(parts)


def _in_order() -> list[str]:
    """Put what everybody calls first, then all others."""
    first = ["install", "load", "settle", "RateLimitManager"]
    return [*first, *sorted({*limitkit.__all__} - {*first})]


def _section(name: str, value: Any, level: str = "##") -> Iterator[str]:
    yield f"\n{level} {name}\n\n"
    if inspect.isclass(value):
        if value.__init__ is not object.__init__ and not is_dataclass(value):
            yield f"```text\n{value.__name__}{_signature(value.__init__, bound=True)}\n```\n\n"
        yield f"{_prose(inspect.getdoc(value))}\n"
        yield from _members(name, value, level)
    elif callable(value):
        yield f"```text\n{value.__name__}{_signature(value)}\n```\n\n{_prose(inspect.getdoc(value))}\n"
    else:
        yield f"`{value!r}`\n"


def _members(name: str, value: type, level: str) -> Iterator[str]:
    if is_dataclass(value):
        shown = [f"`{each.name}: {each.type}`" for each in fields(value) if each.repr]
        yield f"\nIts fields: {', '.join(shown)}.\n"
    for member, made in vars(value).items():
        if member.startswith("_") or not (inspect.isfunction(made) or isinstance(made, property)):
            continue
        if not inspect.getdoc(made):
            continue
        yield f"\n{level}# {name.rpartition('.')[2]}.{member}\n\n"
        if inspect.isfunction(made):
            yield f"```text\n{member}{_signature(made, bound=True)}\n```\n\n"
        yield f"{_prose(inspect.getdoc(made))}\n"


def _signature(function: Any, *, bound: bool = False) -> str:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1 if bound else 0 :]
    returned = inspect.Signature.empty if signature.return_annotation == "None" else signature.return_annotation
    said = str(signature.replace(parameters=parameters, return_annotation=returned))
    said = re.sub(r"(?<=: |> )'([^']*)'", r"\1", said)
    if len(said) <= WIDTH:
        return said
    inside, end, after = said[1:].rpartition(") -> ") if ") -> " in said else (said[1:-1], ")", "")
    return "(\n" + "".join(f"    {part},\n" for part in _apart(inside)) + end + after


def _apart(parameters: str) -> list[str]:
    """Split parameters at commas outside of brackets."""
    found, depth = [""], 0
    for letter in parameters:
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [each.strip() for each in found]


def _described(module: ModuleType) -> dict[str, str]:
    """Return the public values of a module, with the string that stands below each."""
    body = ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8")).body
    found = {}
    for value, said in itertools.pairwise(body):
        if isinstance(value, ast.AnnAssign) and isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
            name = ast.unparse(value.target)
            if not name.startswith("_"):
                found[name] = inspect.cleandoc(str(said.value.value))
    return found


def _prose(said: str | None) -> str:
    """Write a docstring as Markdown."""
    return (said or "").replace("``", "`").replace("*args", "\\*args")
