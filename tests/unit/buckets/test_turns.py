"""Turns: shares are in proportion to weights, one that comes new is next, and nobody saves up turns."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.buckets.turns import MOST_STEP, UNIT, ArrivalOrder, TurnOrder, Turns, TurnTaker, step

WEIGHTS = st.sampled_from([0.5, 1.0, 1.0, 2.0, 3.0, 7.0])


class Item:
    def __init__(self, number, taker):
        self.number, self.taker = number, taker

    def __lt__(self, other):
        return self.number < other.number


class Queue:
    """A bucket's requests, as a lane has them."""

    def __init__(self):
        self.turns = Turns()
        self.order = TurnOrder(self.turns, lambda item: item.taker)
        self.sent = 0

    def send(self, value, weight=1.0, *, cost=1, count=1):
        for _ in range(count):
            self.sent += 1
            self.order.add(Item(self.sent, TurnTaker(value, weight, cost)))

    def start(self):
        item = self.order.take_first()
        self.order.starts(item)
        return item.taker.value

    def starts(self, count):
        return [self.start() for _ in range(count)]

    def reweigh(self, weights):
        """What a worker does when weights have changed: all that waits is taken out, and put in again."""
        items = list(self.order)
        for item in items:
            self.order.take_out(item)
        for item in items:
            self.order.add(Item(item.number, item.taker._replace(weight=weights[item.taker.value])))


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(WEIGHTS, st.integers(1, 9)), min_size=2),
    st.integers(1, 300),
)
@settings(deadline=None)
def test_shares_are_in_proportion_to_weights(values, count):
    """The bound of start-time fair queueing: any two that wait have had as much as each other, within a turn."""
    queue = Queue()
    for value, (weight, cost) in values.items():
        queue.send(value, weight, cost=cost, count=count + 1)
    had = Counter()
    for _ in range(count):
        value = queue.start()
        had[value] += values[value][1]
        parts = {each: Fraction(had[each]) / Fraction(values[each][0]) for each in values}
        turn = {each: Fraction(values[each][1]) / Fraction(values[each][0]) for each in values}
        for one in values:
            for other in values:
                assert abs(parts[one] - parts[other]) <= turn[one] + turn[other] + Fraction(2 * count, UNIT)


@given(st.integers(1, 20), st.integers(0, 200), st.integers(1, 5))
def test_one_that_comes_new_starts_within_a_round(others, before, burst):
    queue = Queue()
    for number in range(others):
        queue.send(f"o{number}", count=before + 40)
    queue.starts(before)
    queue.send("new", count=burst)
    assert "new" in queue.starts(others + 1)


def test_nobody_saves_up_turns_while_he_has_nothing_waiting():
    queue = Queue()
    queue.send("a", count=1000)
    queue.send("b")
    queue.starts(500)
    queue.send("b", count=50)
    assert Counter(queue.starts(40)) == {"a": 20, "b": 20}


def test_one_that_has_just_had_its_turn_is_not_new_when_it_comes_again():
    queue = Queue()
    queue.send("a", count=100)
    had = Counter()
    for _ in range(40):
        queue.send("b")  # never more than one waits
        had.update(queue.starts(2))
    assert had == {"a": 40, "b": 40}


def test_a_changed_weight_holds_for_what_waits():
    queue = Queue()
    queue.send("a", count=400)
    queue.send("b", count=400)
    assert Counter(queue.starts(40)) == {"a": 20, "b": 20}
    queue.reweigh({"a": 3.0, "b": 1.0})
    assert Counter(queue.starts(40)) == {"a": 30, "b": 10}
    queue.reweigh({"a": 1e-9, "b": 1.0})
    assert queue.starts(41).count("a") <= 1
    queue.reweigh({"a": 1.0, "b": 1.0})
    assert queue.starts(40).count("a") == 20, "a weight that was tiny for a while is not made up for"


@pytest.mark.parametrize("weight", [5e-324, 1e-9, 1e9, 1.7e308])
def test_weights_of_any_size_break_nothing(weight):
    queue = Queue()
    queue.send("odd", weight, count=3000)
    queue.send("plain", count=3000)
    had = Counter(queue.starts(2000))
    assert min(had.values()) <= 1 or min(had.values()) == had["odd" if weight < 1 else "plain"]
    assert queue.turns.now < 3000 * MOST_STEP
    queue.send("new")
    assert "new" in queue.starts(2 if weight < 1 else 1_500) or weight > 1


def test_within_a_value_the_order_is_that_of_arrival():
    queue, plain = Queue(), ArrivalOrder()
    for number in (5, 3, 9, 1):
        queue.order.add(Item(number, TurnTaker("a")))
        plain.add(Item(number, TurnTaker("a")))
    assert [each.number for each in queue.order] == [each.number for each in plain.in_order()] == [1, 3, 5, 9]
    assert [queue.order.take_first().number for _ in range(4)] == [plain.take_first().number for _ in range(4)]


@given(st.lists(st.tuples(st.sampled_from("abc"), WEIGHTS, st.integers(1, 3)), max_size=30), st.data())
@settings(deadline=None)
def test_it_is_gone_through_in_the_order_in_which_all_start(sent, data):
    queue = Queue()
    weights = {value: weight for value, weight, _ in sent}
    for value, _, cost in sent:
        queue.send(value, weights[value], cost=cost)
    queue.starts(data.draw(st.integers(0, len(sent))))
    foreseen = list(queue.order)
    assert len(foreseen) == len(queue.order)
    assert queue.order[:2] == foreseen[:2]
    for item in foreseen:
        assert item in queue.order
        assert queue.order[0] is item
        queue.order.take_out(item)
        assert item not in queue.order
        queue.order.starts(item)
    assert not queue.order
    with pytest.raises(IndexError):
        queue.order[0]
    with pytest.raises(ValueError, match="Item"):
        queue.order.take_out(Item(0, TurnTaker("a")))


def test_values_that_are_gone_are_forgotten():
    queue = Queue()
    queue.send("steady", count=5000)
    for number in range(2000):
        queue.send(f"v{number}")
        queue.starts(2)
    assert len(queue.turns) < 200


def test_an_endless_row_of_new_values_does_not_keep_others_waiting():
    queue, had = Queue(), Counter()
    queue.send("steady", count=100)
    for number in range(100):
        queue.send(f"v{number}")
        had[queue.start()] += 1
    assert had["steady"] >= 5
    assert sum(had.values()) == 100


def test_the_step_of_a_start():
    assert step(1.0, 1) == UNIT
    assert step(4.0, 3) == UNIT * 3 // 4
    assert step(1e300, 1) == 1
    assert step(5e-324, 10**6) == MOST_STEP
