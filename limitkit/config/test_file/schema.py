"""The JSON Schema of test files, made from their tables, for editors: Draft 4, as that of ratelimits.toml."""

from __future__ import annotations

from typing import Any, Final

from limitkit.config.checks.json_schema import draft4, ordered, written
from limitkit.config.test_file.tables import LimitsTests

FILE: Final = "limits-test.schema.json"
_FAULTS: Final = ("kill", "stop", "disconnect", "store", "override", "pause", "resume")
_EXPECTED: Final = ("started_within", "most", "least", "lost", "drained_by")


def make() -> dict[str, Any]:
    """Make the schema from the model."""
    made = LimitsTests.model_json_schema(by_alias=True)
    definitions = {name: draft4(each) for name, each in made.pop("$defs").items()}
    fault, expect, override = (definitions[name] for name in ("FaultTable", "ExpectTable", "OverrideTable"))
    fault["oneOf"] = _required(*_FAULTS)
    override["allOf"] = [{"oneOf": _required("limit", "task")}, {"oneOf": _required("rate", "max_running")}]
    expect["oneOf"], expect["anyOf"] = _required("task", "limit"), _required(*_EXPECTED)
    head = {"$schema": "http://json-schema.org/draft-04/schema#", **draft4(made), "title": "*.limits.toml"}
    whole: dict[str, Any] = ordered({**head, "definitions": definitions})
    return whole


def text() -> str:
    """Make the schema as it is committed."""
    return written(make())


def _required(*keys: str) -> list[dict[str, Any]]:
    return [{"required": [key]} for key in keys]
