"""Turns what the schema finds into problems: in TOML's words, and placed in the file."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.synonyms import remedy
from limitkit.config.model.cross_checks import REQUIRED
from limitkit.config.model.env_values import names_variable
from limitkit.config.model.value_errors import DURATIONS, duration_fault, host_fault, key_fault, port_fault, rate_fault
from limitkit.config.source.unquoted_names import names_within
from limitkit.config.spelling import Nearest
from limitkit.config.wording import dotted, listed, quote, show, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from jsonschema.exceptions import ValidationError

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

_LATER: Final = frozenset(
    {"extends", "queues", "lint", "cost", "settle", "partitions", "show_key", "fair_by", "weights", "schedule"}
    | {"max_running", "lease", "scope", "resets"}
)
_VERSION: Final = "write version = 1 at the top of the file"
_KINDS: Final = {
    "string": "a string",
    "integer": "a whole number",
    "object": "a table",
    "array": "an array",
    "number": "a number",
    "boolean": "true or false",
}
_NUMBERS: Final = {"burst": 1_000_000, "per_limit": 100_000, "per_worker": 100_000, "resend": 1_000_000}
"""Keys that are whole numbers from 1, and the largest value of each."""
_RATES: Final = ("rate", "step", "floor", "ceiling")
_CODES: Final = {
    **dict.fromkeys(_RATES, "LK012"),
    **dict.fromkeys(_NUMBERS, "LK015"),
    "resend": "LK034",
    **dict.fromkeys(DURATIONS, "LK016"),
    "version": "LK017",
    "prefix": "LK018",
    "port": "LK038",
    "host": "LK039",
}
_STRING: Final = "write a string in quotes"
_BARE: Final = {"number": "write a number, e.g. 0.9", "boolean": "write true or false, without quotes"}
_REQUIRED: Final = {**REQUIRED, "on": 'write what it looks like, e.g. on = ["requests.HTTPError:429"]'}
_PREFIX: Final = "write 1 to 64 of a-z A-Z 0-9 _ - ."


def problems_of(document: Document, faults: Iterable[ValidationError]) -> list[Problem]:
    """Turn the schema's findings into problems."""
    # Two missing keys in one table are two faults, and each of them names both.
    found = list(faults)
    # A value of a wrong type breaks other rules, too: one problem is enough.
    mistyped = {tuple(fault.absolute_path) for fault in found if fault.validator == "type"}
    kept = [each for each in found if each.validator == "type" or tuple(each.absolute_path) not in mistyped]
    return list(dict.fromkeys(problem for fault in kept for problem in _problems(document, fault)))


def _problems(document: Document, fault: ValidationError) -> Iterator[Problem]:
    path: Path = tuple(fault.absolute_path)
    name = path[-1] if path and isinstance(path[-1], str) else ""
    if isinstance(fault.schema, Mapping) and fault.schema.get("type") == "object":
        name = ""  # a user may name a table like a key
    value: Any = fault.instance
    rule: Any = fault.validator_value
    if fault.validator == "additionalProperties":
        known = fault.schema.get("properties", {}) if isinstance(fault.schema, Mapping) else {}
        near = Nearest(known)
        for key in (key for key in value if key not in known):
            yield _unknown_key(document, (*path, key), value, near, known)
    elif fault.validator == "required":
        for key in (key for key in rule if key not in value):
            hint = _REQUIRED.get(key, _VERSION)
            yield document.problem("LK011", path, f'"{key}" is missing', hint, at="header")
    elif fault.validator == "uniqueItems":
        named = Counter(item for item in value if isinstance(item, str))
        seen = dict.fromkeys([item for item, times in named.items() if times > 1], 0)
        for index, item in enumerate(value):
            if isinstance(item, str) and item in seen:
                seen[item] += 1
                if seen[item] == 2:  # noqa: PLR2004 - the second time is enough
                    fact = f"{show(item)} is named twice"
                    yield document.problem("LK021", (*path, index), fact, "name each limit once")
    else:
        yield document.problem(_code(fault, name), path, *_sentence(fault, name, path, rule))


def _code(fault: ValidationError, name: str) -> str:
    if fault.validator == "enum" and name != "version":
        return "LK014"
    if fault.validator == "type" and name not in {"port", *_RATES, *_NUMBERS} - {"resend"}:
        return "LK013"
    return _CODES.get(name) or {"pattern": "LK025", "maxItems": "LK021"}.get(str(fault.validator), "LK013")


def _sentence(fault: ValidationError, name: str, path: Path, rule: Any) -> tuple[str, str]:
    """Write fact and hint for a wrong value."""
    value: Any = fault.instance
    if name == "port":
        return _not_a_port(value)
    if fault.validator == "type":
        return _wrong_type(name, path, value, rule)
    if fault.validator == "pattern":
        judge = {**dict.fromkeys(_RATES, rate_fault), "key": key_fault, "host": host_fault}.get(name)
        found = duration_fault(name, value) if name in DURATIONS else judge(value) if judge else None
        return found or (f"{show(value)} is not a prefix", _PREFIX)
    if fault.validator == "enum":
        return _wrong_word(name, value, rule)
    if fault.validator == "maxItems":
        return f"{len(value)} limits are named here", f"name up to {rule}"
    never = " and would never start a task" if value < 1 and name == "burst" else ""
    return f"{show(value)} is out of range{never}", _from_one(name)


def _not_a_port(value: Any) -> tuple[str, str]:
    plain = isinstance(value, int | str) and not isinstance(value, bool)
    _, hint = port_fault("") or ("", "")
    return (port_fault(value) if plain else None) or (f"{show(value)} is not a port", hint)


def _wrong_word(name: str, value: Any, allowed: list[Any]) -> tuple[str, str]:
    if name == "version":
        return f"this limitkit does not know version {show(value)}", "write version = 1, or install a newer limitkit"
    what = f"a {name}" if name in {"strategy", "mode"} else f"a value of {name}"
    if names_variable(value):
        return f"{show(value)} names a variable, and none can stand here", f"write {listed(allowed)}"
    return f"{show(value)} is not {what}", suggest(value, _known(*allowed)) or f"write {listed(allowed)}"


@functools.cache
def _known(*words: Any) -> Nearest:
    """Index the words that a key may be, once for all wrong values."""
    return Nearest(words)


def _wrong_type(name: str, path: Path, value: Any, wanted: str) -> tuple[str, str]:
    if name in _RATES and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{show(value)} is a bare number, not a rate", f'say per what, e.g. "{_per_second(value)}/s"'
    if name in _NUMBERS:
        neither = "neither true, false nor" if name == "resend" else "not"
        return f"{_shown(value)} is {neither} a whole number", _from_one(name)
    if name in _RATES:
        return f"{_shown(value)} is not a rate", 'write a string, e.g. "10/s"'
    return f"{_shown(value)} stands where {_KINDS[wanted]} belongs", _typed(name, path, value, wanted)


def _typed(name: str, path: Path, value: Any, wanted: str) -> str:
    """Say how to write a value of the wanted type."""
    if wanted == "object":
        return f"write a table: [{dotted(path)}]"
    if wanted == "array":
        return f"write {name} = [{show(value)}]" if isinstance(value, str) else f"write e.g. {name} = []"
    if name == "version":
        return _VERSION
    if isinstance(value, dict) and isinstance(path[-1], int):
        return "write the limit's name alone; a key of its own is not there yet"
    return _typed_key(value) if name == "key" else _BARE.get(wanted, _STRING)


def _typed_key(value: Any) -> str:
    if isinstance(value, list):
        return "write the name of one argument; several are not there yet"
    names = names_within(value)
    return f"write key = {quote('.'.join(names))}" if names else _STRING


def _from_one(name: str) -> str:
    return f"write a whole number from 1 to {_NUMBERS[name]}{', or true or false' if name == 'resend' else ''}"


def _per_second(value: float) -> str:
    return str(value) if isinstance(value, int) and 0 < value <= 100_000 else "10"  # noqa: PLR2004 - the fastest rate


def _shown(value: Any) -> str:
    shown = show(value)
    return f"the string {shown}" if type(value) is str else shown


def _unknown_key(
    document: Document, path: Path, table: Mapping[str, Any], near: Nearest, known: Collection[str]
) -> Problem:
    key = str(path[-1])
    if key in _LATER:
        fact, hint = "unknown key: this version does not have it yet", "take it out"
    else:
        fact, hint = "unknown key", remedy(path, table[key], table, near, known)
        hint = hint or f"take it out; known here: {listed(known, 'and')}"
    return document.problem("LK010", path, fact, hint, at="key")
