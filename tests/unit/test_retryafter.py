"""For how long the other side wants to be left alone, from whatever a task has raised."""

from __future__ import annotations

import datetime as dt
import time
from email.message import Message
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.retryafter import LONGEST, retry_after


class RefusedError(Exception):
    def __init__(self, answered=None, **attributes):
        super().__init__("refused")
        self.response = SimpleNamespace(headers=answered)
        vars(self).update(attributes)


def date(seconds):
    return format_datetime(dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        (None, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"RETRY-AFTER": b" 7 "}, 7.0),
        ({"Retry-After": 7}, 7.0),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "7 s"}, None),
        ({"Retry-After": "86400"}, LONGEST),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Fri, 31 Dec 1999 23:59:29 GMT"}, 30.0),
        ({"RateLimit": '"default";r=0;t=30'}, 30.0),
        ({"RateLimit": '"default";t=30;r=0'}, 30.0),
        ({"RateLimit": '"second";r=0;t=1, "day";r=0;t=120;pk=:dHJpYWw=:, "hour";r=5;t=900'}, 120.0),
        ({"RateLimit": '"default";r=5;t=30'}, None),
        ({"RateLimit": '"default";r=0'}, None),
        ({"RateLimit": "limit=10, remaining=0, reset=4"}, 4.0),
        ({"RateLimit": "limit=10, remaining=1, reset=4"}, None),
        ({"RateLimit-Reset": "12"}, 12.0),
        ({"RateLimit-Reset": "12", "RateLimit-Remaining": "0"}, 12.0),
        ({"RateLimit-Reset": "12", "RateLimit-Remaining": "3"}, None),
        ({"X-RateLimit-Reset": "12"}, 12.0),
        ({"X-RateLimit-Reset": "12.5", "X-RateLimit-Remaining": "0"}, 12.5),
        ({"X-RateLimit-Reset": "12", "X-RateLimit-Remaining": "3"}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "12"}, 12.0),
        ({"Retry-After": "7", "X-RateLimit-Reset": "12"}, 7.0),
        ([("Retry-After", "7")], None),
        ("Retry-After: 7", None),
    ],
)
def test_headers(headers, seconds):
    assert retry_after(RefusedError(headers)) == seconds


@pytest.mark.parametrize("factor", [1, 1000])
@pytest.mark.parametrize("name", ["X-RateLimit-Reset", "RateLimit-Reset", "Retry-After"])
def test_a_time_since_1970(name, factor):
    said = retry_after(RefusedError({name: str(int((time.time() + 60) * factor))}))
    assert 50 < said <= 60


def test_a_date_by_this_machines_clock():
    assert 50 < retry_after(RefusedError({"Retry-After": date(60)})) <= 60


def test_headers_of_any_kind_of_mapping():
    message = Message()
    message["Retry-After"] = "7"
    assert retry_after(RefusedError(message)) == 7.0, "as urllib.error.HTTPError has them"
    assert retry_after(RefusedError(headers=message, response=None)) == 7.0

    class Multi:
        def items(self):
            return iter([("Server", "x"), ("Retry-After", "7")])

    assert retry_after(RefusedError(Multi())) == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ("4", 4.0),
        (dt.timedelta(minutes=1), 60.0),
        (dt.timedelta.max, LONGEST),
        (-1, 0.0),
        (0, 0.0),
        (True, 9.0),
        (None, 9.0),
        (float("nan"), 9.0),
        (float("inf"), None),
        (lambda: 3, 9.0),
    ],
)
def test_an_attribute_comes_before_the_headers(value, seconds):
    said = retry_after(RefusedError({"Retry-After": "9"}, retry_after=value))
    assert said == (LONGEST if seconds is None else seconds)


def test_of_a_chain_the_first_that_tells():
    outer, inner = RefusedError(), RefusedError({"Retry-After": "9"})
    outer.__cause__ = inner
    assert retry_after(outer) == 9.0


class Raising:
    def __getattribute__(self, name):
        raise RuntimeError


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.timedeltas(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["Retry-After", "RateLimit"]), inner),
)
names = st.sampled_from(["Retry-After", "Date", "RateLimit", "RateLimit-Reset", "X-RateLimit-Reset"])


@given(anything | st.builds(Raising), anything | st.dictionaries(names, anything | st.from_regex(r"[0-9;=rt, .:-]*")))
def test_it_never_raises_and_never_believes_more_than_an_hour(attribute, headers):
    said = retry_after(RefusedError(headers, retry_after=attribute))
    assert said is None or 0.0 <= said <= LONGEST
