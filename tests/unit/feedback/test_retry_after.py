"""For how long the other side wants to be left alone, from whatever a task has raised."""

from __future__ import annotations

import datetime as dt
import math
import time
from email.message import Message
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.feedback.retry_after import LONGEST, retry_after


class RefusedError(Exception):
    def __init__(self, answered=None, **attributes):
        super().__init__("refused")
        self.response = SimpleNamespace(headers=answered)
        vars(self).update(attributes)


def date(seconds):
    return format_datetime(dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=seconds), usegmt=True)


def of_openai(requests, requests_left, tokens, tokens_left):
    return {
        "x-ratelimit-reset-requests": requests,
        "x-ratelimit-remaining-requests": requests_left,
        "x-ratelimit-reset-tokens": tokens,
        "x-ratelimit-remaining-tokens": tokens_left,
    }


def of_anthropic(**resets):
    now = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    headers = {"date": format_datetime(now, usegmt=True)}
    for name, (seconds, left) in resets.items():
        reset = now + dt.timedelta(seconds=seconds)
        headers[f"anthropic-ratelimit-{name}-reset"] = reset.isoformat().replace("+00:00", "Z")
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(left)
    return headers


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
        ({"Retry-After-Ms": "450", "Retry-After": "7"}, 0.45),
        ({"X-Ms-Retry-After-Ms": "12.5"}, 0.0125),
        ({"Retry-After-Ms": "-450", "Retry-After": "7"}, 7.0),
        ({"Retry-After": "2026-01-01T00:00:30Z", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 30.0),
        ({"X-RateLimit-Reset": "1767225630", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 30.0),
        ({"X-RateLimit-Reset-After": "1.336", "X-RateLimit-Reset": "1470173023"}, 1.336),
        ({"X-Rate-Limit-Reset": "12", "X-Rate-Limit-Remaining": "3"}, None),
        ({"X-Rate-Limit-Reset": "12", "X-Rate-Limit-Remaining": "0"}, 12.0),
        ({"X-RateLimit-Reset-Requests": "1s"}, 1.0),
        ({"X-RateLimit-Reset-Requests": "1s", "X-RateLimit-Reset-Tokens": "6m0s"}, 360.0),
        (of_openai("1s", "0", "6m0s", "149984"), 1.0),
        (of_openai("1s", "59", "6m0s", "0"), 360.0),
        (of_openai("1s", "59", "6m0s", "149984"), None),
        (of_openai("1h2m3.5s", "0", "12ms", "0"), LONGEST),
        (of_openai("2m59.56s", "0", "soon", "0"), 179.56),
        (of_anthropic(requests=(30, 0)), 30.0),
        (
            of_anthropic(requests=(30, 0), tokens=(90, 4000), **{"input-tokens": (45, 0), "output-tokens": (60, 7)}),
            45.0,
        ),
        (of_anthropic(requests=(30, 1), tokens=(90, 4000)), None),
        (of_anthropic(requests=(-30, 0)), 0.0),
        ({"X-RateLimit-Limit-Requests": "60", "X-RateLimit-Resetting": "7", "X-Reset": "7"}, None),
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


WAIT = "re:try again in (?P<wait>[0-9a-z.]+)"


@pytest.mark.parametrize(
    ("text", "on", "seconds"),
    [
        ("Please try again in 20s. Visit us.", [WAIT], 20.0),
        ("try again in 1m30s", [WAIT], 90.0),
        ("try again in 6m0s.", [WAIT], 360.0),
        ("try again in 450ms", [WAIT], 0.45),
        ("try again in 2h", [WAIT], 7200.0),
        ("try again in 1.5s.", [WAIT], 1.5),
        ("try again in 7", [WAIT], 7.0),
        ("try again in a while", [WAIT], 9.0),
        ("try again in 5parsecs", [WAIT], 9.0),
        ("come again in 20s", [WAIT], 9.0),
        ("wait of 42 seconds", ["re:wait of (?P<seconds>[0-9]+) seconds"], 42.0),
        ("after 42.", ["re:after (?P<seconds>[0-9.]+)"], 42.0),
        ("in 1 Minute 30 seconds", ["re:in (?P<wait>[0-9a-zA-Z ]+)"], 90.0),
        ("at 2999-01-01T00:00:00Z", ["re:at (?P<wait>.+)"], math.inf),
        ("THROTTLED", ["re:THROTTLED( (?P<wait>.+))?"], 9.0),
        ("THROTTLED 20s", ["a.B:429", "re:THROTTLED", "re:(?P<wait>[0-9]+s)"], 20.0),
        ("THROTTLED 20s", ["re:(?P<time>[0-9]+s)"], 9.0),
        ("٣ s", ["re:(?P<wait>.+)"], 9.0),
    ],
)
def test_a_group_of_a_pattern_reads_it_from_the_text_before_anything_else(text, on, seconds):
    error = RefusedError({"Retry-After": "9"})
    error.args = (text,)
    said = retry_after(error, on, longest=math.inf)
    assert said > 10**10 if seconds == math.inf else said == pytest.approx(seconds)


@pytest.mark.parametrize("longest", [0.25, 7 * 86_400.0])
def test_nothing_beyond_a_bound_is_believed(longest):
    for headers in (
        {"Retry-After": str(10**9 - 1)},
        {"Retry-After-Ms": "9" * 16},
        {"X-RateLimit-Reset-Tokens": "9999h"},
    ):
        assert retry_after(RefusedError(headers), longest=longest) == longest
    assert retry_after(RefusedError(retry_after=10**400), longest=longest) == longest
    assert retry_after(RefusedError({"Retry-After": "0.125"}), longest=longest) == 0.125


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        ({"ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": {"retry-after": "7"}}}, 7.0),
        ({"ResponseMetadata": {"HTTPHeaders": None}}, None),
        ({"ResponseMetadata": ["retry-after", "7"]}, None),
        ({"retry-after": "7"}, None),
        ({}, None),
    ],
)
def test_what_botocore_has_for_a_response_is_a_plain_dict(response, seconds):
    assert retry_after(RefusedError(response=response)) == seconds


def test_what_raises_itself_hides_nothing_of_what_else_is_said():
    class OddError(RefusedError):
        @property
        def retry_after(self):
            raise RuntimeError

        def __str__(self):
            raise RuntimeError

    assert retry_after(OddError({"Retry-After": "9"}), [WAIT]) == 9.0


class Raising:
    def __getattribute__(self, name):
        raise RuntimeError


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.timedeltas(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["Retry-After", "RateLimit"]), inner),
)
NAMES = (
    *("Retry-After", "Retry-After-Ms", "Date", "RateLimit", "RateLimit-Reset", "X-RateLimit-Reset"),
    *("X-RateLimit-Reset-Tokens", "X-RateLimit-Remaining-Tokens", "Anthropic-RateLimit-Requests-Reset"),
)
said_in = st.from_regex(r"[0-9;=rt, .:TZ+hms-]*") | st.sampled_from(
    ["nan", "inf", "-1", "1e999", "9" * 5000, "1s" * 900]
)
headers_of_any_kind = anything | st.dictionaries(st.sampled_from(NAMES), anything | said_in)
texts = st.text() | said_in.map("try again in {}".format)


@given(anything | st.builds(Raising), headers_of_any_kind, headers_of_any_kind | st.builds(Raising), anything, texts)
def test_it_never_raises_and_never_believes_more_than_an_hour(attribute, headers, inner, details, text):
    error = RefusedError(headers, retry_after=attribute, details=details)
    error.args = (text,)
    for response in (error.response, {"ResponseMetadata": {"HTTPHeaders": inner}}, {"ResponseMetadata": inner}, inner):
        error.response = response
        said = retry_after(error, [WAIT, "re:(?P<seconds>.+)"])
        assert said is None or 0.0 <= said <= LONGEST
