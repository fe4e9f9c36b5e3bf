"""The schema of test files: the committed one is fresh, and takes what the model takes."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import tomli
from jsonschema import Draft4Validator

from limitkit.config.checks import json_schema
from limitkit.config.test_file import cross_checks, schema, tables

ROOT = Path(__file__).parents[4]
COMMITTED = ROOT / "schemas" / schema.FILE
WHOLE = """
config = "ratelimits.toml"
[[test]]
name = "all that there is"
workers = 2
processes = 3
prefetch_multiplier = 1
task_seconds = { "mail.*" = "200ms" }
begins_at = 2026-03-29T00:00:00+01:00
until = "1h"
seed = 7
send = [{ task = "mail.send", count = 3, every = "1ms", at = "2s", args = ["{n}", 1], kwargs = { a = { b = 1.5 } },
  queue = "bulk", headers = { tenant = "acme" }, priority = 3 }]
[[test.fault]]
at = "1s"
store = "away"
for = "3s"
[[test.fault]]
at = "1s"
override = { limit = "api", rate = "5/s", burst = 3, partition = 42, for = "1m" }
[[test.expect]]
task = "mail.*"
started_within = "0s"
most = { starts = 0, in = "10s" }
least = { starts = 1, in = "10s" }
lost = 0
drained_by = "1h"
"""
CHANGES = [
    (("test", 0, "workers"), 0),
    (("test", 0, "workers"), "2"),
    (("test", 0, "task_seconds"), 5),
    (("test", 0, "unknown"), 5),
    (("test", 0, "send"), []),
    (("test", 0, "expect"), {}),
    (("test", 0, "send", 0, "count"), 0),
    (("test", 0, "send", 0, "every"), "-1s"),
    (("test", 0, "send", 0, "priority"), 10),
    (("test", 0, "fault", 0, "store"), "gone"),
    (("test", 0, "fault", 0, "kill"), "worker-1"),
    (("test", 0, "fault", 0, "at"), "soon"),
    (("test", 0, "fault", 1, "override"), {"limit": "api"}),
    (("test", 0, "fault", 1, "override"), {"rate": "5/s"}),
    (("test", 0, "expect", 0, "limit"), "api"),
    (("test", 0, "expect", 0, "most"), {"starts": 1}),
    (("test", 0, "expect", 0), {"task": "mail.send"}),
    (("test",), []),
]


def accepted(data):
    """Whether the model takes data, and what it can't show, the checks between keys."""

    class Document:
        def __init__(self):
            self.data = data

        def place(self, *_):
            return 1, 1

        def problem(self, code, *_, **__):
            return code

    model, _ = tables.errors(tables.LimitsTests, data)
    return model is not None and not [*cross_checks.of_tests(Document())]


def plain(data):
    """Write times as editors pass them to a schema."""
    return json.loads(json.dumps(data, default=lambda when: when.isoformat()))


def test_the_committed_schema_is_fresh():
    assert COMMITTED.read_text(encoding="utf-8") == schema.text()
    assert json_schema.shipped(schema.FILE) == schema.text()


def test_the_schema_is_one_that_editors_read():
    Draft4Validator.check_schema(schema.make())
    assert "null" not in schema.text()
    assert "$defs" not in schema.text()


def test_the_schema_and_the_model_take_all_that_there_is():
    data = tomli.loads(WHOLE)
    assert [*Draft4Validator(schema.make()).iter_errors(plain(data))] == []
    assert accepted(data)
    used = json.dumps(plain(data))
    for table in tables.TABLES.values():
        for name, field in table.model_fields.items():
            known = {"kill", "stop", "disconnect", "pause", "resume", "task", "limit", "max_running"}
            assert f'"{field.alias or name}"' in used or name in known, name


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=str)
def test_the_schema_and_the_model_refuse_the_same(path, value):
    data = copy.deepcopy(tomli.loads(WHOLE))
    node = data
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    assert [*Draft4Validator(schema.make()).iter_errors(plain(data))]
    assert not accepted(data)


def test_an_editor_finds_title_and_description_at_each_key():
    made = schema.make()
    for table in (made, *made["definitions"].values()):
        for name, key in table["properties"].items():
            assert key.get("title"), name
            assert key.get("description"), name
