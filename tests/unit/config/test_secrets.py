"""Whoever writes the file, as in a pull request, learns nothing of the environment of the machine that judges it."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from kombu import Connection

from limitkit.config.checks import json_schema
from limitkit.config.load import MODE_VARIABLE, PORT_VARIABLE, judge
from limitkit.config.source import syntax_hints
from limitkit.config.source.toml import parse
from limitkit.config.wording import one_line
from limitkit.control.workers import _address
from limitkit.errors import ConfigError

SECRETS = [
    "hunter2SECRET",
    "aSECRET/b?c#d@e:SECRETf",
    "redis://SECRETu:SECRETp@SECRETh:1/2",
    "12345678987654321",
    "12345 seconds",
    "10000/month 31337",
    "-98765432101",
    "0.98765432101",
    "54321-9876",
    "x" * 200 + "SECRET",
    "SECRET\nSECRET",
    "\udcffSECRET",
    "a=b&SECRET=SECRET",
]
SIGNS = ["SECRET", "12345", "31337", "98765", "54321-", "54321"]
ADDRESSES = [
    "redis://user:SECRET@h",
    "redis://:SECRET@h:1/0",
    "redis://u:SECRET/SECRET@h",
    "redis://u:p@SECRET@h",
    "redis://u:a SECRET b@h",
    'redis://u:SECRET\\"SECRET@h',
    "redis://u:%53SECRET@h",
    "redis://u:SECRET" + "x" * 300 + "@h",
    "sentinel://:SECRET@a,b",
    "https://SECRET@example.com/x",
    "redis://h?password=SECRET",
    "redis://h/0?username=SECRET&x=1",
    "sentinel://h/0?sentinel_password=SECRET",
]
TASK = '[tasks.a]\nstrategy = "token_bucket"\n'
KINDS = {
    **dict.fromkeys(("resets", "max_running", "lease", "scope", "show_key", "fair_by", "cost", "settle"), '"@"'),
    "fair_by ": '"x"\ncost = { of = "@", times = "@", plus = "@", default = "@" }',
    "partitions": '{ "@" = { rate = "@", burst = "@", max_running = "@" } }',
    "weights": '{ "@" = "@" }',
    "schedule": '[{ from = "@", to = "@", days = ["@"], timezone = "@", rate = "@", burst = "@", max_running = "@" }]',
}
SPOTS = [
    *(
        f'[store]\nurl = "{url}"'
        for url in (
            *(
                "@",
                "@://h",
                "redis://@",
                "redis://h:@",
                "redis://h/@",
                "redis://u:@[at]h/x",
                "redis://@[at]h:x",
                "unix://@",
            ),
            *("redis://h?@", "redis://h?@=1", "redis://h?db=@", "redis://h?encoding=@", "redis://h?client_name=@"),
            *("sentinel://@,b/0?master=m", "sentinel://a/@?master=m", "sentinel://a/0?master=@"),
            *("sentinel://a/0?master=m&sentinel_@=1", "redis+cluster://a/@", "redis+cluster://a?@=1", "memory://@"),
            *("rediss://h?ssl_ca_certs=/@", "rediss://h?ssl_ca_data=@", "rediss://h?ssl_certfile=@&ssl_password=@"),
        )
    ),
    *(f'[store]\n{key} = "@"' for key in ("prefix", "on_error", "timeout", "uri")),
    *('store = "@"', '"@" = 1', '[store]\nurl = ["@"]', '[store]\nurl = { "@" = 1 }', 'mode = "@"', 'a = "@'),
    *(f'[metrics]\n{key} = "@"' for key in ("host", "port")),
    *(f'[waiting]\n{key} = "@"' for key in ("hold", "per_limit", "per_worker")),
    *(f'{TASK}rate = "1/s"\n{key} = "@"' for key in ("burst", "on_error", "feedback", "strategy")),
    *(f'{TASK}rate = "{rate}"' for rate in ("@", "@/s", "1/@", "@@")),
    f'{TASK}rate = "1/s"\non_limit = "drop"\nmax_wait = "@"',
    f'{TASK}rate = "@"\nburst = "@"\nkey = "@"\nlimits = ["@"]',
    '[tasks.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = "@"',
    '[tasks."@"]\nlimits = ["x"]\n[limits."@"]\nx = 1',
    *(
        f'{TASK}rate = "1/s"\n[tasks.a.feedback]\n{key} = {value}'
        for key, value in {
            **dict.fromkeys(("resend", "max_pause", "action"), '"@"'),
            **dict.fromkeys(("on", "unless"), '["@", "re:(@"]'),
            "recover": '{ factor = "@", step = "@", floor = "@", ceiling = "@" }',
        }.items()
    ),
    *(f'{TASK}rate = "1/s"\n{key} = {value}' for key, value in KINDS.items()),
    *(f'[tasks.a]\nstrategy = "window"\nrate = "{rate}"\nresets = "mon 08:00 UTC"' for rate in ("@", "@/s", "0.@/w")),
    '[tasks.a]\nstrategy = "concurrency"\nmax_running = "@"\nlease = "@"\nscope = "@"\nkey = ["@", "@"]',
    '[tasks.a]\nstrategy = "window"\nrate = "@/d"\ncost = 1000000',
    '[queues."@"]\nlimits = [{ limit = "@", key = "@", cost = "@", settle = "@" }]',
    f'{TASK}rate = "1/s"\n[tasks.a.feedback]\non = ["a.B"]\nrecover = {{ floor = "@", ceiling = "@" }}',
]


def said_of(text):
    """All that is said of a file, whichever way; of one that is fine, what its warnings say."""
    try:
        config = judge(parse(f"version = 1\n{text}", "f.toml"))
    except ConfigError as error:
        told = error.problems
        return str(error) + repr(error) + repr(told) + json.dumps([[each.message, each.hint] for each in told])
    return "".join(map(str, config.warnings)) + repr(config.rules.store)


@pytest.mark.parametrize("spot", SPOTS)
def test_no_value_of_a_variable_is_said(spot, monkeypatch):
    for secret, form in itertools.product(SECRETS, ("${VALUE}", "x${VALUE}y", "${VALUE:-z}")):
        monkeypatch.setenv("VALUE", secret)
        said = said_of(spot.replace("@", form).replace("[at]", "@"))
        assert not [sign for sign in SIGNS if sign in said], (secret, said)


@pytest.mark.parametrize("spot", SPOTS)
def test_nothing_between_the_slashes_and_the_at_of_an_address_is_said(spot):
    for address in ADDRESSES:
        said = said_of(spot.replace("[at]", "").replace("@", address))
        assert "SECRET" not in said, (address, said)


@pytest.mark.parametrize("variable", [MODE_VARIABLE, PORT_VARIABLE])
def test_nor_of_the_variables_that_limitkit_goes_by(variable, monkeypatch):
    for secret in [*SECRETS, "shadw"]:
        monkeypatch.setenv(variable, secret)
        said = said_of("")
        assert variable in said
        assert not [sign for sign in [*SIGNS, "shadw", '"shadow"?'] if sign in said], said


def test_whatever_the_schema_lets_a_variable_into_is_in_these_spots():
    """A key that is new takes variables by itself: it belongs into ``SPOTS``."""
    found = set()

    def walk(node, name):
        if json_schema.takes_variables(node):
            found.add(name)
        for key, each in node.get("properties", {}).items():
            walk(each, key)
        for each in (node.get("additionalProperties"), node.get("items"), *node.get("allOf", ())):
            if isinstance(each, dict):
                walk(each, name)

    walk(json_schema.judged(), "")
    assert [name for name in sorted(found) if not any(name in spot for spot in SPOTS)] == []
    assert {"rate", "burst", "timeout", "hold", "per_limit", "per_worker", "max_wait", "port", "factor"} <= found


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:SECRET@localhost:6379/0", "redis://**@localhost:6379/0"),
        ("redis://SECRET:SECRET@localhost:6379/0", "redis://**@localhost:6379/0"),
        ("amqp://SECRET:SECRET@localhost:5672//", "amqp://**@localhost:5672//"),
    ],
)
def test_a_broker_is_shown_with_a_password_only_where_it_has_one(url, shown):
    with Connection(url) as connection:
        assert _address(connection) == shown


@pytest.mark.parametrize(
    "text", ["TOKEN=SECRET", "a = 1\nSECRET_b = SECRET\n", "A=1\0\nkey=SECRET\0B=2", "x: SECRET", "SECRET"]
)
def test_nor_what_stands_in_a_file_that_is_no_config(text):
    """A stranger's ``ratelimits.toml`` may be a link to ``.env``, to ``/proc/self/environ``, or to credentials."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.toml")
    assert "SECRET" not in str(caught.value)


def test_the_keys_whose_text_is_shown_are_keys_of_the_file():
    assert set(re.findall(r'"(\w+)": \{', json.dumps(json_schema.judged()))) >= syntax_hints._OF_TEXT


def test_nor_is_it_said_of_text_from_outside_that_names_an_address():
    """What a worker, a store or a client says goes through this alone, whatever else has been done with it."""
    assert one_line("can't reach redis://user:SECRET@h\n") == "can't reach redis://**@h\\n"
