"""Which pattern hides another one: against all short names, tried one by one."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.config.lints.hidden_patterns import hidden_by
from limitkit.config.rules import matches

NAMES = ["".join(letters) for length in range(5) for letters in product("abx", repeat=length)]
"""All names of up to four letters; no pattern here has an x."""
patterns = st.text("ab*", min_size=1, max_size=4).filter(lambda text: "*" in text)


@settings(max_examples=80, deadline=None)
@given(patterns, st.lists(patterns, min_size=1, max_size=3))
def test_hidden_is_what_has_no_name_for_itself(pattern, before):
    left = [name for name in NAMES if matches(pattern, name) and not any(matches(each, name) for each in before)]
    assert (hidden_by(pattern, before) is not None) is (left == [])


@settings(max_examples=80, deadline=None)
@given(patterns, patterns)
def test_one_hides_another_if_it_matches_all_of_its_names(pattern, other):
    all_of_them = all(matches(other, name) for name in NAMES if matches(pattern, name))
    assert hidden_by(pattern, [other]) == (other if all_of_them else None)


def test_a_pattern_for_celerys_own_tasks_is_another_problem():
    assert hidden_by("celery.*", ["*"]) is None
    assert hidden_by("celery*", ["*"]) == "*"
