"""Whatever stands in a file, it is judged in words: no traceback, no silence, no line that nobody can read."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.config import app_check
from limitkit.config.checks import model_errors, schema_validator
from limitkit.config.load import judge
from limitkit.config.model.tables import errors
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

LONGEST = 1_500
"""Characters of a problem, with all that is quoted in it."""


SHARED = 'version = 1\n[tasks.a]\nstrategy = "token_bucket"\nrate = "1/s"\n'


def problems_of(text):
    """Judge a text; all that is said of it is a line of a length that can be read."""
    try:
        found = judge(parse(text, "f.toml")).warnings
    except ConfigError as error:
        found = error.problems
        assert any(problem.severity == "error" for problem in found)
    for problem in found:
        assert str(problem).isprintable()
        assert len(str(problem)) <= LONGEST
        assert problem.message
        assert problem.hint
    return found


HUGE = st.integers(1, 30_000)
numbers = st.one_of(
    HUGE.map(lambda digits: "9" * digits),
    HUGE.map(lambda digits: "-1" + "0" * digits),
    HUGE.map(lambda digits: "0x" + "f" * digits),
    HUGE.map(lambda digits: "0o" + "7" * digits),
    HUGE.map(lambda digits: "0b" + "1" * digits),
    HUGE.map(lambda digits: "1_0" * digits),
    HUGE.map(lambda digits: "9" * digits + ".5"),
    HUGE.map(lambda digits: "0." + "3" * digits),
    HUGE.map(lambda digits: f"1e{digits}"),
    HUGE.map(lambda digits: f"-1e-{digits}"),
    HUGE.map(lambda digits: "1e" + "9" * digits),
    st.sampled_from(["inf", "-inf", "nan", "-nan", "0", "-0", "-0.0", "5e-324", "1.7976931348623157e308", "1e999"]),
    st.sampled_from(["1979-05-27", "9999-12-31T23:59:59.999999Z", "00:00:00", "0001-01-01T00:00:00+23:59"]),
    st.sampled_from(["0000-01-01", "1979-13-45", "1979-02-30", "25:00:00", "1979-05-27T07:32:00+99:99"]),
)
values = st.one_of(
    numbers,
    numbers.map(lambda number: f"[{number}, 1, {number}]"),
    numbers.map(lambda number: f"{{ a = {number} }}"),
    numbers.map(lambda number: f'"{number}"'),
    HUGE.map(lambda letters: f'"{"x" * letters}"'),
)
TABLES = {
    "": ["version", "mode", "store", "limits", "tasks", "other"],
    "[store]": ["url", "prefix", "timeout", "on_error", "other"],
    "[waiting]": ["hold", "per_limit", "per_worker"],
    "[metrics]": ["host", "port"],
    "[limits.api]": ["strategy", "rate", "burst", "key", "on_limit", "max_wait", "mode", "partitions", "cost"],
    "[limits.api.feedback]": ["on", "action", "resend", "unless", "max_pause", "other"],
    "[limits.api.feedback.recover]": ["factor", "step", "floor", "ceiling"],
    "[tasks.a]": ["strategy", "rate", "burst", "key", "limits", "on_limit", "max_wait", "rate_limit", "feedback"],
    "[[tasks.a.schedule]]": ["rate", "burst", "from"],
}


@st.composite
def files(draw):
    header = draw(st.sampled_from(list(TABLES)))
    key = draw(st.one_of(st.sampled_from(TABLES[header]), HUGE.map(lambda letters: "9" * letters)))
    before = "" if key == "version" else "version = 1\n"
    beside = draw(st.sampled_from(["", 'limits = ["x"]\n', 'strategy = "token_bucket"\n', 'on = ["a.B"]\n']))
    beside = "" if beside.startswith(f"{key} ") or not header else beside
    return f"{before}{header}\n{beside}{key} = {draw(values)}\n"


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(files())
def test_a_number_of_any_form_and_length_anywhere(text):
    problems_of(text)


@pytest.mark.parametrize(
    "number", ["1" + "0" * 309, "-1" + "0" * 4000, "0x" + "f" * 3600, "inf", "-inf", "nan", "0", "1"]
)
def test_a_factor_is_refused_with_place_reason_and_remedy(number):
    text = f'{SHARED}feedback = {{ on = ["a.B"], recover = {{ factor = {number} }} }}\n'
    (problem,) = problems_of(text)
    assert (problem.code, problem.line, problem.column) == ("LK033", 5, 49)
    assert problem.message.endswith(" is out of range; write a number above 0 and below 1, e.g. factor = 0.9")


def test_what_the_model_alone_refuses_is_said_too():
    document = parse('version = 1\n[tasks.a]\nrate = "1/s"\nburst = "x"\n', "f.toml")
    _, found = errors(document.data)
    said = {(each.code, each.line, each.column) for each in model_errors.unreported(document, found)}
    assert said == {("LK029", 4, 9)}


def test_a_number_of_too_many_digits_is_placed_at_itself():
    digits = "9" * 5000
    (problem,) = problems_of(f'# {digits}\nversion = 1\ntext = "{digits}"\nrow = [1, {digits}]\n')
    assert (problem.code, problem.line, problem.column) == ("LK005", 4, 11)


@pytest.mark.parametrize(
    "text",
    [
        f"{'k' * 1_000_000} = 1\n",
        f'"{"é" * 1_000_000}" = 1\n',
        f"version = 1\n[tasks.{'a.' * 300}b]\nlimits = []\n",
        f'version = 1\n[tasks."{"t" * 1_000_000}"]\nlimits = ["{"n" * 1_000_000}"]\n',
        f'version = 1\nmode = "{"m" * 1_000_000}"\n[store]\nurl = "{"u" * 1_000_000}"\nprefix = "{"p" * 1_000_000}"\n',
        f"a = 1\n{'k' * 1_000_000} = 1\n{'k' * 1_000_000} = 2\n",
        f"a = {{ {'k' * 1_000_000} = 1, {'k' * 1_000_000} = 2 }}\n",
        f'{SHARED}feedback = {{ on = ["re:{"(" * 1_000_000}"] }}\n',
        f"version = {'v' * 1_000_000}\n",
    ],
    ids=[
        "bare key",
        "quoted key",
        "deep name",
        "names",
        "values",
        "key twice",
        "inline key twice",
        "pattern",
        "no value",
    ],
)
def test_no_key_or_value_is_printed_whole(text):
    assert problems_of(text)


PATTERNS = [
    "[[a]&&b]",
    "[a--b]",
    "[[:alpha:]]",
    "a{1,99999999999}",
    "(" * 199,
    "(?i)a",
    "a(?i)b",
    "\\_",
    "*",
    "(?P<1>a)",
    "[z-a]",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_fine_or_refused_and_nothing_else_is_heard_of_it(pattern, recwarn):
    text = (
        f'version = 1\n[tasks.a]\nstrategy = "token_bucket"\nrate = "1/s"\nfeedback = {{ on = [\'re:{pattern}\'] }}\n'
    )
    assert {problem.code for problem in problems_of(text)} <= {"LK031"}
    assert not recwarn.list


STATIC = 'strategy = "static"\nrate = "1/s"\n'
EQUAL = '"a", ' * 100_000
LIMITS = "".join(f"[limits.limit_{number}]\n{STATIC}" for number in range(10_000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LIMITS + "".join(f'[tasks.t{number}]\nlimits = ["limt_{number}x"]\n' for number in range(10_000)), 20_000),
        (f"[limits.a]\n{STATIC}[tasks.b]\nlimits = [{EQUAL}]\n", 2),
        ("".join(f"unknown_{number} = {{}}\n" for number in range(4_000)), 4_000),
        (f"[tasks.b]\n{STATIC}" + "".join(f"on_limit_{number} = 1\n" for number in range(4_000)), 4_000),
        ("".join(f'[tasks.t{number}]\nstrategy = "statik"\nrate = "1/sec"\n' for number in range(2_000)), 4_000),
        ("".join(f"[tasks.a.t{number}]\n{STATIC}" for number in range(2_000)), 2_000),
        ("tasks = {" + ",".join(f'"{"é" * 1_000}{number}" = {{}}' for number in range(6_000)) + "}", 6_000),
    ],
    ids=[
        *("names", "equal names", "unknown keys", "unknown keys of a task", "wrong values", "names without quotes"),
        "one line",
    ],
)
def test_a_file_of_thousands_of_faults_does_not_take_long(text, said):
    """Two seconds are promised on a quiet machine; quadratic work would be minutes."""
    began = time.process_time()
    assert len(problems_of("version = 1\n" + text)) == said
    assert time.process_time() - began < 12


def test_the_schema_s_faults_hold_no_values():
    assert [fault.message for fault in schema_validator.faults({"version": 0xF << 20_000, "x": [1] * 1000})] == ["", ""]


class Task:
    rate_limit = None

    def run(self):
        """Do nothing."""


def test_thousands_of_tasks_that_an_app_does_not_have_do_not_take_long():
    text = "version = 1\n" + "".join(f'[tasks."shop.tsk_{number}"]\n{STATIC}' for number in range(5_000))
    config = judge(parse(text, "f.toml"))
    tasks = {f"shop.task_{number}": Task() for number in range(5_000)}
    began = time.process_time()
    found = app_check.problems(config, tasks)
    assert time.process_time() - began < 6
    assert len(found) == 5_000
    assert found[17].hint == 'did you mean "shop.task_17"?'
