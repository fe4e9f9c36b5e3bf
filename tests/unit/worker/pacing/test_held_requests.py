"""Who is held, and when each starts, as a worker says it of itself."""

from types import SimpleNamespace

from limitkit.buckets.decision import Bucket, Slots
from limitkit.config.declared import Feedback
from limitkit.control.task_limits import Ask
from limitkit.worker.pacing.held_requests import waiting
from limitkit.worker.pacing.lane import Held, Lane

FEEDBACK = Feedback("api", ("a.B",))


def test_what_was_slowed_down_starts_as_slowly_as_it_is_now():
    lane = Lane(Bucket("limitkit:{api}:g1", 100_000, 1, feedback=FEEDBACK), local=False)
    requests = [SimpleNamespace(id=str(number), name="call") for number in range(3)]
    held = [Held((0, number), request, (lane,), 99.0) for number, request in enumerate(requests)]
    lane.follow(2_000_000)
    lane.note_wait(2.0, 100.0)
    found = list(waiting(SimpleNamespace(held=held), 100.0))
    assert [each.starts_in for each in found] == [2.0, 4.0, 6.0]
    assert {each.interval for each in found} == {2.0}


def test_what_each_costs_whose_turn_it_is_and_how_many_run():
    bucket = Slots("limitkit:{api}:r1", 100_000, 3)
    lane = Lane(bucket, local=True)
    asks = [
        Ask(bucket, local=True, cost=5, turn="=acme", weight=3.0),
        Ask(bucket, local=True, cost=1, turn="=acme", weight=3.0),
        Ask(bucket, local=True, cost=1, turn="=globex", weight=2.0),
    ]
    request = SimpleNamespace(id="1", name="call")
    held = [Held((0, number), request, (lane,), 99.0, asks=(ask,)) for number, ask in enumerate(asks)]
    held.append(Held((0, 3), request, (lane,), 99.0))
    found = list(waiting(SimpleNamespace(held=held), 100.0, {bucket.key: 2, "limitkit:{other}:r1": 9}))
    assert [each.running for each in found] == [2] * 4
    assert [each.cost for each in found] == [5, 1, 1, 1]
    said = [(each.turn, each.weight, each.weights) for each in found]
    assert said == [("=acme", 3.0, 5.0), ("=acme", 3.0, 5.0), ("=globex", 2.0, 5.0), ("", 1.0, 1.0)]
