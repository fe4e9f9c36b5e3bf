"""The JSON Schema of ratelimits.toml: made from the model, and shown to editors.

It is Draft 4, because the TOML language server behind the common editors reads nothing newer: no ``const``,
no ``if``, ``definitions`` in place of ``$defs``.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.schema_help import add_help
from limitkit.config.model.cost_errors import MOST_COST
from limitkit.config.model.cross_checks import FOREIGN, NEEDS, NOT_OF_ONE_WORKER, NOT_STATIC, OWN_KEYS
from limitkit.config.model.env_values import VARIABLE_PATTERN
from limitkit.config.model.limit_fields import KEY_PATTERN
from limitkit.config.model.ports import PORTS_PATTERN
from limitkit.config.model.tables import RateLimits
from limitkit.config.model.units import CALENDAR_RATE_PATTERN, DURATION_PATTERN, RATE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Sequence

_DROPPED: Final = ("examples", "$defs")
_ORDER: Final = ("$schema", "title", "description", "type", "enum", "default")
"""The keys that come first; the others follow in alphabetical order, so that each pydantic gives the same text."""
_BETWEEN_KEYS: Final = ("required", "anyOf", "allOf")
_BEGIN: Final = {
    "limits": ("LimitTable", ("strategy",)),
    "tasks": ("TaskTable", ("strategy", "limits")),
    "queues": ("QueueTable", ("limits",)),
}
"""By section: the definition of its tables, and keys of which each table has one."""
_PLACES: Final = (Path(__file__).parents[2], Path(__file__).parents[3] / "schemas")
"""The package itself, when it is installed; the checkout's folder."""
_FILE: Final = "ratelimits.schema.json"


def make() -> dict[str, Any]:
    """Make the schema from the model."""
    made: dict[str, Any] = with_variables(_or_extends(_made()))
    add_help(made)
    whole: dict[str, Any] = ordered(made)
    return whole


def of_one_file() -> dict[str, Any]:
    """Make the schema of a file that extends no other: what each table needs stands in its definition."""
    made: dict[str, Any] = ordered(with_variables(_made()))
    return made


def _made() -> dict[str, Any]:
    made = RateLimits.model_json_schema()
    definitions = {name: draft4(each) for name, each in made.pop("$defs").items()}
    definitions["EntryTable"]["type"] = ["string", "object"]
    numbers_and_paths = {"minimum": 1, "maximum": MOST_COST, "pattern": KEY_PATTERN}
    definitions["CostTable"] |= {"type": ["integer", "string", "object"], "required": ["of"], **numbers_and_paths}
    _add_rules_between_keys(definitions)
    head = {"$schema": "http://json-schema.org/draft-04/schema#", **draft4(made), "title": "ratelimits.toml"}
    return {**head, "definitions": definitions}


def _or_extends(made: dict[str, Any]) -> dict[str, Any]:
    """Let the tables of a file that extends another lack what each table begins with: that may be in the other.

    A table that has it is judged by itself: an editor marks a fault there, and one of the whole file at each word.
    """
    definitions = dict(made["definitions"])
    begun: dict[str, Any] = {}
    for section, (table, keys) in _BEGIN.items():
        has_one = [{"required": [key]} for key in keys]
        begun[section] = {"additionalProperties": {"anyOf": has_one} if len(has_one) > 1 else has_one[0]}
        rules = {key: definitions[table][key] for key in _BETWEEN_KEYS if key in definitions[table]}
        definitions[table] = {key: each for key, each in definitions[table].items() if key not in rules}
        rules.pop("required", None)
        if rules:
            definitions[table]["anyOf"] = [{"not": {"anyOf": has_one}}, rules]
    rest = {key: each for key, each in made.items() if key != "required"}
    whole = {"required": made["required"], "properties": begun}
    return {**rest, "definitions": definitions, "anyOf": [{"required": ["extends"]}, whole]}


def _add_rules_between_keys(definitions: dict[str, Any]) -> None:
    """Write into the tables of limits and tasks what ``cross_checks`` judges."""
    rated = [
        _keys(must=["rate", "key"], must_not=FOREIGN["per_user"], strategy=["per_user"]),
        _keys(must=["rate"], must_not=["key", *FOREIGN["token_bucket"]], strategy=["token_bucket"]),
        _keys(must=["rate"], must_not=["key", *NOT_STATIC, *FOREIGN["static"]], strategy=["static"]),
        _keys(must=["rate"], must_not=FOREIGN["window"], strategy=["window"]),
    ]
    run: dict[str, Any] = {"must": ["max_running"], "must_not": FOREIGN["concurrency"], "strategy": ["concurrency"]}
    of_one = {"must": ["max_running", "scope"], "must_not": [*run["must_not"], *NOT_OF_ONE_WORKER]}
    counted = [_keys(**run, scope=["all"]), _keys(**{**run, **of_one}, scope=["worker"])]
    waits = _keys(must_not=["max_wait"])
    gives_up = _keys(on_limit=["drop", "fail"])
    needs = [{"anyOf": [_keys(must_not=[key]), _keys(must=[needed])]} for key, needed in NEEDS.items()]
    limit, task = definitions["LimitTable"], definitions["TaskTable"]
    limit["anyOf"] = [*rated, *counted]
    limit["allOf"] = [{"anyOf": [waits, {**gives_up, "required": ["on_limit"]}]}, *needs]
    own = _keys(must=["strategy"], must_not=["limits"]) | {key: limit[key] for key in ("anyOf", "allOf")}
    named = _keys(must=["limits"], must_not=[*OWN_KEYS, "feedback"])
    task["anyOf"] = [own, {**named, "anyOf": [waits, gives_up]}]
    for table in (task, definitions["QueueTable"]):
        table["properties"]["limits"]["uniqueItems"] = True


def with_variables(node: Any) -> Any:
    """Write into a schema, for editors, which values may name a variable."""
    if isinstance(node, list):
        return [with_variables(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: with_variables(each) for key, each in node.items()}
    if takes_variables(made):
        types = types_of(made)
        if "string" not in types:
            made["type"] = [*types, "string"]
        plain = f"{made['pattern']}|" if "pattern" in made else ""
        made["pattern"] = f"{plain}^.*{VARIABLE_PATTERN}.*$"
    return made


def types_of(schema: dict[str, Any]) -> tuple[str, ...]:
    """Return the types that a key of a schema may have."""
    types = schema.get("type", ())
    return (types,) if isinstance(types, str) else tuple(types) if isinstance(types, list) else ()


def takes_variables(schema: dict[str, Any]) -> bool:
    """Whether the value of a key may name a variable: if it is a rate, a duration, a number, or ports."""
    numbers = "enum" not in schema and not {"integer", "number"}.isdisjoint(types_of(schema))
    return numbers or schema.get("pattern") in (RATE_PATTERN, CALENDAR_RATE_PATTERN, DURATION_PATTERN, PORTS_PATTERN)


def _keys(must: Sequence[str] = (), must_not: Sequence[str] = (), **words: list[str]) -> dict[str, Any]:
    """Make a rule between keys: some must be there, some must not, and ``words`` have one of these values."""
    rule: dict[str, Any] = {"required": list(must)} if must else {}
    if must_not:
        unwanted = [{"required": [key]} for key in must_not]
        rule["not"] = {"anyOf": unwanted} if len(unwanted) > 1 else unwanted[0]
    if words:
        rule["properties"] = {key: {"enum": allowed} for key, allowed in words.items()}
    return rule


def text() -> str:
    """Make the schema as it is committed."""
    return written(make())


def written(schema: dict[str, Any]) -> str:
    """Write a schema: JSON, indented, with a newline at its end."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def shipped(file: str = _FILE) -> str:
    """Read a schema as it came with this package, or as it is committed in a source checkout."""
    for folder in _PLACES:
        if (folder / file).exists():
            return (folder / file).read_text(encoding="utf-8")
    raise FileNotFoundError(file)


@functools.cache
def judged() -> dict[str, Any]:
    """Return the schema that a file is checked by, after its variables have values: one tree, without references.

    It is made from the model, not read from the schema file, which may be stale.
    """
    whole = _made()
    inlined: dict[str, Any] = _inlined(whole, whole["definitions"])
    return inlined


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Replace references by definitions, and leave out the rules between keys: ``cross_checks`` reports them better.

    That checks the same shape, and a file of 2,000 tasks five times faster.
    """
    if isinstance(node, list):
        return [_inlined(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(each, definitions) for key, each in node.items() if key not in {"anyOf", "definitions"}}


def draft4(node: Any) -> Any:
    """Rewrite pydantic's schema in the keywords of Draft 4."""
    if isinstance(node, list):
        return [draft4(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: each for key, each in node.items() if key not in _DROPPED}
    if "description" in kept:  # editors show no docstring markup
        kept["description"] = str(kept["description"]).replace("``", "")
    options = [each for each in kept.pop("anyOf", []) if each != {"type": "null"}]
    kept |= options[0] if options else {}
    if kept.get("default", "") is None:  # TOML has no null: an optional key is left out
        del kept["default"]
    if "const" in kept:
        kept["enum"] = [kept.pop("const")]
    if "$ref" in kept:
        # Draft 4 ignores other keys beside a $ref, so with other keys the reference goes into allOf.
        reference = {"$ref": kept.pop("$ref").replace("#/$defs/", "#/definitions/")}
        return {**_draft4_values(kept), "allOf": [reference]} if kept else reference
    return _draft4_values(kept)


def _draft4_values(node: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: draft4(each) for name, each in value.items()} if key == "properties" else draft4(value)
        for key, value in node.items()
    }


def ordered(node: Any) -> Any:
    """Put the keys of a schema in an order that each pydantic gives."""
    if isinstance(node, list):
        return [ordered(each) for each in node]
    if not isinstance(node, dict):
        return node
    keys = sorted(node, key=lambda key: (_ORDER.index(key) if key in _ORDER else len(_ORDER), key))
    return {
        key: {name: ordered(each) for name, each in node[key].items()}
        if key in {"properties", "definitions"}
        else ordered(node[key])
        for key in keys
    }
