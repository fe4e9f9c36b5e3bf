"""The schema and the model judge the same shape; the committed schema is fresh and one that editors read."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from support.sizes import examples

from limitkit.config.checks import json_schema, schema_validator
from limitkit.config.checks.schema_help import SITE
from limitkit.config.load import judge
from limitkit.config.model.cross_checks import cross_checked_limit, cross_checked_task
from limitkit.config.model.tables import errors
from limitkit.config.model.units import CALENDAR_RATE_PATTERN, DURATION_PATTERN, RATE_PATTERN
from limitkit.config.source.toml import Document, parse
from limitkit.errors import ConfigError

VALID = """\
version = 1
mode = "enforce"

[store]
url = "redis://localhost:6379/0"
prefix = "shop"
timeout = "100ms"
on_error = "divide"

[waiting]
hold = "5s"
per_limit = 100
per_worker = 500

[metrics]
host = "0.0.0.0"
port = "9545-9554"

[limits.stripe_api]
strategy = "token_bucket"
rate = "25/s"
burst = 100
on_limit = "drop"
max_wait = "1m"
on_error = "hold"

[limits.stripe_api.feedback]
on = ["stripe.error.RateLimitError", "requests.HTTPError:429", "re:THROTTLED"]
action = "slow"
recover = { factor = 0.8, step = "0.5/s", floor = "1/s", ceiling = "20/s" }
resend = 20
unless = ["re:insufficient_quota"]
max_pause = "2d"

[limits.tenant]
strategy = "per_user"
rate = "10/15m"
key = "customer.tenant"
mode = "off"

show_key = true

[limits.tenant.partitions]
acme = { rate = "50/s", burst = 50 }

[limits.tokens]
strategy = "token_bucket"
rate = "60000/m"
burst = 2000
fair_by = ["tenant_id", "headers:x-region"]
weights = { '["acme", "eu"]' = 3, '["42", null]' = 0.5 }

[[limits.tokens.schedule]]
from = "22:00"
to = "06:00"
days = ["mon-fri", "sun"]
timezone = "Europe/Berlin"
rate = "90000/m"

[limits.quota]
strategy = "window"
rate = "15000/d"
resets = "00:00 America/Los_Angeles"
key = ["customer", "headers:x-region"]

[limits.reports]
strategy = "concurrency"
max_running = 5
lease = "30s"
scope = "all"

[limits.fonts]
strategy = "concurrency"
max_running = 1
scope = "worker"

[tasks."shop.charge"]
limits = ["stripe_api", { limit = "tenant", key = "customer.id" }]
max_wait = "30s"
on_error = "allow"

[tasks."llm.ask"]
limits = ["reports", "stripe_api", { limit = "tokens", cost = { of = "a.b", times = 0.25, plus = 5, default = 9 } }]
cost = "max_tokens"
settle = "usage.total_tokens"

[tasks."llm.embed"]
strategy = "window"
rate = "100/5s"
cost = 5

[queues."emails.*"]
limits = ["quota", "fonts"]
mode = "shadow"

[tasks."emails.*"]
strategy = "static"
rate = "0.5/s"
burst = 2
on_limit = "wait"
mode = "enforce"

[tasks."emails.receipt"]
limits = []
"""
WHOLE = schema_validator.judge()(json_schema.make())
COMMITTED = Path(__file__).parents[4] / "schemas" / "ratelimits.schema.json"
DOCS = COMMITTED.parents[1] / "docs"

SAID = ["on_limit", "max_wait", "on_error", "feedback", "on", "recover", "factor", "step"]
SAID += ["resets", "max_running", "lease", "scope", "partitions", "show_key", "fair_by", "weights", "schedule"]
SAID += ["cost", "settle", "of", "limit", "from", "days", "timezone"]

bad = st.one_of(
    st.sampled_from(
        [
            0,
            1,
            2,
            -1,
            1.0,
            1.5,
            float("nan"),
            float("inf"),
            True,
            False,
            10**30,
            "",
            "x",
            "10/s",
            "10/s\n",
            "1/s ",
            "5",
            "off",
            9545,
            65536,
            "9554-9545",
        ]
    ),
    st.sampled_from([[], {}, ["x"], ["x", "x"], [1], {"rate": "1/s"}, ["a"] * 9, tomli.loads("a=1979-05-27")["a"]]),
    st.sampled_from(
        ["static", "per_user", "token_bucket", "shadow", "hold", "wait", "drop", "a.b", "a..b", "x" * 65, "9ms", "1s"]
    ),
    st.sampled_from(["window", "concurrency", "all", "worker", "10/mo", "mon", "mon-fri", "22:00", "24:00", "25:99"]),
    st.sampled_from(["00:00 UTC", "clock", "headers:x", "headers:", "1 00:00 Nowhere/At_All", "Europe/Berlin", "5s"]),
    st.sampled_from(
        [["a", "b"], ["a"] * 2, ["a"] * 5, {"of": "a"}, {"times": 2}, [{"limit": "tenant"}], [{"key": "a"}]]
    ),
    st.sampled_from([{"acme": 3}, {"acme": 0}, {"rate": {"burst": 2}}, [{"burst": 2}], [{"from": "01:00", "rate": 1}]]),
)


def tables_of(value, path=()):
    if isinstance(value, dict):
        yield path
        for key, each in value.items():
            yield from tables_of(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from tables_of(each, (*path, index))


@st.composite
def mutants(draw):
    """Make a valid file wrong in one place, mostly: a key's value, a missing key, or one more."""
    data = tomli.loads(VALID)
    path = draw(st.sampled_from(list(tables_of(data))))
    table = data
    for key in path:
        table = table[key]
    key = draw(
        st.sampled_from([*table, "limits", "strategy", "rate", "burst", "key", *SAID, "cost", "url", "port", "x"])
    )
    how = draw(st.integers(0, 3))
    if how == 0:
        table.pop(key, None)
    elif how == 1 and key in table:
        table[draw(st.sampled_from([f"{key}s", "x"]))] = table.pop(key)
    else:
        table[key] = copy.deepcopy(draw(bad))
    return data


def judged(data):
    try:
        judge(Document("f.toml", VALID, data))
    except ConfigError as error:
        return error.problems
    return ()


def crossed(data):
    """Find what the keys of one table together do wrong, which the model says only of tables that are right else."""
    sections = (("limits", cross_checked_limit), ("tasks", cross_checked_task))
    tables = [(judging, data.get(name)) for name, judging in sections if isinstance(data.get(name), dict)]
    found = [(judging, each) for judging, section in tables for each in section.values() if isinstance(each, dict)]
    return [fault for judging, each in found for fault in judging(each)]


def test_the_valid_file_is_valid():
    assert judge(parse(VALID, "f.toml")).warnings == ()


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(mutants())
def test_schema_and_model_never_disagree_about_shape(data):
    _, found = errors(data)
    shape = [error for error in found if error["type"] != "meaning"] + crossed(data)
    # Uniqueness is in the schema for editors; the model leaves it to the check that names the second one.
    refused = [error for error in WHOLE.iter_errors(data) if error.validator != "uniqueItems"]
    assert bool(refused) == bool(shape), (refused, shape)
    if refused or found:
        assert any(problem.severity == "error" for problem in judged(data))


def test_at_least_four_in_ten_mutants_are_refused():
    outcomes = []

    @settings(max_examples=examples(200), database=None, derandomize=True, deadline=None)
    @given(mutants())
    def collect(data):
        outcomes.append(bool(judged(data)))

    collect()
    assert sum(outcomes) / len(outcomes) >= 0.4


def test_the_shape_is_judged_the_same_without_the_rules_between_keys():
    @settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(mutants())
    def same(data):
        whole = {tuple(each.absolute_path) for each in WHOLE.iter_errors(data) if each.validator != "anyOf"}
        assert {tuple(each.absolute_path) for each in schema_validator.faults(data)} >= whole

    same()


def test_the_committed_schema_is_fresh():
    assert COMMITTED.read_text(encoding="utf-8") == json_schema.text()
    assert json_schema.shipped() == json_schema.text()


def test_the_schema_is_draft_4_and_has_no_newer_word():
    made = json_schema.make()
    Draft4Validator.check_schema(made)
    words = set()

    def collect(node, *, names=False):
        if isinstance(node, dict):
            words.update(() if names else node)
            for key, each in node.items():
                collect(each, names=not names and key in {"properties", "definitions"})
        elif isinstance(node, list):
            for each in node:
                collect(each)

    collect(made)
    assert words <= {
        "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "default", "definitions", "description", "enum",
        "items", "maxItems", "maximum", "minimum", "not", "pattern", "properties", "required", "title", "type",
        "uniqueItems", "x-taplo", "links", "key",
    }  # fmt: skip
    assert "null" not in json.dumps(made)


def keys_of(made):
    """Go through all keys of a schema: the name of their table, or an empty one, theirs, and what is said of them."""
    for name, table in {"": made, **made["definitions"]}.items():
        for key, schema in table.get("properties", {}).items():
            yield name, key, schema


MADE = json_schema.make()
KEYS = [*keys_of(MADE)]
each_key = pytest.mark.parametrize(("table", "key", "schema"), KEYS, ids=[f"{table}.{key}" for table, key, _ in KEYS])


@each_key
def test_an_editor_finds_a_title_and_a_description_at_each_key(table, key, schema):
    assert schema["title"] != key.title() or not table
    assert len(schema["description"].partition(" Example: ")[0]) > len("Always")


@each_key
def test_the_description_of_each_key_names_its_default(table, key, schema):
    """One that is empty means nothing, and is not named."""
    default, said = schema.get("default", []), schema["description"]
    assert default == [] or f"Default: {json.dumps(default)}." in said or said.count("Default:") == 1


@each_key
def test_the_description_of_each_key_says_what_it_is_measured_in(table, key, schema):
    said, pattern, types = schema["description"], schema.get("pattern", ""), json_schema.types_of(schema)
    if pattern.startswith(DURATION_PATTERN):
        assert "duration" in said
    if pattern.startswith((RATE_PATTERN, CALENDAR_RATE_PATTERN)):
        assert "/s" in said
    if {"integer", "number"} & {*types} and key != "version":
        assert re.search("tasks|tokens|number|more than", said, re.IGNORECASE)


@each_key
def test_the_example_of_each_key_is_one(table, key, schema):
    """A new key gets its example, and the page that tells more, in ``config/checks/schema_help.py``."""
    example = schema["description"].partition(" Example: ")[2].partition("\n\n")[0]
    assert example, "there is none"
    value = tomli.loads(f"value = {example}")["value"]
    judge = type(WHOLE)({**schema, "definitions": MADE["definitions"]})
    assert [*judge.iter_errors(value)] == []


@each_key
def test_each_key_links_to_a_page_that_tells_more(table, key, schema):
    link = schema["description"].rpartition("\n\n")[2]
    assert schema["x-taplo"] == {"links": {"key": link}}
    page, _, anchor = link.removeprefix(SITE).partition("#")
    text = (DOCS / f"{page.rstrip('/')}.md").read_text(encoding="utf-8")
    headings = re.findall("^#+ (.*)$", text, re.MULTILINE)
    assert not anchor or anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
