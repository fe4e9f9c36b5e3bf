"""A pool whose tasks are short is not taken for a busy one, whatever has slowed it down for a moment."""

from functools import partial
from types import SimpleNamespace

from support.virtual_worker import Request, bound

INTERVAL_US = 66_667


def test_a_limit_does_not_wait_for_the_tokens_of_one_that_came_before_it(make_worker):
    worker = make_worker(size=1, prefetch=4)
    worker.limits = {name: (bound(name, INTERVAL_US),) for name in ("first", "second")}
    worker.seconds = lambda request: 0.15 if request.id == "first0" else 0.003  # a new pool process is slow once
    first, second = (
        [Request(f"{name}{number}", SimpleNamespace(name=name)) for number in range(10)] for name in ("first", "second")
    )
    began = worker.clock.now
    for number, request in enumerate([*first, *second]):
        worker.at(began + number * 0.002, partial(worker.send, request))
    worker.run(began + 5)
    assert second[0].at < first[6].at, "the one process was kept idle for each token of the first"
    assert max(request.at for request in second) < second[0].at + 9.5 * INTERVAL_US / 1e6
    assert worker.left() == worker.nothing_left()
