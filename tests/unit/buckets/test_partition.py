"""Which messages share a bucket."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import inspect
import json
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import keys

from limitkit.buckets.call import Call
from limitkit.buckets.partition import (
    MISSING,
    Partition,
    Resolver,
    adapted_key,
    bucket_key,
    canonical,
    holds_slots,
    key_of,
    partition,
    parts_of,
    version_of,
    waiters_key,
)
from limitkit.config.declared import Limit, Resets
from limitkit.config.model.units import parse_rate


def task(order, user_id="nobody", *rest, tenant=None, **more): ...


def positional(user_id, /, other=1): ...


def find(function, key, *args, **kwargs):
    return partition(keys.key(key), Call(list(args), kwargs), inspect.signature(function))


def test_an_argument_is_found_however_it_is_passed():
    assert find(task, "user_id", 1, 42) == find(task, "user_id", 1, user_id="42") == Partition("text:42")
    assert find(task, "user_id", 1) == find(task, "user_id", 1, "nobody")
    assert find(task, "tenant", 1, 2, 3) == find(task, "tenant", 1, tenant=None) == Partition("json:null")
    assert find(task, "extra", 1, extra="x") == Partition("text:x")
    assert find(positional, "user_id", 7) == Partition("text:7")


def test_an_argument_that_is_not_there_is_missing():
    assert find(task, "order") == MISSING
    assert find(task, "extra", 1) == MISSING
    resolve = Resolver(None, keys.key("user_id"))
    assert resolve(Call([1], {})) == MISSING
    assert resolve(Call([], {"user_id": 1})) == Partition("text:1")
    assert resolve(Call(None, None)) == MISSING


def test_several_parts_make_one_partition():
    signature = inspect.signature(task)
    resolve = Resolver(signature, keys.key("order.id", "tenant", "headers:X-Region"))
    calls = [
        Call(({"id": 1},), {"tenant": "a"}, {"X-Region": "eu"}),
        Call(({"id": "1"},), {"tenant": "a"}, {"x-region": "eu"}),
    ]
    assert {resolve(call) for call in calls} == {Partition(canonical(["1", "a", "eu"]))}
    assert resolve(calls[0]).digest == Partition(canonical([1, "a", "eu"])).digest
    others = [
        Call(({"id": 1},), {"tenant": "a"}),
        Call(({},), {"tenant": "a"}, {"X-Region": "eu"}),
        Call(({"id": 1},), {}, {"X-Region": "eu"}),
        Call(({"id": 1},), {"tenant": "missing"}, {"X-Region": "eu"}),
        Call(({"id": "11:"},), {"tenant": "a"}, {"X-Region": "eu"}),
        Call(({"id": "a"},), {"tenant": 1}, {"X-Region": "eu"}),
    ]
    assert len({resolve(call).digest for call in [*calls, *others]}) == len(others) + 1
    assert resolve(others[0]).absent == ("headers:X-Region",)
    assert not resolve(others[0]).missing
    assert Resolver(signature, keys.key("order.id", "headers:x"))(Call()).absent == ("order.id", "headers:x")


def test_a_key_of_one_part_is_that_part():
    call = Call((1, "u"), {}, {"id": "x", "Id": "y"})
    signature = inspect.signature(task)
    assert Resolver(signature, keys.key("user_id"))(call) == Partition("text:u")
    assert Resolver(signature, keys.key("headers:id"))(call) == Partition("text:x")
    assert Resolver(signature, keys.key("headers:ID"))(call) == Partition("text:x")
    assert Resolver(signature, keys.key("headers:i"))(call) == MISSING


def test_a_huge_part_does_not_hide_the_others():
    resolve = Resolver(None, keys.key("a", "b"))
    huge = ["x" * 99] * 30_000
    one, other = (resolve(Call((), {"a": huge, "b": value})) for value in "xy")
    assert one != other
    assert one.vague


class Pickled:
    name = "x"
    _secret = "y"

    @property
    def broken(self):
        raise SystemError

    def method(self): ...


def test_a_dotted_path_goes_down_tables_lists_and_public_attributes():
    order = {"lines": [{"sku": 5}], "7": "text", 8: "number", "nothing": None, "object": Pickled()}
    assert find(task, "order.lines.0.sku", order) == Partition("text:5")
    assert find(task, "order.7", order) == Partition("text:text")
    assert find(task, "order.8", order) == Partition("text:number")
    assert find(task, "order.nothing", order) == Partition("json:null")
    assert find(task, "order.object.name", order) == Partition("text:x")
    for gone in ("order.lines.1", "order.lines.-1", "order.lines.x", "order.gone.sku", "order.nothing.x"):
        assert find(task, gone, order) == MISSING, gone
    for gone in ("object._secret", "object.broken", "object.method", "lines.append", "object.gone"):
        assert find(task, f"order.{gone}", order) == MISSING, gone


def test_kinds_are_told_apart():
    values = [
        "null", None, "true", True, False, 0, 1, 1.0, "1.0", "", [], {}, [1], ["1", "2"], ["12"], [[1], 2],
        [[1, 2]], {"a": 1}, {"a": None}, {"a": {}}, ["a", 1], "a1", b"a1", "6131",
        float("nan"), "nan", float("inf"), -0.0, {1, 2},
        "missing", "text:1", '{"a": 1}', uuid.UUID(int=1), uuid.UUID(int=2), decimal.Decimal("1.0"),
        dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc), Pickled(), enum.Enum("E", "A B").A,
    ]  # fmt: skip
    texts = [canonical(value) for value in values]
    assert len(set(texts)) == len(texts)
    assert MISSING.text not in texts


def test_equal_values_are_one_partition():
    assert canonical({"a": 1, "b": [2]}) == canonical({"b": (2,), "a": "1"})
    assert canonical(float("nan")) == canonical(-float("nan"))
    assert canonical(Pickled()) == canonical(Pickled())
    assert canonical({"x", "y", "z", "w"}) == canonical({"w", "z", "y", "x"})


def test_what_is_too_deep_to_look_at_hides_nothing_above_it():
    assert canonical([1, nested(10_000)]) != canonical([2, nested(10_000)])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text("a1:{}", max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text("ab1:", max_size=2), inside, max_size=3),
    max_leaves=8,
)


def typed(value):
    """Write JSON in which whole numbers are strings, as they are equal, and all else is itself."""
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, list):
        return [typed(each) for each in value]
    return {key: typed(each) for key, each in value.items()}


@given(json_values, json_values)
def test_two_values_share_a_text_only_when_they_are_equal(one, other):
    same = json.dumps(typed(one), sort_keys=True) == json.dumps(typed(other), sort_keys=True)
    assert (canonical(one) == canonical(other)) == same


@given(json_values)
def test_a_value_is_the_same_after_its_journey_as_json(value):
    assert canonical(json.loads(json.dumps(value))) == canonical(value)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def looped():
    value = {}
    value.update(a=value, b=[value, value])
    return value


class Hostile(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError

    __repr__ = __len__ = __iter__ = __format__ = __str__


class HostileDict(dict):
    def __iter__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [
        "x" * 1_000_000, "a:{b}\n\0", "🐇", "\ud800", 10**5000, nested(10_000), looped(),
        Hostile("a"), HostileDict(a=1), {1: 2, "a": 3, None: 4},
        list(range(100_000)), object, lambda: 1, float("nan"),
    ],
    ids=range(14),
)  # fmt: skip
def test_nothing_that_anybody_sends_raises(value):
    limit = Limit("tenant", False, "per_user", parse_rate("1/s"), 1, ("user_id",), "enforce", "f", 1)  # noqa: FBT003
    found = find(task, "user_id", 1, value)
    assert not found.missing
    assert found == find(task, "user_id", 1, user_id=value)
    assert len(bucket_key("p" * 64, limit, found).encode()) <= 200


def key(name, *, own=False, prefix="limitkit", part=None):
    limit = Limit(name, own, "per_user", parse_rate("1/s"), 1, keys.key("user_id"), "enforce", "f.toml", 1)
    return bucket_key(prefix, limit, part)


def test_keys_read_well():
    assert key("stripe_api") == "limitkit:{stripe_api}:g1"
    assert key("shop.charge", own=True) == "limitkit:{task=shop.charge}:g1"
    assert key("tenant", part=Partition("text:42")) == "limitkit:{tenant}:g1:b13369b44be6275de0a0ebf21c81367d"


def test_a_task_s_own_limit_never_meets_a_named_one():
    long = "x" * 150
    names = ["shop", "task=shop", "~x", "", "a}b", "a b", "é", long, f"task={long}"]
    keys = [key(name, own=own) for name in names for own in (True, False)]
    assert len(set(keys)) == len(keys)


@given(st.text(max_size=300), st.booleans(), st.text(max_size=5))
def test_a_key_is_short_plain_and_has_one_hash_tag(name, own, value):
    made = key(name, own=own, prefix="p" * 64, part=Partition(canonical(value)))
    assert len(made.encode()) <= 200
    assert made.isascii()
    assert made.count("{") == made.count("}") == 1
    assert "{}" not in made


def of_kind(strategy, **more):
    rate = None if strategy == "concurrency" else parse_rate(more.pop("rate", "1/s"))
    more = {"mode": "enforce", **more}
    return Limit("api", own=False, strategy=strategy, rate=rate, burst=1, key=None, path="f", line=1, **more)


KINDS = {
    "g1": of_kind("token_bucket"),
    "w1": of_kind("window", rate="201/s"),
    "x1": of_kind("window", rate="200/s"),
    "c1": of_kind("window", resets=Resets("clock", "clock", period_us=1_000_000)),
    "r1": of_kind("concurrency", max_running=3),
}


def test_limits_of_several_kinds_never_read_each_other_s_state():
    found = [bucket_key("p", each, None) for each in KINDS.values()]
    assert found == [f"p:{{api}}:{version}" for version in KINDS]
    shadows = [bucket_key("p", replace(each, mode="shadow"), None) for each in KINDS.values()]
    every = [*found, *shadows, *map(adapted_key, found), *map(waiters_key, found)]
    assert len(set(every)) == len(every)
    assert max(map(len, every)) == len(found[0])
    assert [parts_of(key) for key in found] == [("api", None)] * 5
    assert not any(map(parts_of, [*shadows, *map(adapted_key, found), *map(waiters_key, found)]))
    assert [key_of("p", "api", version_of(each)) for each in KINDS.values()] == found
    assert [holds_slots(key) for key in found] == [False] * 4 + [True]
    assert holds_slots(bucket_key("p", KINDS["r1"], MISSING))
