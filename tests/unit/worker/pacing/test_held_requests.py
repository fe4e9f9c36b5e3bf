"""Who is held, and when each starts, as a worker says it of itself."""

from types import SimpleNamespace

from limitkit.buckets.decision import Bucket
from limitkit.config.declared import Feedback
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
