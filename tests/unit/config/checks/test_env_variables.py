"""Rates, durations and numbers may come from the environment, and are then what they would be in the file."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft4Validator

from limitkit.cli import limitkit
from limitkit.config.checks import json_schema
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

WHOLE = """\
version = 1

[store]
timeout = "{timeout}"

[waiting]
hold = "{hold}"
per_limit = {per_limit}
per_worker = {per_worker}

[metrics]
port = {port}

[limits.api]
strategy = "token_bucket"
rate = "{rate}"
burst = {burst}
on_limit = "drop"
max_wait = "{max_wait}"

[limits.api.feedback]
on = ["shop.Busy"]
recover = {{ factor = {factor}, step = "{step}", floor = "{floor}", ceiling = "{ceiling}" }}
resend = {resend}
max_pause = "{max_pause}"

[tasks.charge]
limits = ["api"]
"""
TEXTS = {
    "timeout": "100ms",
    "hold": "5s",
    "rate": "25/s",
    "max_wait": "1m",
    "step": "0.5/s",
    "floor": "1/s",
    "ceiling": "20/s",
    "max_pause": "2h",
}
NUMBERS = {"per_limit": "7", "per_worker": "50", "port": "9545", "burst": "12", "factor": "0.5", "resend": "3"}


def config(text):
    return judge(parse(text, "f.toml"))


def written(form):
    texts = {key: form.format(key.upper()) for key in TEXTS}
    return WHOLE.format(**texts, **{key: f'"{form.format(key.upper())}"' for key in NUMBERS})


def test_what_variables_say_is_what_the_file_would_say(monkeypatch):
    wanted = config(WHOLE.format(**TEXTS, **NUMBERS)).rules
    for key, value in (TEXTS | NUMBERS).items():
        monkeypatch.setenv(key.upper(), value)
    got = config(written("${{{}}}")).rules
    assert got == wanted
    assert repr(got) == repr(wanted), "these are plain numbers and texts: they are in force, and shown by status"


def test_defaults_hold_where_a_variable_is_not_set_or_empty(monkeypatch):
    monkeypatch.setenv("EMPTY", "")
    made = config('version = 1\n[tasks.a]\nstrategy = "static"\nrate = "${NOT_SET:-3}/s"\nburst = "${EMPTY:-5}"\n')
    (limit,) = made.rules.exact["a"].limits
    assert (limit.rate.text, limit.burst) == ("3/s", 5)


@pytest.mark.parametrize("value", ["true", "false"])
def test_what_may_be_true_or_false_may_be_said_so(monkeypatch, value):
    monkeypatch.setenv("AGAIN", value)
    text = 'version = 1\n[tasks.a]\nstrategy = "token_bucket"\nrate = "1/s"\n[tasks.a.feedback]\non = ["a.B"]\n'
    assert config(f'{text}resend = "${{AGAIN}}"').rules == config(f"{text}resend = {value}").rules


def test_all_variables_that_are_not_set_are_said_at_once_and_nothing_else_of_them():
    with pytest.raises(ConfigError) as caught:
        config(written("${{NOT_SET_{}}}"))
    assert {each.code for each in caught.value.problems} == {"LK020"}
    assert len(caught.value.problems) == len(TEXTS | NUMBERS)


def test_a_number_in_quotes_stays_none_without_a_variable():
    with pytest.raises(ConfigError, match=r'LK015 tasks.a.burst: the string "5" is not a whole number'):
        config('version = 1\n[tasks.a]\nstrategy = "static"\nrate = "3/s"\nburst = "5"\n')


def test_the_schema_that_editors_read_takes_variables_and_no_other_text():
    judges = Draft4Validator(json_schema.make())
    plain = parse(WHOLE.format(**TEXTS, **NUMBERS), "f.toml").data
    assert judges.is_valid(plain)
    assert judges.is_valid(parse(written("${{{}}}"), "f.toml").data)
    assert judges.is_valid(parse(written("${{{}:-a b}}"), "f.toml").data)
    for text in ("{}", "$ {{{}}}", "${{1{}}}", "${{{}"):
        found = {each.absolute_path[-1] for each in judges.iter_errors(parse(written(text), "f.toml").data)}
        assert found == {*TEXTS, *NUMBERS}, text
    assert "null" not in json.dumps(json_schema.make())


def test_workers_with_other_values_go_by_another_file(monkeypatch):
    text = 'version = 1\n[tasks.a]\nstrategy = "static"\nrate = "${RATE:-3/s}"\n'
    before = config(text)
    monkeypatch.setenv("RATE", "4/s")
    after = config(text)
    assert before.digest != after.digest


def test_explain_says_which_numbers_are_this_environment_s(monkeypatch, tmp_path):
    monkeypatch.setenv("RATE", "4/s")
    file = tmp_path / "f.toml"
    file.write_text('version = 1\n[tasks.a]\nstrategy = "static"\nrate = "${RATE}"\nburst = "${NOT_SET:-7}"\n')
    said = CliRunner().invoke(limitkit, ["explain", "a", "--config", str(file)]).output
    assert " 4/s " in said
    line = 'Its own limit has rate = "${RATE}" and burst = "${NOT_SET:-7}", as set here; a worker uses its own '
    assert line in said


def test_of_two_variables_with_one_value_each_is_named_where_it_stands(monkeypatch):
    monkeypatch.setenv("FIRST", "5/s")
    monkeypatch.setenv("SECOND", "5/s")
    feedback = 'feedback = {{ on = ["a.B"], recover = {{ ceiling = "${{{0}}}" }} }}'
    limit = f'[limits.{{0}}]\nstrategy = "token_bucket"\nrate = "2/s"\n{feedback}\n'
    with pytest.raises(ConfigError) as error:
        config(limit.format("FIRST") + limit.format("SECOND"))
    said = [str(each) for each in error.value.problems if each.code == "LK033"]
    assert ["${FIRST}" in said[0], "${SECOND}" in said[1]] == [True, True]
