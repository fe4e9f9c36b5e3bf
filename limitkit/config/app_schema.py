"""The JSON Schema of ratelimits.toml for one app: editors complete its tasks, their arguments, and its queues.

It says no more than the plain schema of what is wrong: names that the app does not have stay allowed, since one file
may serve several apps, and ``limitkit validate --app`` judges them better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks import json_schema
from limitkit.config.task_words import arguments_of, own_tasks, signature_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_READ: Final = ("key", "cost", "fair_by")
"""Keys whose value names an argument of the task."""


def text(tasks: Mapping[str, Any], queues: Iterable[str]) -> str:
    """Make the schema for an app's tasks, by name, and the names of its queues; the same text each time."""
    made = json_schema.make()
    sections, definitions = made["properties"], made["definitions"]
    own = own_tasks(tasks)
    plain = {key: definitions["TaskTable"]["properties"][key] for key in _READ}
    sections["tasks"]["properties"] = {name: _task(name, task, plain) for name, task in own.items()}
    sections["queues"]["properties"] = {name: _of_table("QueueTable", "A queue of the app.") for name in sorted(queues)}
    arguments = sorted({argument for task in own.values() for argument in arguments_of(task)})
    for key in ("key", "fair_by"):
        named = definitions["LimitTable"]["properties"]
        named[key] |= _suggesting(named[key], arguments)
    return json_schema.written(json_schema.ordered(made))


def _task(name: str, task: Any, plain: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    said = signature_text(name, task)
    read = f"An argument of {said}, or a dotted path into it."
    arguments = arguments_of(task)
    keys = {
        key: {"title": schema["title"], "description": read, **_suggesting(schema, arguments)}
        for key, schema in plain.items()
        if arguments
    }
    return {**_of_table("TaskTable", said), **({"properties": keys} if keys else {})}


def _of_table(table: str, description: str) -> dict[str, Any]:
    return {"description": description, "type": "object", "allOf": [{"$ref": f"#/definitions/{table}"}]}


def _suggesting(schema: dict[str, Any], arguments: Iterable[str]) -> dict[str, Any]:
    """Say that a value is mostly one of these, and may be anything else that the key takes."""
    names = list(arguments)
    others = {"type": schema.get("type", ["integer", "string", "object"])}
    return {"anyOf": [{"enum": names}, others]} if names else {}
