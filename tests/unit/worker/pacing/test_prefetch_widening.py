"""The prefetch window grows for those who wait for tokens, and for nobody who waits for the pool alone."""

from types import SimpleNamespace

import pytest

from limitkit.buckets.decision import Bucket
from limitkit.worker.pacing.lane import Held, Lane
from limitkit.worker.pacing.prefetch_widening import PrefetchWidening
from limitkit.worker.pool.request_order import RequestOrder


class PrefetchWindow:
    """A prefetch window that may be one that can't grow."""

    def __init__(self, *, grows=True):
        self.grows, self.grown, self.room = grows, 0, 2

    def widen(self, held):
        held.window, held.squeezed = self.grows, not self.grows
        self.grown += 1


def held(*lanes):
    held = Held(RequestOrder(0, 0.0, 0), SimpleNamespace(id="1"), lanes, 0.0)
    for lane in lanes:
        lane.refs += 1
    return held


@pytest.fixture
def lane():
    return Lane(Bucket("a", 1_000_000, 1), local=False)


def test_the_window_grows_once_there_is_no_token_before_the_pool_has_a_process(lane):
    window = PrefetchWindow()
    flow = PrefetchWidening(window)
    for _ in range(3):
        flow.join(held(lane))
    flow.look(2.0, 0.0)
    assert window.grown == 0, "nobody knows of a limit that holds them up"
    lane.note_wait(1.0, 0.0)
    flow.look(2.0, 0.0)
    assert window.grown == 0, "the token comes before the process"
    flow.look(0.5, 0.0)
    assert window.grown == 3
    flow.look(0.5, 0.0)
    assert window.grown == 3, "each is given one place"


def test_where_the_pool_is_idle_it_is_something_else_that_holds_them_up(lane):
    """The store may be gone."""
    window = PrefetchWindow()
    flow = PrefetchWidening(window)
    flow.join(held(lane))
    flow.look(0.0, 0.0)
    assert window.grown == 1


def test_any_of_several_limits_counts_and_who_has_gone_does_not(lane):
    window, other = PrefetchWindow(), Lane(Bucket("b", 1_000_000, 1), local=True)
    flow = PrefetchWidening(window)
    gone, stays = held(lane, other), held(lane, other)
    flow.join(gone)
    flow.join(stays)
    flow.leave(gone)
    other.note_wait(9.0, 0.0)
    flow.look(1.0, 0.0)
    assert (window.grown, stays.window, gone.window) == (1, True, False)
    flow.leave(stays)
    flow.look(0.0, 0.0)
    assert window.grown == 1


def test_of_those_for_whom_it_can_not_grow_only_what_starts_soon_stays(lane):
    window = PrefetchWindow(grows=False)
    flow = PrefetchWidening(window)
    tight = [held(lane) for _ in range(3)]
    gone = held(lane)
    for each in (*tight, gone):
        flow.join(each)
    flow.look(0.0, 0.0)
    assert flow.overflow(tight, 0.0) == tight[window.room :]
    for each in tight:
        lane.push(each)
    assert flow.overflow(tight, 0.0) == tight[: window.room]
    assert flow.overflow(tight, 0.0) == [], "each leaves once"
    flow.join(held(lane))
    flow.look(0.0, 0.0)
    flow.clear()
    assert flow.overflow(tight, 0.0) == []
