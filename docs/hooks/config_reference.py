"""``docs/reference/config.md``: every key of ratelimits.toml, as the model of the file has it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from limitkit.config.checks import json_schema
from limitkit.config.model.cross_checks import NEEDS, NOT_OF_ONE_WORKER
from limitkit.config.model.limit_fields import DEFAULT_LEASE, KEY_PATTERN
from limitkit.config.model.ports import PORTS_PATTERN
from limitkit.config.model.tables import RateLimits
from limitkit.config.model.units import CALENDAR_RATE_PATTERN, DURATION_PATTERN, RATE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD = """\
# ratelimits.toml, key by key

<!-- Made by `make reference` from limitkit/config/model/; a test says when it is stale. -->

This page has every key of the file. [Limits](../limits.md) explains what they are for, with examples of whole files.
Editors show the same while you type: [`limitkit schema`](commands.md#limitkit-schema) prints the JSON Schema.

The file that counts is `LIMITKIT_CONFIG`, else the `config` given to `limitkit.install`, else `ratelimits.toml` in the
working folder or the nearest folder above. `LIMITKIT_MODE` (`enforce`, `shadow`, `off`) wins over its `mode`.

| value | written as |
| --- | --- |
| rate | a number, a slash, and `s`, `m`, `h` or `d`, in quotes: `"25/s"`; `"10/15m"` is 10 in 15 minutes |
| duration | a number and `ms`, `s`, `m`, `h` or `d`, in quotes: `"250ms"`, `"1.5h"` |
| argument | the name of an argument, or a path into it: `"customer.tenant"`; `"headers:NAME"` is a message's header |
| variable | `"${NAME}"` or `"${NAME:-default}"` may stand for rates, durations, numbers and ports, and in `store.url` |
"""
SECTIONS = (
    ("The top of the file", None, "The keys outside of all tables."),
    ("[store]", "StoreTable", ""),
    ("[waiting]", "WaitingTable", ""),
    ("[metrics]", "MetricsTable", ""),
    ("[limits.NAME]", "LimitTable", ""),
    ("[limits.NAME.partitions]", "PartitionTable", "Each value of the `key` may have a table of its own."),
    ("[[limits.NAME.schedule]]", "ScheduleTable", ""),
    ("[limits.NAME.feedback]", "FeedbackTable", "[Feedback](../feedback.md) explains it."),
    ("[limits.NAME.feedback.recover]", "RecoverTable", ""),
    ('[tasks."NAME"]', "TaskTable", "A limit of its own has all keys of a named limit. These are for tasks alone."),
    ("A limit that a task names", "EntryTable", "In the list `limits` of a task."),
    ("A cost", "CostTable", "[Cost and debt](../kinds.md#cost-and-debt) explains it."),
    ('[queues."NAME"]', "QueueTable", ""),
)
"""The parts of the page: a heading, the model's table, and a sentence more."""
EXAMPLES = {
    "version": "1",
    "extends": '"../base.toml"',
    "mode": '"shadow"',
    "lint": '{ LK110 = "off" }',
    "store": '{ url = "redis://localhost:6379/0" }',
    "waiting": '{ hold = "2s" }',
    "metrics": '{ port = "9545-9554" }',
    "url": '"redis://redis:6379/0"',
    "prefix": '"shop"',
    "timeout": '"250ms"',
    "on_error": '"hold"',
    "hold": '"2s"',
    "per_limit": "1000",
    "per_worker": "10000",
    "rescue": "false",
    "host": '"0.0.0.0"',
    "port": '"9545-9554"',
    "strategy": '"token_bucket"',
    "rate": '"25/s"',
    "burst": "100",
    "key": '"customer.tenant"',
    "resets": '"00:00 America/Los_Angeles"',
    "max_running": "3",
    "lease": '"30s"',
    "scope": '"worker"',
    "partitions": '{ acme = { rate = "50/s" } }',
    "show_key": "true",
    "fair_by": '"tenant_id"',
    "weights": "{ acme = 3 }",
    "schedule": '[{ from = "22:00", to = "06:00", rate = "100/s" }]',
    "on_limit": '"drop"',
    "max_wait": '"1m"',
    "feedback": '{ on = ["stripe.RateLimitError"] }',
    "from": '"22:00"',
    "to": '"06:00"',
    "days": '["mon-fri"]',
    "timezone": '"Europe/Berlin"',
    "on": '["requests.HTTPError:429"]',
    "action": '"pause"',
    "recover": '{ factor = 0.5, floor = "1/s" }',
    "unless": '["re:insufficient_quota"]',
    "resend": "20",
    "max_pause": '"10m"',
    "factor": "0.5",
    "step": '"0.5/s"',
    "floor": '"1/s"',
    "ceiling": '"50/s"',
    "limit": '"stripe_api"',
    "cost": '"max_tokens"',
    "settle": '"usage.total_tokens"',
    "of": '"prompt.length"',
    "times": "0.25",
    "plus": "500",
    "default": "1000",
    "limits": '["stripe_api"]',
    "limits@": '{ stripe_api = { strategy = "token_bucket", rate = "25/s" } }',
    "tasks": '{ "shop.charge_customer" = { limits = ["stripe_api"] } }',
    "queues": '{ emails = { limits = ["smtp"] } }',
}
"""A value for each key, as it is written; one of a single table is named ``key@Table``."""
VALUES = {
    "key": "argument, or list of up to 4",
    "fair_by": "argument, or list of up to 4",
    "on": "list of exceptions",
    "unless": "list of exceptions",
    "cost": "whole number, argument, or table",
    "settle": "dotted path",
    "of": "argument",
    "url": "address",
    "from": "time of the day",
    "to": "time of the day",
    "days": "day, range of days, or list of these",
}
"""What a key takes, where the model says less."""
DEFAULTS = {
    "lease": json.dumps(DEFAULT_LEASE),
    "max_wait": "as long as it takes; for `drop` and `fail` nothing",
    "on_error@LimitTable": "the store's",
    "on_error@TaskTable": "its limits'",
    "on_limit@TaskTable": "its limits'",
}
"""What holds without a key, where the model says only that it may be left out."""
SHAPES = {
    RATE_PATTERN: "rate",
    CALENDAR_RATE_PATTERN: "rate",
    DURATION_PATTERN: "duration",
    KEY_PATTERN: "argument",
    PORTS_PATTERN: "port, or a range of ports",
}
_CODE = re.compile(
    r'\$\{[^}]*\}|\{ [^}]+ \}|"[^"]+"|\(\?P<\w+>\.\.\.\)|\[[a-z.A-Z]*\]|\b[a-z]+_[a-z]+\b'
    r"|\b(?:rediss?|memory|unix|sentinel|redis\+cluster)://|\b(?:LIMITKIT_[A-Z_]+|RateLimitExceeded)\b"
)
"""What is code in a description."""
STRATEGIES = ("static", "token_bucket", "per_user", "window", "concurrency")


def text() -> str:
    """Write the page."""
    model = RateLimits.model_json_schema()
    tables = {name: json_schema.draft4(each) for name, each in model.pop("$defs").items()}
    schema = json_schema.draft4(model)
    parts = [HEAD]
    for heading, name, more in SECTIONS:
        table = tables[name] if name else schema
        parts += _section(heading, name or "", table, more, set(tables["LimitTable"]["properties"]))
        if name == "LimitTable":
            parts += _by_strategy(json_schema.of_one_file()["definitions"]["LimitTable"])
    return "".join(parts)


def _section(heading: str, name: str, table: dict[str, Any], more: str, of_limits: set[str]) -> Iterator[str]:
    yield f"\n## {heading if heading[0] != '[' else f'`{heading}`'}\n\n"
    said = [_prose(table["description"])] if name else []
    yield " ".join([*said, more]).strip() + "\n\n"
    yield "| key | value | without it | what it does |\n| --- | --- | --- | --- |\n"
    required = table.get("required", ())
    for key, schema in table["properties"].items():
        if name == "TaskTable" and key in of_limits - {"on_limit", "max_wait", "on_error", "mode"}:
            continue
        described, without = _apart(schema.get("description", ""))
        without = "required" if key in required else _default(key, name, schema) or _prose(without) or "-"
        value, meaning = VALUES.get(key) or _value(schema), _meaning(key, name, schema["title"], described)
        yield f"| `{key}` | {value} | {without} | {meaning} |\n"


def _apart(description: str) -> tuple[str, str]:
    """Separate what holds without a key from the rest of its description."""
    found = re.search(r" ?Default: (.*?)(?:\.(?= [A-Z])|\.?$)", description)
    return (description.replace(found[0], ""), found[1]) if found else (description, "")


def _meaning(key: str, name: str, title: str, described: str) -> str:
    said = " ".join(part for part in (f"**{_prose(title)}.**", _prose(described)) if part)
    example = EXAMPLES.get(f"{key}@{name}", EXAMPLES.get(key))
    return f"{said} Example: `{key} = {example}`".replace("|", "\\|") if example else said.replace("|", "\\|")


def _prose(said: str) -> str:
    """Write a text of the model as Markdown: what stands in quotes is code, nothing is emphasis."""
    return _CODE.sub(r"`\g<0>`", said.replace("``", "")).replace(" * ", " `*` ").replace('`"slow down"`', '"slow down"')


def _default(key: str, name: str, schema: dict[str, Any]) -> str:
    said = DEFAULTS.get(f"{key}@{name}", DEFAULTS.get(key))
    if said:
        return said if " " in said or said.endswith("'s") else f"`{said}`"
    return f"`{json.dumps(schema['default'])}`" if schema.get("default", []) != [] else ""


def _value(schema: dict[str, Any]) -> str:
    """Say what a key takes, from its type, its pattern, and its bounds."""
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    types = json_schema.types_of(schema)
    said = [_shape(schema, each) for each in types] or ["table"]
    return " or ".join(dict.fromkeys(said))


def _shape(schema: dict[str, Any], kind: str) -> str:
    if kind == "integer":
        bounds = [f"{schema[bound]:,}" for bound in ("minimum", "maximum") if bound in schema]
        return f"whole number, {' to '.join(bounds)}" if len(bounds) == len("12") else "whole number"
    if kind == "string":
        return SHAPES.get(schema.get("pattern", ""), "text")
    if kind == "array":
        inside = schema.get("items", {})
        most = f" of up to {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list{most}: {_value(inside)}" if "type" in inside else f"list{most}"
    return {"boolean": "`true`, `false`", "number": "number", "object": "table"}[kind]


def _by_strategy(limit: dict[str, Any]) -> Iterator[str]:
    """Say which key fits which strategy, by the rules of the schema."""
    rules = {strategy: _rule(limit["anyOf"], strategy) for strategy in STRATEGIES}
    yield f"\n### Which key fits which strategy\n\n| key | {' | '.join(f'`{each}`' for each in STRATEGIES)} |\n"
    yield f"| --- |{' --- |' * len(STRATEGIES)}\n"
    for key in limit["properties"]:
        cells = [_fits(key, *rules[strategy]) for strategy in STRATEGIES]
        if len({*cells}) > 1:
            yield f"| `{key}` | {' | '.join(cells)} |\n"
    needs = [f"`{key}` needs `{needed}`" for key, needed in NEEDS.items()]
    yield f'\n{"; ".join(needs)}. A limit with `scope = "worker"` has no {_listed(NOT_OF_ONE_WORKER)}.\n'


def _rule(branches: Iterable[dict[str, Any]], strategy: str) -> tuple[set[str], set[str]]:
    """Return the keys that a strategy must have, and those that it must not have."""
    mine = next(each for each in branches if strategy in each.get("properties", {}).get("strategy", {}).get("enum", ()))
    unwanted = mine.get("not", {})
    must_not = {key for each in unwanted.get("anyOf", [unwanted]) for key in each.get("required", ())}
    return {*mine.get("required", ())}, must_not


def _fits(key: str, must: set[str], must_not: set[str]) -> str:
    needed = NEEDS.get(key, "")
    if key in must_not or needed in must_not:
        return "-"
    return "required" if key in must else "yes"


def _listed(keys: Iterable[str]) -> str:
    *first, last = (f"`{key}`" for key in keys)
    return f"{', '.join(first)} or {last}"
