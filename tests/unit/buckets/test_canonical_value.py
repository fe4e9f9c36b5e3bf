"""Values of all kinds have the same text when they are equal, and nothing that they do goes further."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import inspect
import ipaddress
import json
import logging
import pathlib
import pickle
import signal
import sys
import time
import uuid
from types import MappingProxyType, SimpleNamespace
from zoneinfo import ZoneInfo

import pydantic
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from billiard.pool import soft_timeout_sighandler
from hypothesis import given
from hypothesis import strategies as st
from support.keys import key as named

from limitkit.buckets.call import Call
from limitkit.buckets.canonical_value import canonical, interrupts
from limitkit.buckets.partition import MISSING, Partition, Resolver
from limitkit.config import load
from limitkit.control import task_limits


def text(value):
    return canonical(value).text


@dataclasses.dataclass
class Point:
    x: int
    y: object = None
    seen: float = dataclasses.field(default=0.0, compare=False)


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    tenant: str
    lines: list[int] = []


class Attrs:
    """As attrs makes it."""

    __attrs_attrs__ = (SimpleNamespace(name="x", eq=True), SimpleNamespace(name="cached", eq=False))

    def __init__(self, x, cached=None):
        self.x, self.cached = x, cached


class Struct:
    """As msgspec makes it."""

    __struct_fields__ = ("x",)

    def __init__(self, x):
        self.x = x


class Row:
    """As Django makes it."""

    _meta = object()

    def __init__(self, pk, name=""):
        self.pk, self.name = pk, name


class Plain:
    def __init__(self, x):
        self.x = x


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Word(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Flags(enum.Flag):
    A = 1
    B = 2


Pair = collections.namedtuple("Pair", "x y")  # noqa: PYI024
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)

DIFFERENT = [
    [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.0.0.2"), ipaddress.ip_address("::1")],
    [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("10.0.0.0/16"), ipaddress.ip_interface("10.0.0.1/8")],
    [pathlib.Path("/a"), pathlib.Path("/b"), pathlib.PurePosixPath("a")],
    [uuid.UUID(int=1), uuid.UUID(int=2)],
    [decimal.Decimal("1.1"), decimal.Decimal(11), decimal.Decimal(-11), decimal.Decimal("NaN")],
    [dt.date(2026, 1, 1), dt.datetime(2026, 1, 1), NOON, NOON + dt.timedelta(hours=1)],  # noqa: DTZ001
    [dt.time(1), dt.time(2), dt.timedelta(1), dt.timedelta(2), ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")],
    [fractions.Fraction(1, 2), fractions.Fraction(1, 3), 1j, 2j, range(2), range(3)],
    [Color.RED, Color.BLUE, Flags.A, Flags.B, Flags.A | Flags.B],
    [Point(1), Point(2), Point(1, [1]), Point(1, Point(1))],
    [Order(tenant="a"), Order(tenant="b"), Order(tenant="a", lines=[1]), Order(tenant="a", more=1)],
    [Attrs(1), Attrs(2), Struct(1), Struct(2), Row(1), Row(2)],
    [Pair(1, 2), Pair(2, 1), [1, 2, 3], {1, 2}, {1, 3}],
    [frozenset({(1, 2)}), frozenset({(2, 1)}), collections.deque([1]), b"1", bytearray(b"2")],
    [{"a": {1: 2}}, {"a": {2: 1}}, {(1, 2): 1}, {"12": 1}, {(1,): 2}],
]


@pytest.mark.parametrize("values", DIFFERENT, ids=lambda values: type(values[0]).__name__)
def test_an_object_counts_by_its_value(values):
    assert len({text(value) for value in values}) == len(values)
    for value in values:
        found = canonical(value)
        assert found == canonical(pickle.loads(pickle.dumps(value)))
        assert not found.vague


EQUAL = [
    (Word.RED, "red"), (Number.ONE, "1"), (Point(1, seen=1.0), Point(1, seen=2.0)), (Attrs(1, 2), Attrs(1, 3)),
    (Row(1, "ann"), Row(1, "bob")), (Pair(1, 2), (1, 2)), ((1, 2), [1, 2]), ({1, 2}, frozenset({2, 1})),
    (b"a", bytearray(b"a")), (NOON, NOON.astimezone(ZoneInfo("Asia/Tokyo"))),
    (decimal.Decimal("1.0"), decimal.Decimal("1.00")), (decimal.Decimal(100), decimal.Decimal("1e2")),
    (decimal.Decimal("-0"), decimal.Decimal(0)), (-0.0, 0.0), (pathlib.Path("/a"), pathlib.PurePosixPath("/a")),
    ({1: 2}, {"1": "2"}), ({None: 1, True: 2, 1.5: 3}, {"1.5": 3, "true": 2, "null": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}), (collections.OrderedDict(a=1, b=2), {"b": 2, "a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), EQUAL, ids=range(len(EQUAL)))
def test_equal_values_have_the_same_text(one, other):
    assert canonical(one) == canonical(other)


keys = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text("a1ntrue.", max_size=4)


@given(st.dictionaries(keys, st.integers(0, 3) | st.dictionaries(keys, st.booleans(), max_size=3)), st.randoms())
def test_a_dict_is_what_json_makes_of_it_in_whatever_order(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert text(dict(items)) == text(value)
    journeyed = json.loads(json.dumps(value))
    if len(journeyed) == len(value) and all(
        not isinstance(each, dict) or len(journeyed[key_of(key)]) == len(each) for key, each in value.items()
    ):  # else JSON has dropped some
        assert text(journeyed) == text(value)


def key_of(key):
    return next(iter(json.loads(json.dumps({key: 0}))))


@pytest.mark.parametrize("size", [6_000, 50_000])
def test_order_does_not_matter_at_any_size(size):
    value = {f"key{number}": number for number in range(size)}
    assert canonical(dict(reversed(value.items()))) == canonical(value)
    numbers = {number: str(number) for number in range(size)}
    assert canonical(dict(reversed(numbers.items()))) == canonical(json.loads(json.dumps(numbers)))
    tuples = {(number, number): [number] for number in range(size)}
    assert canonical(dict(reversed(tuples.items()))) == canonical(tuples)
    members = list(map(str, range(size)))
    assert canonical({*members}) == canonical(frozenset(reversed(members)))


def test_six_thousand_values_are_all_looked_at():
    value = {f"key{number}": number for number in range(6_000)}
    assert text({**value, "key5999": 0}) != text(value)
    assert text({**value, "key0": 1}) != text(value)


def looped():
    value = {}
    value.update(a=value, b=[value] * 1_000)
    return value


HUGE = [
    ["x" * 1_000_000] * 100_000, [{"x" * 1_000_000: 1}] * 100_000, [b"x" * 1_000_000] * 100_000, looped(),
    list(range(1_000_000)), {number: number for number in range(1_000_000)}, [10**10_000] * 100_000,
    [decimal.Decimal(10**3_000)] * 100_000, [pathlib.Path("x" * 10_000)] * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_what_is_written_of_one_value_is_bounded(value):
    before = time.process_time()
    found = canonical(value)
    assert time.process_time() - before < 2.0  # some hundredths of one, and minutes without a bound
    assert len(found.text) < 10_000_000
    assert "values in one" in found.vague


class Raising:
    """Raises at whatever it is asked; its class is no less odd."""

    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error

    @property
    def name(self):
        raise self.error

    __repr__ = __eq__ = __iter__ = __len__ = __format__ = __hash__ = __str__


class RaisingDict(dict):
    def __iter__(self):
        raise SystemExit(3)

    def get(self, *_):
        raise KeyboardInterrupt

    __len__ = items = keys = __iter__


class RaisingPath(pathlib.PurePosixPath):
    def __str__(self):
        raise KeyboardInterrupt


class Lying:
    @property
    def __class__(self):
        sys.exit()


class ExitingError(BaseException):
    pass


def run(user_id): ...


def find(value, *path):
    return Resolver(inspect.signature(run), named(".".join(("user_id", *path))))(Call([value]))


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(1), GeneratorExit(), ExitingError(), SoftTimeLimitExceeded(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_what_a_value_raises_goes_no_further(error):
    assert find(Raising(error), "name") == MISSING
    for value in (Raising(error), {"a": Raising(error)}, [Point(1, Raising(error))]):
        assert not find(value).missing


def test_odd_values_count_by_their_type():
    for value in (RaisingDict(a=1), RaisingPath("a"), Lying()):
        found = find(value)
        assert found.text.startswith("object:")
        assert found.vague.endswith("can't be looked at,")
    assert find(RaisingDict(a=1), "a") == MISSING
    assert find(type("Exiting", (), {"name": property(sys.exit)})(), "name") == MISSING


class Signalled:
    """Has a signal come while it is looked at."""

    @property
    def name(self):
        signal.raise_signal(signal.SIGUSR1)


def test_a_soft_time_limit_goes_on():
    before = signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            find(Signalled(), "name")
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_ctrl_c_goes_on_where_nobody_handles_it(monkeypatch):
    error = None
    try:
        exec("raise KeyboardInterrupt", {"__name__": "limitkit.buckets.canonical_value"})
    except KeyboardInterrupt as raised:
        error = raised
    assert interrupts(error)
    monkeypatch.setattr(signal, "getsignal", lambda _: "Celery's")  # its handler would have a frame
    assert not interrupts(error)


def test_a_value_that_can_not_be_told_is_said_once_a_task(tmp_path, caplog):
    file = tmp_path / "ratelimits.toml"
    file.write_text('version = 1\n[tasks."shop.*"]\nstrategy = "per_user"\nrate = "1/s"\nkey = "user_id"\n')
    rules = task_limits.TaskLimits(load.load(str(file)).rules, None)
    one, other = (SimpleNamespace(name=name, run=run) for name in ("shop.one", "shop.other"))
    with caplog.at_level(logging.WARNING, "limitkit"):
        calls = [Call((value,)) for value in (Plain(1), Plain(2), Plain(3))]
        keys = {rules.ask(rules.limits(one)[0], one, call).bucket.key for call in calls}
        rules.ask(rules.limits(other)[0], other, Call(({"a": [Plain(1)]},)))
        rules.ask(rules.limits(one)[0], one, Call((ipaddress.ip_address("10.0.0.1"),)))
    assert len(keys) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"The key user_id of limit {task} has {__name__}.Plain objects, whose values limitkit can't tell, in a message "
        f"of {task}; those that differ in that alone share one bucket; send an id or a text instead."
        for task in ("shop.one", "shop.other")
    ]


def test_partitions_are_equal_by_their_text_alone():
    assert Partition("text:1", vague="x") == Partition("text:1")
