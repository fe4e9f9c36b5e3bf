"""Validates plain data by the JSON Schema: which rule is broken, and where."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from limitkit.config.checks.json_schema import judged
from limitkit.config.checks.schema_keywords import BREAKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def faults(data: object) -> Iterator[ValidationError]:
    """Go through all faults that the schema finds in plain data."""
    yield from _validator().iter_errors(data)


def judge() -> Any:
    """Make the class of validators that use ``schema_keywords``, and write no messages."""
    extended: Any = extend  # its own types leave it untyped
    judges = {word: _judging(breaks) for word, breaks in BREAKS.items()}
    return extended(Draft4Validator, {**judges, "type": _type, "additionalProperties": _additional})


def _judging(breaks: Callable[[Any, Any], bool]) -> Any:
    def faults_of(_validator: Any, rule: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
        if breaks(rule, instance):
            yield ValidationError("")

    return faults_of


def _type(validator: Any, types: str | list[str], instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not any(validator.is_type(instance, each) for each in ([types] if isinstance(types, str) else types)):
        yield ValidationError("")


def _additional(validator: Any, of_others: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Check the keys that are not declared: by the schema for them, or all of them in one fault."""
    others = [key for key in instance if key not in schema.get("properties", ())] if isinstance(instance, dict) else []
    if of_others is False and others:
        yield ValidationError("")
    elif isinstance(of_others, dict):
        for key in others:
            yield from validator.descend(instance[key], of_others, path=key)


@functools.cache
def _validator() -> Any:
    return judge()(judged())
