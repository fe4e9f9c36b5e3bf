"""What a recording keeps of a message's arguments, and what replays read in its place."""

from __future__ import annotations

import inspect
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.buckets.call import Call
from limitkit.buckets.cost import CostReader
from limitkit.buckets.partition import Resolver
from limitkit.config.declared import Cost, Key, Part
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.control.task_limits import declared
from limitkit.worker.recording.arguments import Arguments, Paths, digest_of, paths_of

SECRET = b"one recording"
TEXT = """
version = 1
[limits.tenant]
strategy = "per_user"
rate = "5/s"
key = "tenant_id"
[limits.tokens]
strategy = "token_bucket"
rate = "1000/m"
burst = 5000
fair_by = ["tenant_id", "headers:region"]
[tasks.ask]
limits = [{ limit = "tenant", key = "customer.tenant" }, { limit = "tokens", cost = "max_tokens" }]
[tasks.tell]
limits = ["tenant", { limit = "tokens", cost = { of = "emails.length", times = 0.5 } }]
[queues."mail*"]
limits = ["tenant"]
"""


def paths(*keys, numbers=()):
    return Paths(tuple(map(part, keys)), tuple(map(part, numbers)))


def part(text):
    return Part((text[8:],), header=True) if text.startswith("headers:") else Part(tuple(text.split(".")))


def kept(wanted, *args, signature=None, headers=None, secret=SECRET, **kwargs):
    return Arguments(signature, wanted, secret)(Call(args, kwargs, headers or {}))


def digest(text):
    return digest_of(text, SECRET)


def test_all_that_any_limit_of_the_file_reads_is_kept():
    found = paths_of(declared(judge(parse(TEXT, "t.toml")).rules))
    assert found == paths("customer.tenant", "tenant_id", "headers:region", numbers=["max_tokens", "emails.length"])


def test_a_digest_stands_where_the_value_was():
    wanted = paths("customer.tenant", "user_id", "headers:region", "other")
    found = kept(wanted, customer={"tenant": "acme", "card": "4111"}, user_id=7, headers={"region": "eu", "x": "y"})
    assert found.kwargs == {"customer": {"tenant": digest("text:acme")}, "user_id": digest("text:7")}
    assert found.headers == {"region": digest("text:eu")}


def test_positional_arguments_and_defaults_get_their_names():
    def task(user_id, max_tokens=200): ...

    found = kept(paths("user_id", numbers=["max_tokens"]), "u1", signature=inspect.signature(task))
    assert found.kwargs == {"user_id": digest("text:u1"), "max_tokens": 200}


def test_a_value_and_something_in_it_are_told_apart():
    wanted = paths("customer", "customer.tenant", numbers=["customer.length"])
    found = [kept(wanted, customer={"tenant": "acme", "card": card}).kwargs["customer"] for card in "112"]
    assert found[0] == found[1] != found[2]
    assert {each["tenant"] for each in found} == {digest("text:acme")}
    assert [each["length"] for each in found] == [2, 2, 2]
    reversed_order = kept(paths("customer.tenant", "customer"), customer={"tenant": "acme", "card": "1"})
    assert (
        reversed_order.kwargs
        == kept(paths("customer", "customer.tenant"), customer={"tenant": "acme", "card": "1"}).kwargs
    )


def test_what_is_key_and_cost_is_a_number_unless_it_is_none():
    wanted = paths("size", numbers=["size"])
    assert [kept(wanted, size=each).kwargs["size"] for each in (5, "big")] == [5, digest("text:big")]


def test_another_recording_has_other_digests():
    found = {kept(paths("user_id"), user_id="u1", secret=bytes([each])).kwargs["user_id"] for each in range(5)}
    assert len(found) == 5
    assert all(len(each) == 24 and int(each, 16) for each in found)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        (2.5, 2.5),
        (Decimal("2.5"), 2.5),
        (Fraction(1, 4), 0.25),
        (10**400, 10**15),
        (-(10**400), -(10**15)),
        (True, None),
        ("12", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (Fraction(10**400), None),
    ],
)
def test_only_numbers_are_kept_of_costs(value, number):
    found = kept(paths(numbers=["cost"]), cost=value).kwargs
    assert found == ({} if number is None else {"cost": number})
    json.dumps(found, allow_nan=False)


def test_what_cannot_be_read_is_left_out():
    class Odd:
        @property
        def name(self):
            raise SystemExit

    assert kept(paths("odd.name", "odd", numbers=["odd.size"]), odd=Odd()).kwargs.keys() == {"odd"}


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.just("0"), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(st.lists(NAMES | st.just("0"), min_size=1, max_size=3).map(tuple), min_size=1, max_size=4, unique=True)


def shared(partitions):
    return [[one.text == other.text for one in partitions] for other in partitions]


@given(st.lists(st.dictionaries(NAMES, VALUES), min_size=2, max_size=4), PATHS)
def test_messages_share_a_partition_in_a_replay_if_and_only_if_they_did(messages, wanted):
    parts = tuple(Part(path) for path in wanted)
    read = Arguments(None, Paths(parts, ()), SECRET)
    replayed = [json.loads(json.dumps(read(Call((), each)).kwargs)) for each in messages]
    for key in (Key((each,)) for each in parts):
        resolve = Resolver(None, key)
        before = [resolve(Call((), each)) for each in messages]
        after = [resolve(Call((), each)) for each in replayed]
        assert [each.missing for each in before] == [each.missing for each in after]
        assert [[a.text == b.text for a in before] for b in before] == [
            [a.text == b.text for a in after] for b in after
        ]


@given(st.integers(-5, 10**6) | st.floats(0, 1e6), st.sampled_from(["n", "x.n", "x.0"]))
def test_a_replay_reads_the_same_cost(number, path):
    cost = Cost(of=Part(tuple(path.split("."))), times=0.25, plus=3, default=9)
    message = {"n": number} if path == "n" else {"x": {"n": number, "0": number}}
    read = CostReader(None, cost, 1000)
    found = Arguments(None, Paths((), (cost.of,)), SECRET)(Call((), message)).kwargs
    assert read(Call((), found)) == read(Call((), message))
