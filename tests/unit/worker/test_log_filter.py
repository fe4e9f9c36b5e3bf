"""What limitkit logs: nothing that comes from outside can move the terminal's cursor, or pass for another record."""

import io
import logging

import pytest

from limitkit.buckets.override import Override, Target
from limitkit.errors import ConfigError, Problem
from limitkit.worker import installation

HOSTILE = "a\x1b[2J\nb\u202ec\x9b31m\u2028d\r"
SHOWN = "a\\u001B[2J\\nb\\u202Ec\\u009B31m\\u2028d\\r"


@pytest.fixture
def log():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    installation.logger.addHandler(handler)
    yield stream.getvalue
    installation.logger.removeHandler(handler)


@pytest.mark.parametrize(
    "value",
    [
        HOSTILE,
        OSError(HOSTILE),
        Target("limits", HOSTILE),
        Override(target=Target("limits", "x"), kind="pause", by="eve", reason=HOSTILE).who_and_why(),
    ],
)
def test_what_stands_in_a_record_is_on_one_line(log, value):
    installation.logger.warning("%s was set.", value)
    assert log().endswith(f"{SHOWN} was set.\n")
    assert log().count("\n") == 1


def test_the_same_as_repr(log):
    installation.logger.warning("It can't be sent (%r).", OSError("\u202e"))
    assert log() == "It can't be sent (OSError('\\u202e')).\n"


def test_numbers_stay_numbers_and_plain_text_plain(log):
    installation.logger.warning("%s: %d and %.3g, %s", "ö 🐇", 3, 0.25, None)
    assert log() == "ö 🐇: 3 and 0.25, None\n"


def test_each_problem_has_its_line(log):
    problems = [Problem(f"a{HOSTILE}.toml", line, 1, "LK010", "unknown key") for line in (1, 2)]
    installation.logger.error("It can't be used: %s", ConfigError(problems))
    assert log() == f"It can't be used: a{SHOWN}.toml:1:1: LK010 unknown key\na{SHOWN}.toml:2:1: LK010 unknown key\n"


def test_a_traceback_ends_with_one_line(log):
    try:
        raise ValueError(HOSTILE)  # noqa: TRY301 (the error is what this is about)
    except ValueError:
        installation.logger.exception("It failed.")
    first, second, *frames, last = log().splitlines()
    assert (first, second) == ("It failed.", "Traceback (most recent call last):")
    assert frames[0].startswith("  File ")
    assert last == f"ValueError: {SHOWN}"
