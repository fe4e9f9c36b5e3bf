"""What a file's patterns find, and how long texts that others write can hold them up."""

from __future__ import annotations

import logging
import re
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.model.exception_patterns import fault, refusal
from limitkit.config.model.regex import LONGEST_SEARCH, LONGEST_TOGETHER, MOST_TEXT, Search, _warn_slow

SLOW = (
    *(
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        r"(\w+\s?)+$",
        "(?:a{1,100}){1,100}b",
        r"(?=(a+)+b)a",
        r"([a-z]+)*\d",
        "(?i)(A+)+$",
    ),
    *("(.*a){20}b", r"(\d?a+)+\1b"),
)
"""Each would hold its process up for longer than anybody waits, on the text below."""
HOSTILE = "a" * 1500 + "!"


@pytest.fixture(autouse=True)
def told_anew():
    _warn_slow.cache_clear()


@pytest.mark.parametrize("pattern", SLOW)
def test_no_search_takes_long_and_all_together_do_not_either(pattern, caplog):
    search = Search(pattern)
    began = time.process_time()
    assert all(search(HOSTILE) is None for _ in range(20))
    assert time.process_time() - began < 5 * LONGEST_SEARCH
    (record,) = caplog.records
    assert record.getMessage() == (
        f'The search for "re:{pattern}" in the text of an exception was stopped after 0.1 s, so the text counts as one '
        "without it; write a pattern with no repeat inside a repeat."
    )
    assert record.levelno == logging.WARNING


def test_one_that_was_slow_is_searched_for_again_after_a_rest(monkeypatch):
    search = Search("(a+)+$")
    assert search("baa") is not None
    assert search(HOSTILE) is None
    assert search("baa") is None
    later = time.monotonic() + 20 * LONGEST_SEARCH
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert search("baa") is not None


def test_all_searches_that_a_failure_leads_to_share_their_time():
    evil, error = [f"re:(a+)+x{number}" for number in range(300)], ValueError(HOSTILE)
    began = time.process_time()
    assert refusal(error, [*evil, "re:!"]), "one that is not hostile is found behind them all"
    assert time.process_time() - began < 4 * LONGEST_TOGETHER


def test_what_is_slow_is_not_slow_down():
    """The whole way from the file to the text."""
    assert fault("re:(a+)+$") is None
    assert refusal(ValueError(HOSTILE), ["re:(a+)+$", "re:!"])
    assert refusal(ValueError(HOSTILE), ["re:!"], ["re:(x+x+)+y", "re:(a+)+$"]), "nor what it is not"


@pytest.mark.parametrize(
    "pattern",
    ["a{1000000}", "(?:a{101}){100}", "((x{300,}){300,400}){300}", "(?:[ab]{1000}y?){1000}", f"a{{{'9' * 190}}}"],
)
def test_none_takes_gigabytes_before_it_is_searched_for(pattern):
    """By what it says, and not by trying."""
    assert fault(f"re:{pattern}")[0] == "is a pattern that repeats something more than 10000 times"


def test_counts_that_others_write_are_fine():
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert Search(uuid)("f81d4fae-7dec-11d0-a765-00a0c91e6bf6") == {}
    assert Search("(?:a{,1000}b{0}){,1000}c")("aac") == {}


def test_its_groups_and_how_much_of_a_text_is_read():
    search = Search(r"in (?P<wait>\d+s)(?P<rest>x)?")
    assert search.names == {"wait", "rest"}
    assert search("in 20s") == {"wait": "20s", "rest": None}
    assert search("soon") is None
    assert Search("b")("a" * MOST_TEXT + "b") is None


@pytest.mark.parametrize("pattern", ["[[a]&&b]", "[a||b]", "[a~~b]"])
def test_what_python_would_warn_of_goes_unsaid_and_means_what_it_means_there(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = Search(pattern)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in ("a", "b", "a]", "b]", "[]", "&]", "-", "l", ":]", "|", "~", "z"):
            assert (search(text) is None) == (re.search(pattern, text) is None)


@pytest.mark.parametrize(
    "pattern",
    ["(", "a**", "(?P<a>x)(?P<a>y)", "(?<=a+)b", r"\1", "(?R)", r"\p{L}", "x{2,1}", "[z-a]", "(?P<1>a)", "a" * 201],
)
def test_what_python_does_not_know_is_refused(pattern):
    with pytest.raises(ValueError, match=r"is (not a regular expression|a pattern of more)"):
        Search(pattern)


@pytest.mark.parametrize(
    "pattern", ["(?:foo){e}", "(?:foo){e<=1}", "{i}", r"\{e}", r"\\{e}", "a{2}", "a{,2}b", "a{1,}", "{}"]
)
def test_braces_mean_what_they_mean_in_python(pattern):
    for text in ("foo", "fo", "foo{e}", "foo{e<=1}", "{i}", "{e}", "\\{e}", "\\", "aa", "ab", "b", "{}"):
        assert (Search(pattern)(text) is None) == (re.search(pattern, text) is None), text


PIECES = (
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    r"\w",
    r"\b",
    "(?:",
    "(",
    "(?=",
    "(?!",
    ")",
    "|",
    "*",
    "+?",
    "{1,2}",
    "^",
    "$",
    "(?i:",
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text("ab A", max_size=10))
def test_it_finds_what_pythons_own_finds(pattern, text):
    try:
        known = re.compile(pattern)
    except re.error:
        return
    assert (Search(pattern)(text) is None) == (known.search(text) is None)
