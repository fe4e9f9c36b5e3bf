"""What is parked where nobody can ask is counted until it is due back."""

from support.given_clock import GivenClock

from limitkit.buckets.decision import Bucket
from limitkit.waiting.parked_counter import ParkedCounter
from limitkit.waiting.room import Steering


def test_what_comes_back_is_counted_down_bucket_by_bucket():
    clock = GivenClock(100.0)
    away = ParkedCounter(clock)
    for bucket, seconds in (("a", 1), ("a", 1), ("a", 5), ("b", 5)):
        away.went(bucket, seconds)
    assert away.ahead(Bucket("a", 2_000_000, 1)) == 6.0
    assert away.ahead(Bucket("c", 2_000_000, 1)) == 0.0
    looks = []
    for clock.now in (100.5, 101.0, 104.9, 105.0, 106.0):
        brought = away.look(Steering(full={"a": (1.0, 1.0)}))
        looks.append((dict(brought.left), brought.empty))
    assert looks == [
        ({"a": 3}, False),
        ({"a": 1}, False),
        ({"a": 1}, False),
        ({"a": 0, "b": 0}, True),
        ({"a": 0}, True),
    ]
    assert not away._left
    assert not away._due
    assert not away._counts


def test_who_comes_back_is_said_though_nobody_asked():
    clock = GivenClock(0.0)
    away = ParkedCounter(clock)
    away.went("a", 1)
    away.went("b", 9)
    assert dict(away.look(Steering()).left) == {}
    clock.now = 1.0
    assert dict(away.look(Steering(hungry={"b": (1.0, 1)})).left) == {"a": 0, "b": 1}
