"""What a start costs, whatever its message says."""

from __future__ import annotations

import decimal
import inspect
import time
from collections import namedtuple
from fractions import Fraction
from math import ceil
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import keys

from limitkit.buckets.call import Call
from limitkit.buckets.cost import MOST, CostReader, settled_cost
from limitkit.config.declared import Cost


def task(prompt=None, max_tokens=None, emails=()): ...


def read(of, *args, interval=1000, headers=None, **terms):
    """Read a cost from a call; ``kwargs`` come as the last argument."""
    kwargs = args[-1] if args and isinstance(args[-1], dict) else {}
    reader = CostReader(inspect.signature(task), Cost(of=keys.part(of), **terms), interval)
    return reader(Call(args[: len(args) - bool(kwargs)], kwargs, headers or {}))


def tokens(value, **terms):
    return read("max_tokens", {"max_tokens": value}, **terms)


class Sized:
    length = 7

    def __len__(self):
        return 3


class Raising:
    def __len__(self):
        raise SystemExit

    @property
    def tokens(self):
        raise SystemExit


def test_it_is_read_from_an_argument_a_path_a_length_or_a_header():
    assert read("max_tokens", "hello", 500) == (500, "")
    assert read("emails.length", {"emails": ["a@x", "b@x"]}) == (2, "")
    assert read("prompt.length", "hello") == (5, "")
    assert read("prompt.lines.length", {"prompt": {"lines": {"a": 1}}}) == (1, "")
    assert read("prompt.length", {"prompt": {"length": 30, "width": 1}}) == (30, "")
    assert read("prompt.length", Sized()) == (7, "")
    assert read("headers:x-tokens", headers={"X-Tokens": 12}) == (12, "")
    assert read("prompt.length.length", {"prompt": {"length": "abc"}}) == (3, "")


def test_times_and_plus_are_exact_and_fractions_round_up():
    assert read("prompt.length", "x" * 10, times=0.1) == (1, "")
    assert read("prompt.length", "x" * 11, times=0.1) == (2, "")
    assert read("prompt.length", "x" * 1001, times=0.25, plus=500.0) == (751, "")
    assert read("prompt.length", "", times=0.25, plus=500.0) == (500, "")
    assert tokens(0.2) == (1, "")
    assert tokens(1e-9, plus=2.0) == (3, "")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "is not there"),
        (0, "comes to less than 1"),
        (-5, "comes to less than 1"),
        (True, "is not a number"),
        ("500", "is not a number"),
        (float("nan"), "is not a number"),
        (float("inf"), "is not a number"),
        (float("-inf"), "is not a number"),
        (1j, "is not a number"),
        ([1], "is not a number"),
        (Fraction(1 << 2000, 3), "is not a number"),
        (decimal.Decimal("NaN"), "is not a number"),
        (decimal.Decimal("sNaN"), "is not a number"),
        (decimal.Decimal("1e999999"), "is not a number"),
        (decimal.Decimal("1e-999999"), "is not a number"),
    ],
)
def test_what_is_no_cost_counts_as_the_default(value, fault):
    began = time.process_time()
    assert tokens(value) == (1, fault)
    assert tokens(value, default=1000) == (1000, fault)
    assert time.process_time() - began < 1.0


def test_what_is_not_there_counts_as_the_default():
    assert read("nobody") == (1, "is not there")
    assert read("max_tokens.deep", 5) == (1, "is not there")
    assert read("prompt.length", 5) == (1, "is not there")
    assert read("headers:x", headers={"y": 1}, default=9) == (9, "is not there")
    assert read("prompt.length", Raising()) == (1, "can't be read")
    assert read("prompt.tokens", Raising()) == (1, "can't be read")


def test_a_fixed_cost_needs_no_message():
    assert CostReader(None, Cost(fixed=5), 1000)(Call()) == (5, "")


def test_no_cost_is_too_much_for_the_scripts():
    assert tokens(MOST) == (MOST, "")
    assert tokens(MOST + 1) == (MOST, "comes to more than 1,000,000,000")
    assert tokens(1 << 2_000_000, times=0.1) == tokens(1e308) == (MOST, "comes to more than 1,000,000,000")
    slowest = 366 * 86400 * 1_000_000
    most = tokens(10**6, interval=slowest).tokens
    assert most >= 1
    assert most * slowest < 2**53
    assert tokens(None, interval=slowest, default=10**6).tokens == most


numbers = st.integers(-(10**12), 10**12) | st.floats() | st.fractions() | st.decimals(allow_nan=True)


@given(numbers, st.sampled_from([1.0, 0.25, 0.1, 3.0]), st.sampled_from([0.0, 500.0, 0.5]), st.integers(1, 10**6))
def test_a_cost_is_always_a_whole_number_from_1_on(value, times, plus, default):
    found, fault = tokens(value, times=times, plus=plus, default=default)
    assert type(found) is int
    assert 1 <= found <= MOST
    if not fault:
        exact = (
            value
            if isinstance(value, decimal.Decimal)
            else Fraction(repr(value))
            if isinstance(value, float)
            else value
        )
        assert found == ceil(Fraction(exact) * Fraction(str(times)) + Fraction(str(plus)))


Row = namedtuple("Row", "total other")  # noqa: PYI024 - as database drivers return them


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"usage": {"total_tokens": 812}}, "usage.total_tokens", 812),
        (SimpleNamespace(usage=SimpleNamespace(total_tokens=812.1)), "usage.total_tokens", 813),
        ([{"n": 3}], "0.n", 3),
        (Row(4, 5), "total", 4),
        (Row(4, 5), "1", 5),
        ({"sent": ["a", "b"]}, "sent.length", 2),
        ({"sent": []}, "sent.length", 0),
        ({"n": 0}, "n", 0),
        ({"n": 1e300}, "n", MOST),
        ({"n": -1}, "n", None),
        ({"n": "5"}, "n", None),
        ({"n": None}, "n", None),
        ({"n": True}, "n", None),
        ({"n": float("nan")}, "n", None),
        ({}, "usage.total_tokens", None),
        (None, "n", None),
        (Raising(), "tokens", None),
        (Raising(), "length", None),
    ],
)
def test_a_true_cost_is_read_from_what_a_task_returned(value, path, found):
    assert settled_cost(value, tuple(path.split("."))) == found
