"""Turns what the schema finds into problems: in TOML's words, and placed in the file."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.synonyms import remedy
from limitkit.config.model.calendar import DAY_MINUTES, day_fault, resets_fault, time_fault
from limitkit.config.model.cost_errors import MOST_COST, cost_fault, settle_fault
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

_VERSION: Final = "write version = 1 at the top of the file"
_KINDS: Final = {
    "string": "a string",
    "integer": "a whole number",
    "object": "a table",
    "array": "an array",
    "number": "a number",
    "boolean": "true or false",
}
_NUMBERS: Final = {
    "burst": 1_000_000,
    "max_running": 100_000,
    "per_limit": 100_000,
    "per_worker": 100_000,
    "resend": 1_000_000,
    "cost": MOST_COST,
}
"""Keys that are whole numbers from 1, and the largest value of each."""
_RATES: Final = ("rate", "step", "floor", "ceiling")
_CODES: Final = {
    **dict.fromkeys(_RATES, "LK012"),
    **dict.fromkeys(_NUMBERS, "LK015"),
    "resend": "LK034",
    "cost": "LK068",
    **dict.fromkeys(DURATIONS, "LK016"),
    "version": "LK017",
    "prefix": "LK018",
    "port": "LK038",
    "host": "LK039",
    "settle": "LK071",
    **dict.fromkeys(("from", "to"), "LK075"),
    "days": "LK076",
}
_STRING: Final = "write a string in quotes"
_BARE: Final = {
    "number": "write a number, e.g. 0.9",
    "integer": "write a whole number, e.g. 1000",
    "boolean": "write true or false, without quotes",
}
_A_SCHEDULE: Final = 'write a table, e.g. { from = "22:00", to = "06:00", rate = "10/s" }'
_REQUIRED: Final = {
    **REQUIRED,
    "on": 'write what it looks like, e.g. on = ["requests.HTTPError:429"]',
    "limit": 'write whose name it is, e.g. { limit = "stripe_api", cost = 5 }',
    "limits": 'write which limits hold for it, e.g. limits = ["smtp"]',
    "of": 'write what it is read from, e.g. of = "max_tokens"',
}
_JUDGES: Final[dict[str, Callable[[str], tuple[str, str] | None]]] = {
    **dict.fromkeys(_RATES, functools.partial(rate_fault, calendar=True)),
    **{name: functools.partial(duration_fault, name) for name in DURATIONS},
    **dict.fromkeys(("key", "fair_by"), key_fault),
    "host": host_fault,
    "cost": cost_fault,
    "settle": settle_fault,
    "from": functools.partial(time_fault, last=DAY_MINUTES - 1),
    "to": functools.partial(time_fault, last=DAY_MINUTES),
    "days": day_fault,
}
"""By key: what is wrong with a text that does not match the key's pattern."""
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
    name = _key_at(path, fault.schema)
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
    elif fault.validator == "pattern" and name == "resets":
        code, *said = resets_fault(value) or ("LK061", "", "")
        yield document.problem(code, path, *said)
    else:
        yield document.problem(_code(fault, name), path, *_sentence(fault, name, path, rule))


def _key_at(path: Path, schema: Any) -> str:
    """Return the key whose value is at a path, also for the items of its list; empty where a user gives the name."""
    if isinstance(schema, Mapping) and schema.get("type") == "object":
        return ""
    if path[2:3] == ("weights",) and len(path) > 3:  # noqa: PLR2004 - a section, a name, the key
        return "weights"
    if path and isinstance(path[-1], int):
        return str(path[-2]) if path[-2] in {"key", "fair_by", "days"} else ""
    return str(path[-1]) if path else ""


def _code(fault: ValidationError, name: str) -> str:
    if fault.validator == "enum" and name != "version":
        return "LK014"
    if fault.validator == "type" and name not in {"port", *_RATES, *_NUMBERS} - {"resend"}:
        return "LK013"
    if fault.validator == "maxItems":
        return "LK021" if name == "limits" else "LK025"
    return _CODES.get(name) or {"pattern": "LK025"}.get(str(fault.validator), "LK013")


def _sentence(fault: ValidationError, name: str, path: Path, rule: Any) -> tuple[str, str]:
    """Write fact and hint for a wrong value."""
    value: Any = fault.instance
    if name == "port":
        return _not_a_port(value)
    if fault.validator == "type":
        return _wrong_type(name, path, value, rule)
    if fault.validator == "pattern":
        return (_JUDGES[name](value) if name in _JUDGES else None) or (f"{show(value)} is not a prefix", _PREFIX)
    if fault.validator == "enum":
        return _wrong_word(name, value, rule)
    if fault.validator == "maxItems":
        return f"{len(value)} {'limits' if name == 'limits' else 'arguments'} are named here", f"name up to {rule}"
    never = " and would never start a task" if value < 1 and name in {"burst", "max_running"} else ""
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


def _wrong_type(name: str, path: Path, value: Any, wanted: str | list[str]) -> tuple[str, str]:
    if name == "cost":
        return f"{_shown(value)} is not a cost", 'write a whole number, or what it is read from, e.g. "max_tokens"'
    if name in _RATES and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{show(value)} is a bare number, not a rate", f'say per what, e.g. "{_per_second(value)}/s"'
    if name in _NUMBERS:
        neither = "neither true, false nor" if name == "resend" else "not"
        return f"{_shown(value)} is {neither} a whole number", _from_one(name)
    if name in _RATES:
        return f"{_shown(value)} is not a rate", 'write a string, e.g. "10/s"'
    several = [wanted] if isinstance(wanted, str) else wanted
    belongs = " or ".join(_KINDS[each] for each in several)
    return f"{_shown(value)} stands where {belongs} belongs", _typed(name, path, value, several[0])


def _typed(name: str, path: Path, value: Any, wanted: str) -> str:
    """Say how to write a value of the wanted type."""
    if wanted == "object":
        return f"write a table: [{dotted(path)}]" if path[-2:-1] != ("schedule",) else _A_SCHEDULE
    if wanted == "array":
        listing = f"write {name} = [{show(value)}]" if isinstance(value, str) else f"write e.g. {name} = []"
        return listing if name != "schedule" else f"write a table for each: [[{dotted(path)}]]"
    if name == "version":
        return _VERSION
    if path[-2:-1] == ("limits",) and isinstance(path[-1], int):
        return 'write a limit\'s name, or e.g. { limit = "NAME", cost = 5 }'
    if name in {"key", "fair_by"} and (names := names_within(value)):
        return f"write {name} = {quote('.'.join(names))}"
    return _BARE.get(wanted, _STRING)


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
    hint = remedy(path, table[key], table, near, known) or f"take it out; known here: {listed(known, 'and')}"
    return document.problem("LK010", path, "unknown key", hint, at="key")
