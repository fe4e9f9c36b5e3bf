"""The line for pool processes: at its head is the lane whose first request comes before all others."""

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.buckets.decision import Bucket
from limitkit.worker.pacing.lane import Held, Lane
from limitkit.worker.pacing.process_line import ProcessLine
from limitkit.worker.pool.request_order import RequestOrder

STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "come", "come", "go", "join", "leave"]), st.integers(0, 3), st.integers(0, 9)),
    min_size=20,
    max_size=60,
)


@given(STEPS)
@settings(deadline=None)
def test_at_the_head_is_who_comes_first_whatever_came_and_went_meanwhile(steps):
    line, lanes = ProcessLine(), [Lane(Bucket(f"b{n}", 1000, 1), local=False) for n in range(4)]
    standing = set()
    for number, (what, at, priority) in enumerate(steps):
        lane = lanes[at]
        if what == "come":
            held = Held(RequestOrder(priority, 0.0, number), SimpleNamespace(), (lane,), 0.0)
            lane.push(held)
            if lane.waiting[0] is held:
                line.advance(lane)
        elif what == "go" and lane.waiting:
            lane.pop()
        elif what == "join" and lane not in standing:
            line.join(lane)
            standing.add(lane)
        elif what == "leave":
            line.leave(lane)
            standing.discard(lane)
        assert len(line) == len(standing)
        head = line.first()
        assert (head is None) == (not standing)
        if head is not None and head.waiting:  # one in which nobody waits any more comes up to be cleared away
            assert head.waiting[0] == min(lane.waiting[0] for lane in standing if lane.waiting)


def test_a_lane_that_is_passed_over_for_long_leaves_no_trail():
    line, low, high = ProcessLine(), *(Lane(Bucket(name, 1000, 1), local=False) for name in ("low", "high"))
    low.push(Held(RequestOrder(9, 0.0, 0), SimpleNamespace(), (low,), 0.0))
    line.join(low)
    for number in range(5000):
        high.push(Held(RequestOrder(0, 0.0, number), SimpleNamespace(), (high,), 0.0))
        line.join(high)
        assert line.first() is high
        high.pop()
        line.leave(high)
    assert len(line._heap) < 1000
